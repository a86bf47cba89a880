// Errors as a caller of the server sees them: absl::Status with the details of google.rpc.Status as payloads. The
// inverse of the server's one map; it adds nothing and drops nothing.
#ifndef GRADELINE_CLIENT_CPP_STATUS_H_
#define GRADELINE_CLIENT_CPP_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace gradeline::client {

/// One wrong field of a request, as a path in JSON names, with what is wrong and what is allowed.
struct FieldViolation {
  std::string field;
  std::string description;
  bool operator==(const FieldViolation&) const = default;
};

/// OK, or the status with every detail attached as a payload under its type URL.
absl::Status StatusFromProto(const google::rpc::Status& status);
/// As StatusFromProto, of the details that came with a call; a call without readable details keeps code and message.
absl::Status StatusFromGrpc(const grpc::Status& status);
/// The same, back: code, message and attached details, in a fixed order. For printing.
google::rpc::Status StatusToProto(const absl::Status& status);

/// The field violations that `status` carries, in the server's order.
std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status);
/// INVALID_ARGUMENT with these violations attached, for checks on the client's side. `violations` must not be empty.
absl::Status InvalidFields(const std::vector<FieldViolation>& violations);
/// The server's reason ("LOSS_NOT_VALID"), or the code's name where it sent none.
std::string ReasonOf(const absl::Status& status);
/// What the server said of a variable of its reason ("state"); empty if nothing.
std::string MetadataOf(const absl::Status& status, const std::string& key);

}  // namespace gradeline::client

#endif  // GRADELINE_CLIENT_CPP_STATUS_H_

// The one map between absl::Status and google.rpc.Status. Deliberately knows nothing of gRPC: server/rpc puts the bytes
// into a trailer.
#ifndef GRADELINE_SERVER_WIRE_STATUS_H_
#define GRADELINE_SERVER_WIRE_STATUS_H_

#include <string_view>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace gradeline {

inline constexpr std::string_view kErrorDomain = "gradeline";

/// The error with every detail a program can act on: ErrorInfo always, BadRequest with all field violations, RetryInfo
/// where the same call may succeed later (UNAVAILABLE, a full disk). OK gives code 0 and nothing else. Small enough for
/// a trailer: a long message is cut, and of very many violations the first ones are sent; metadata "violations" then
/// tells how many there were.
google::rpc::Status StatusToProto(const absl::Status& status);

/// The inverse: code, message, reason with metadata, violations. An unknown code becomes UNKNOWN.
absl::Status StatusFromProto(const google::rpc::Status& status);

/// RESOURCE_EXHAUSTED for a message above the limit of the server: names size, limit and the key that raises it.
absl::Status MessageTooLarge(std::string_view what, int64_t bytes, int64_t limit);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_STATUS_H_

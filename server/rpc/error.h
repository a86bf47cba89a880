// Statuses leave as gRPC statuses with the whole google.rpc.Status in the trailer grpc-status-details-bin.
#ifndef GRADELINE_SERVER_RPC_ERROR_H_
#define GRADELINE_SERVER_RPC_ERROR_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace gradeline {

grpc::Status ToGrpc(const absl::Status& status);

/// "NOT_FOUND"; "OK". For metrics and logs.
std::string CodeName(const absl::Status& status);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_ERROR_H_

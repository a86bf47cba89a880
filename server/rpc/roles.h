// Every rpc says who may call it: a server with one that does not must not start.
#ifndef GRADELINE_SERVER_RPC_ROLES_H_
#define GRADELINE_SERVER_RPC_ROLES_H_

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"

namespace gradeline {

/// FAILED_PRECONDITION naming every method of `service` without a (gradeline.v1.role).
absl::Status CheckRoles(const google::protobuf::ServiceDescriptor& service);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_ROLES_H_

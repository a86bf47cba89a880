// What gRPC does not check before it listens.
#ifndef GRADELINE_SERVER_RPC_LISTEN_CHECK_H_
#define GRADELINE_SERVER_RPC_LISTEN_CHECK_H_

#include <string>

#include "absl/status/status.h"

namespace gradeline {

/// UNAVAILABLE if `listen` is "unix:PATH" and a server answers there, whose socket gRPC would silently take away, or
/// the path is too long, or something else than a socket. A socket that a dead server left is no obstacle.
absl::Status CheckUnixSocketFree(const std::string& listen);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_LISTEN_CHECK_H_

// See connection.h.
#include "client/cpp/connection.h"

#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gradeline::client {
namespace {

absl::Status CheckAddress(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) {
    return address.size() > 5 ? absl::OkStatus() : absl::InvalidArgumentError("server address \"unix:\" lacks a path");
  }
  const bool list = absl::StartsWith(address, "ipv4:") || absl::StartsWith(address, "ipv6:");
  const std::vector<std::string> servers = absl::StrSplit(list ? address.substr(5) : address, ',');
  for (const std::string& server : servers) {
    const size_t colon = server.rfind(':');
    uint32_t port = 0;
    if ((servers.size() > 1 && !list) || colon == std::string::npos || colon == 0 ||
        !absl::SimpleAtoi(server.substr(colon + 1), &port) || port == 0 || port > 65535) {
      return absl::InvalidArgumentError(
          absl::StrCat("server address \"", address,
                       "\" is not host:port with a port of 1 to 65535, nor unix:/path, nor of several servers "
                       "ipv4:IP:port,IP:port or dns:///name:port"));
    }
  }
  return absl::OkStatus();
}

// True once connected; false when the first attempt failed or the time ran out.
bool WaitUntilReady(grpc::Channel& channel, absl::Duration timeout) {
  const auto deadline = absl::ToChronoTime(absl::Now() + timeout);
  for (auto state = channel.GetState(true); state != GRPC_CHANNEL_READY; state = channel.GetState(true)) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || !channel.WaitForStateChange(state, deadline)) return false;
  }
  return true;
}

}  // namespace

Connection::Connection(std::string address, const ConnectOptions& options, std::shared_ptr<grpc::Channel> channel)
    : address_(std::move(address)),
      options_(options),
      channel_(std::move(channel)),
      catalog_(v1::CatalogService::NewStub(channel_)),
      datasets_(v1::DatasetService::NewStub(channel_)),
      splits_(v1::SplitService::NewStub(channel_)),
      experiments_(v1::ExperimentService::NewStub(channel_)),
      training_(v1::TrainingService::NewStub(channel_)),
      admin_(v1::AdminService::NewStub(channel_)) {}

absl::StatusOr<std::shared_ptr<Connection>> Connect(const std::string& address, const ConnectOptions& options) {
  if (absl::Status status = CheckAddress(address); !status.ok()) {
    return status;
  }
  const int max_message =
      static_cast<int>(std::min<int64_t>(options.max_message_bytes, std::numeric_limits<int>::max()));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(max_message);
  arguments.SetMaxSendMessageSize(max_message);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // A subchannel of its own: two connections to one server must not share a socket and its flow control.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(absl::ToInt64Milliseconds(options.keepalive_period)));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                   static_cast<int>(absl::ToInt64Milliseconds(options.keepalive_timeout)));
  // Reconnecting after a lost connection is prompt: the stream's own backoff decides when to try. (The "minimum" is how
  // long one attempt may take.)
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // Without an end: gRPC 1.51 stops its threads with the last of its objects, and one that waits for a slow server's
  // socket returns only after 10 s (grpc/grpc issue 41050).
  static const bool library_is_up = (grpc_init(), true);
  static_cast<void>(library_is_up);
  auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  if (options.connect_timeout > absl::ZeroDuration() && !WaitUntilReady(*channel, options.connect_timeout)) {
    return absl::UnavailableError(absl::StrCat("no server answers at ", address, "; is gradelined running there?"));
  }
  return std::make_shared<Connection>(address, options, std::move(channel));
}

}  // namespace gradeline::client

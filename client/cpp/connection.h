// A connection to a Gradeline server, or to any of several over one database: the channel with the settings that its
// messages need, and a stub per service. Deliberately retries nothing: every error reaches the caller once, as it came.
#ifndef GRADELINE_CLIENT_CPP_CONNECTION_H_
#define GRADELINE_CLIENT_CPP_CONNECTION_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gradeline/v1/admin.grpc.pb.h"
#include "gradeline/v1/catalog.grpc.pb.h"
#include "gradeline/v1/dataset.grpc.pb.h"
#include "gradeline/v1/experiment.grpc.pb.h"
#include "gradeline/v1/split.grpc.pb.h"
#include "gradeline/v1/training.grpc.pb.h"

namespace gradeline::client {

struct ConnectOptions {
  /// Largest message taken or sent. By default all that gRPC can carry, so that the server's own limit decides.
  int64_t max_message_bytes = std::numeric_limits<int32_t>::max();
  /// How long Connect waits for the server; a silent address is given up after 5 s, and the next one tried. 0: it does
  /// not wait, and the first call finds out.
  absl::Duration connect_timeout = absl::Seconds(15);
  /// A connection on which nothing is heard for this long is probed, and given up after keepalive_timeout.
  absl::Duration keepalive_period = absl::Seconds(60);
  absl::Duration keepalive_timeout = absl::Seconds(20);
};

/// Thread-safe.
class Connection {
 public:
  Connection(std::string address, const ConnectOptions& options, std::shared_ptr<grpc::Channel> channel);

  const std::string& address() const { return address_; }
  const ConnectOptions& options() const { return options_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  v1::CatalogService::Stub& catalog() { return *catalog_; }
  v1::DatasetService::Stub& datasets() { return *datasets_; }
  v1::SplitService::Stub& splits() { return *splits_; }
  v1::ExperimentService::Stub& experiments() { return *experiments_; }
  v1::TrainingService::Stub& training() { return *training_; }
  v1::AdminService::Stub& admin() { return *admin_; }

 private:
  std::string address_;
  ConnectOptions options_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::CatalogService::Stub> catalog_;
  std::unique_ptr<v1::DatasetService::Stub> datasets_;
  std::unique_ptr<v1::SplitService::Stub> splits_;
  std::unique_ptr<v1::ExperimentService::Stub> experiments_;
  std::unique_ptr<v1::TrainingService::Stub> training_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

/// Connects to "host:port", "unix:/path", or to the first that answers of "ipv4:IP:port,IP:port" or "dns:///name:port".
/// INVALID_ARGUMENT for an address without a port, UNAVAILABLE when every connection is refused or nobody answers
/// within the connect timeout. Each call makes a connection of its own.
absl::StatusOr<std::shared_ptr<Connection>> Connect(const std::string& address, const ConnectOptions& options = {});

}  // namespace gradeline::client

#endif  // GRADELINE_CLIENT_CPP_CONNECTION_H_

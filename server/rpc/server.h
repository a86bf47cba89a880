// The gRPC server: its services, limits, health, reflection, its start and its drain.
#ifndef GRADELINE_SERVER_RPC_SERVER_H_
#define GRADELINE_SERVER_RPC_SERVER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/engine/engine.h"
#include "server/core/experiment/experiments.h"
#include "server/observe/metrics.h"

namespace gradeline {

struct RpcOptions {
  std::string listen;  ///< "127.0.0.1:50051", port 0: any; "unix:/path"
  int64_t max_message_bytes = int64_t{256} << 20;
  std::chrono::milliseconds stall_limit{60'000};  ///< how long a client may take nothing of what is written to it
  int worker_threads = 8;                         ///< for calls that wait for a commit
  int64_t metric_bytes = 64LL << 20;              ///< of memory that EvaluateMetric may count in
  // What GetServerInfo tells.
  std::string version;
  int64_t start_unix_ms = 0;
  int64_t memory_budget_bytes = 0;
};

class RpcServer {
 public:
  /// Listens at once. FAILED_PRECONDITION: an rpc without a role; UNAVAILABLE: the address cannot be had (it and the
  /// key are named).
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(RpcOptions options, Experiments* experiments, Engine* engine,
                                                          ServerMetrics* metrics);
  ~RpcServer();

  /// As in `listen`, with the port that was bound.
  const std::string& address() const;
  /// Answers health checks, and GetServerInfo with the HTTP address. Before, both say not serving and nothing.
  void Serve(const std::string& http_address);
  /// Streams are told; what runs may end until `deadline`, the rest is cancelled. Calls that come meanwhile are still
  /// answered, but not waited for. Blocks.
  void Drain(std::chrono::steady_clock::time_point deadline);

 private:
  struct Impl;
  explicit RpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_SERVER_H_

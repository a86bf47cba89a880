// What every call shares: where blocking work runs, the message limit, latency metrics, error logs, and the list of
// long streams, which end when the server drains or their client stops reading.
#ifndef GRADELINE_SERVER_RPC_CALLS_H_
#define GRADELINE_SERVER_RPC_CALLS_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/observe/metrics.h"
#include "server/rpc/error.h"
#include "server/rpc/worker_pool.h"

namespace gradeline {

/// A stream that lasts as long as its client wants.
class LongStream {
 public:
  virtual ~LongStream() = default;
  /// The server is stopping: finish what is in flight, then end with UNAVAILABLE. Any thread.
  virtual void Drain() = 0;
  /// Ends the stream if its client has taken nothing of what is being written for `limit`. Any thread. Streams that
  /// hold nothing of the memory budget need not.
  virtual void CutIfStalled(std::chrono::milliseconds) {}
};

/// Calls that have begun and not ended. Thread-safe.
class RunningCalls {
 public:
  /// Whether the call is waited for: not if it begins while somebody waits, whom calls that keep coming would hold up.
  bool Begin();
  /// Of a call that is waited for.
  void End();
  /// No further call is waited for; returns when those that are have ended, or at `deadline`.
  void WaitForNone(std::chrono::steady_clock::time_point deadline);

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  bool waiting_ = false;
  int count_ = 0;
};

/// The time and the end of one call.
class CallTimer {
 public:
  /// Begins a call. `method` outlives it: "CatalogService/ListTasks".
  CallTimer(std::string_view method, ServerMetrics* metrics, RunningCalls* running);
  /// Counts and logs the end, once; gives what to finish the call with.
  grpc::Status End(const absl::Status& status) const;

 private:
  std::string_view method_;
  ServerMetrics* metrics_;
  RunningCalls* running_;  // null: not waited for
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Thread-safe.
class Calls {
 public:
  /// `stall_limit`: how long a client may take nothing of what is written to it.
  Calls(ServerMetrics* metrics, int64_t max_message_bytes, std::chrono::milliseconds stall_limit, int threads);
  ~Calls();

  ServerMetrics& metrics() { return *metrics_; }
  WorkerPool& pool() { return pool_; }
  int64_t max_message_bytes() const { return max_message_bytes_; }
  CallTimer Timer(std::string_view method) { return {method, metrics_, &running_}; }
  RunningCalls& running() { return running_; }

  /// RESOURCE_EXHAUSTED if a request has more bytes than allowed.
  absl::Status CheckSize(int64_t bytes) const;

  /// Answers a unary call with what `handler` (absl::StatusOr<Response>()) returns; it runs on the pool and may block.
  template <typename Request, typename Response, typename Handler>
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, std::string_view method,
                                   const Request* request, Response* response, Handler handler) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    pool_.Post([this, timer = Timer(method), reactor, request, response, handler = std::move(handler)] {
      absl::Status status = CheckSize(static_cast<int64_t>(request->ByteSizeLong()));
      if (status.ok()) {
        absl::StatusOr<Response> result = handler();
        status = result.status();
        if (result.ok()) *response = *std::move(result);
      }
      reactor->Finish(timer.End(status));
    });
    return reactor;
  }

  /// Drains `stream` when the server stops; at once if it is stopping already.
  void Register(const std::shared_ptr<LongStream>& stream);
  void DrainStreams();

 private:
  void WatchStalls();

  ServerMetrics* metrics_;
  const int64_t max_message_bytes_;
  const std::chrono::milliseconds stall_limit_;
  RunningCalls running_;
  std::mutex mutex_;
  bool draining_ = false, ending_ = false;
  std::condition_variable end_;
  std::vector<std::weak_ptr<LongStream>> streams_;
  WorkerPool pool_;
  std::thread stall_watch_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_CALLS_H_

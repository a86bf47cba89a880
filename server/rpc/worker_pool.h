// A few threads for calls that block: writes wait for their commit, and gRPC's own threads must never wait.
#ifndef GRADELINE_SERVER_RPC_WORKER_POOL_H_
#define GRADELINE_SERVER_RPC_WORKER_POOL_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gradeline {

/// Thread-safe. Work runs in the order it came, on any of the threads.
class WorkerPool {
 public:
  explicit WorkerPool(int threads);
  ~WorkerPool();  ///< runs what was posted, then joins
  WorkerPool(const WorkerPool&) = delete;
  void Post(std::function<void()> work);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_WORKER_POOL_H_

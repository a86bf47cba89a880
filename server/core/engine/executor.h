// Runs short steps on one oneTBB arena, strictly first in, first out: work of many streams interleaves step by step,
// and a small batch waits for one step of a large one, not for all of it. Steps never wait for each other.
#ifndef GRADELINE_SERVER_CORE_ENGINE_EXECUTOR_H_
#define GRADELINE_SERVER_CORE_ENGINE_EXECUTOR_H_

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace gradeline {

class Executor {
 public:
  /// `threads` >= 1. While several executors live, oneTBB gives each no more threads than the least of them asks for.
  explicit Executor(int threads);
  ~Executor();  ///< waits until nothing is queued and nothing runs
  Executor(const Executor&) = delete;

  int threads() const { return threads_; }
  /// Runs `step` on an arena thread after all that was pushed before has begun. From any thread. `step` must not throw.
  void Push(std::function<void()> step);
  /// Whether the calling thread is inside a step of any executor: it must not wait for other steps.
  static bool InsideStep();

 private:
  struct Task;
  void Drain();
  std::function<void()> Pop();

  const int threads_;
  tbb::global_control limit_;
  tbb::task_arena arena_;
  // Standard locks, not Abseil's: thread sanitizers see through them even where Abseil is not instrumented.
  std::mutex mutex_;
  std::condition_variable drained_;
  std::deque<std::function<void()>> queue_;
  int tasks_ = 0;  // arena tasks that have not ended; every queued step has one that will pop it or an earlier one
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_EXECUTOR_H_

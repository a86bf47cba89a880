#include "server/core/engine/executor.h"

#include <utility>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace gradeline {
namespace {

// The executor whose step this thread runs, if the arena task that runs it may still take one more step: the first push
// of a step needs no new task.
thread_local const Executor* running = nullptr;
thread_local bool may_take_one = false;

// What was done before a task is enqueued is done before it runs: oneTBB's promise, of which a thread sanitizer has to
// be told where oneTBB is not instrumented.
#if defined(__SANITIZE_THREAD__)
#define GRADELINE_ORDERED_BY_ARENA __attribute__((no_sanitize("thread")))
void BeforeHandover(void* executor) { __tsan_release(executor); }
void AfterHandover(void* executor) { __tsan_acquire(executor); }
#else
#define GRADELINE_ORDERED_BY_ARENA
void BeforeHandover(void*) {}
void AfterHandover(void*) {}
#endif

}  // namespace

/// An arena task: one more step may run.
struct Executor::Task {
  Executor* executor;
  GRADELINE_ORDERED_BY_ARENA void operator()() const { executor->Drain(); }
};

Executor::Executor(int threads)
    : threads_(threads),
      limit_(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(threads) + 1),
      arena_(threads, /*reserved_for_masters=*/0) {}

Executor::~Executor() {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] { return tasks_ == 0; });
}

bool Executor::InsideStep() { return running != nullptr; }

void Executor::Push(std::function<void()> step) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(step));
    if (running == this && may_take_one) {
      may_take_one = false;
      return;
    }
    ++tasks_;
  }
  BeforeHandover(this);
  arena_.enqueue(Task{this});
}

std::function<void()> Executor::Pop() {
  std::lock_guard lock(mutex_);
  std::function<void()> step = std::move(queue_.front());
  queue_.pop_front();
  return step;
}

void Executor::Drain() {
  AfterHandover(this);
  running = this;
  do {
    const std::function<void()> step = Pop();
    may_take_one = true;
    step();
  } while (!std::exchange(may_take_one, false));
  running = nullptr;
  std::lock_guard lock(mutex_);
  if (--tasks_ == 0) drained_.notify_all();
}

}  // namespace gradeline

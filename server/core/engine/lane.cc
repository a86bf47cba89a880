#include "server/core/engine/lane_impl.h"
#include "server/core/engine/sum_run.h"

namespace gradeline {

Lane::Lane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Lane::~Lane() { Close(); }

void Lane::Close() {
  {
    std::deque<std::function<void()>> dropped;  // outlives the lock: closures may own what posts
    std::lock_guard lock(impl_->mutex);
    impl_->closed = true;
    dropped.swap(impl_->queue);
  }
  std::unique_lock lock(impl_->mutex);
  impl_->idle.wait(lock, [this] { return !impl_->busy; });
}

void Lane::Post(std::function<void()> work) {
  std::unique_lock lock(impl_->mutex);
  if (impl_->closed) {
    lock.unlock();  // `work` is destroyed on return
    return;
  }
  impl_->queue.push_back(std::move(work));
  if (std::exchange(impl_->busy, true)) return;
  impl_->parts.executor.Push([impl = impl_.get()] { impl->RunNext(); });
}

void Lane::Compute(LossCall call, std::function<void(absl::StatusOr<LossResult>)> done) {
  impl_->asked.emplace(std::move(call), std::move(done));
}

void Lane::Impl::RunNext() {
  std::function<void()> work;
  {
    std::lock_guard lock(mutex);
    if (!queue.empty()) {
      work = std::move(queue.front());
      queue.pop_front();
    }
  }
  if (work) work();
  work = nullptr;  // before the lane may be gone
  EndWork();
}

void Lane::Impl::EndWork() {
  if (asked) {
    auto [call, done] = *std::exchange(asked, std::nullopt);
    StartRun(parts, std::move(call), false, [this, done = std::move(done)](absl::StatusOr<LossResult> result) mutable {
      done(std::move(result));
      done = nullptr;  // before the lane may be gone
      EndWork();
    });
    return;
  }
  std::lock_guard lock(mutex);
  if (!queue.empty()) return parts.executor.Push([this] { RunNext(); });
  busy = false;
  idle.notify_all();
}

}  // namespace gradeline

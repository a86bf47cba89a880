#include "server/rpc/calls.h"

#include <string>

#include "server/observe/log.h"
#include "server/wire/status.h"

namespace gradeline {
namespace {

// Faults of the server, in contrast to those of a caller.
bool IsOurs(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss || code == absl::StatusCode::kResourceExhausted;
}

}  // namespace

bool RunningCalls::Begin() {
  const std::lock_guard lock(mutex_);
  if (!waiting_) ++count_;
  return !waiting_;
}

void RunningCalls::End() {
  const std::lock_guard lock(mutex_);
  if (--count_ == 0) none_.notify_all();
}

void RunningCalls::WaitForNone(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  waiting_ = true;
  none_.wait_until(lock, deadline, [this] { return count_ == 0; });
}

CallTimer::CallTimer(std::string_view method, ServerMetrics* metrics, RunningCalls* running)
    : method_(method), metrics_(metrics), running_(running->Begin() ? running : nullptr) {}

grpc::Status CallTimer::End(const absl::Status& status) const {
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
  metrics_->CallEnded(method_, CodeName(status), seconds.count());
  if (!status.ok()) {
    Log(IsOurs(status.code()) ? LogLevel::kError : LogLevel::kDebug, "call failed",
        {{"method", std::string(method_)}, {"code", CodeName(status)}, {"message", std::string(status.message())}});
  }
  if (running_ != nullptr) running_->End();
  return ToGrpc(status);
}

Calls::Calls(ServerMetrics* metrics, int64_t max_message_bytes, std::chrono::milliseconds stall_limit, int threads)
    : metrics_(metrics),
      max_message_bytes_(max_message_bytes),
      stall_limit_(stall_limit),
      pool_(threads),
      stall_watch_([this] { WatchStalls(); }) {}

Calls::~Calls() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  end_.notify_all();
  stall_watch_.join();
}

void Calls::WatchStalls() {
  std::unique_lock lock(mutex_);
  // So often that a stall ends at most a quarter of the limit late.
  while (!end_.wait_for(lock, stall_limit_ / 4, [this] { return ending_; })) {
    const std::vector<std::weak_ptr<LongStream>> streams = streams_;
    lock.unlock();
    for (const auto& weak : streams) {
      if (const std::shared_ptr<LongStream> stream = weak.lock()) stream->CutIfStalled(stall_limit_);
    }
    lock.lock();
  }
}

absl::Status Calls::CheckSize(int64_t bytes) const {
  if (bytes <= max_message_bytes_) return absl::OkStatus();
  return MessageTooLarge("the message", bytes, max_message_bytes_);
}

void Calls::Register(const std::shared_ptr<LongStream>& stream) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(streams_, [](const std::weak_ptr<LongStream>& other) { return other.expired(); });
    streams_.push_back(stream);
    if (!draining_) return;
  }
  stream->Drain();
}

void Calls::DrainStreams() {
  std::vector<std::weak_ptr<LongStream>> streams;
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    streams = streams_;
  }
  for (const auto& weak : streams) {
    if (const std::shared_ptr<LongStream> stream = weak.lock()) stream->Drain();
  }
}

}  // namespace gradeline

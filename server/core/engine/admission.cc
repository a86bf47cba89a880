#include "server/core/engine/admission.h"

#include <utility>

namespace gradeline {

void Admission::AdmitMessage(int64_t bytes, std::function<void()> granted) {
  if (TakeSmall(bytes)) return granted();
  Ask(messages_, {bytes, std::move(granted)});
}

bool Admission::TryAdmitMessage(int64_t bytes, std::function<void()> granted) {
  if (TakeSmall(bytes)) {
    granted();
    return true;
  }
  {
    std::lock_guard lock(mutex_);
    if (waiting_bytes_ > 0 && waiting_bytes_ + bytes > budget_bytes_) return false;
    waiting_bytes_ += bytes;
  }
  Ask(messages_, {bytes, std::move(granted), true});
  return true;
}

void Admission::AdmitScratch(int64_t bytes, std::function<void()> granted) {
  Ask(scratch_, {bytes, std::move(granted)});
}

void Admission::AddScratch(int64_t bytes) {
  std::lock_guard lock(mutex_);
  scratch_bytes_ += bytes;
}

bool Admission::TryAddScratch(int64_t bytes) {
  std::lock_guard lock(mutex_);
  if (!scratch_.empty() || !ScratchFits(bytes)) return false;
  scratch_bytes_ += bytes;
  return true;
}

void Admission::ReleaseMessage(int64_t bytes) {
  {
    std::lock_guard lock(mutex_);
    (bytes > small_bytes_ ? message_bytes_ : small_message_bytes_) -= bytes;
  }
  Deliver();
}

void Admission::ReleaseScratch(int64_t bytes) {
  {
    std::lock_guard lock(mutex_);
    scratch_bytes_ -= bytes;
  }
  Deliver();
}

int64_t Admission::admitted_bytes() const {
  std::lock_guard lock(mutex_);
  return message_bytes_ + small_message_bytes_ + scratch_bytes_;
}

bool Admission::TakeSmall(int64_t bytes) {
  if (bytes > small_bytes_) return false;
  std::lock_guard lock(mutex_);
  small_message_bytes_ += bytes;
  return true;
}

void Admission::Ask(std::deque<Demand>& queue, Demand demand) {
  {
    std::lock_guard lock(mutex_);
    queue.push_back(std::move(demand));
  }
  Deliver();
}

bool Admission::ScratchFits(int64_t bytes) const { return bytes <= free_bytes() || scratch_bytes_ == 0; }

bool Admission::TakeNext(std::function<void()>& granted) {
  if (!scratch_.empty()) {
    if (!ScratchFits(scratch_.front().bytes)) return false;
    scratch_bytes_ += scratch_.front().bytes;
    granted = std::move(scratch_.front().granted);
    scratch_.pop_front();
    return true;
  }
  if (messages_.empty()) return false;
  if (messages_.front().bytes > free_bytes() && message_bytes_ + scratch_bytes_ > 0) return false;
  message_bytes_ += messages_.front().bytes;
  if (messages_.front().tried) waiting_bytes_ -= messages_.front().bytes;
  granted = std::move(messages_.front().granted);
  messages_.pop_front();
  return true;
}

void Admission::Deliver() {
  std::unique_lock lock(mutex_);
  if (delivering_) return;
  delivering_ = true;
  std::function<void()> granted;
  while (TakeNext(granted)) {
    lock.unlock();
    granted();
    granted = nullptr;
    lock.lock();
  }
  delivering_ = false;
}

}  // namespace gradeline

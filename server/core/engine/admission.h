// The memory budget in bytes: what asked first gets first. Counts only; allocates nothing, runs nothing but callbacks.
#ifndef GRADELINE_SERVER_CORE_ENGINE_ADMISSION_H_
#define GRADELINE_SERVER_CORE_ENGINE_ADMISSION_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace gradeline {

/// Two queues share the budget. Messages wait until they fit, or until nothing else is admitted. Scratch of calls whose
/// message is admitted goes before messages, and the first of it is granted even beyond the budget when no other
/// scratch is held: some admitted call can always finish, so there is no deadlock, and the budget is exceeded by one
/// call's scratch at most. Small messages are counted, but neither wait nor keep others from being alone: whoever sends
/// them bounds their number.
class Admission {
 public:
  /// `small_bytes`: the most that a small message has.
  explicit Admission(int64_t budget_bytes, int64_t small_bytes = 0)
      : budget_bytes_(budget_bytes), small_bytes_(small_bytes) {}

  /// `granted` runs once, on this thread or on one that releases, never under a lock; in order of asking, but for small
  /// messages.
  void AdmitMessage(int64_t bytes, std::function<void()> granted);
  /// As AdmitMessage, for senders that nothing holds back: false, and nothing is kept, where such messages already wait
  /// and would exceed the budget with this one.
  bool TryAdmitMessage(int64_t bytes, std::function<void()> granted);
  void ReleaseMessage(int64_t bytes);
  void AdmitScratch(int64_t bytes, std::function<void()> granted);
  /// Counts at once, for a caller that cannot wait.
  void AddScratch(int64_t bytes);
  /// Counts at once if AdmitScratch would not have to wait; else false, and nothing is kept.
  bool TryAddScratch(int64_t bytes);
  void ReleaseScratch(int64_t bytes);

  int64_t budget_bytes() const { return budget_bytes_; }
  int64_t admitted_bytes() const;

 private:
  struct Demand {
    int64_t bytes;
    std::function<void()> granted;
    bool tried = false;  // came by TryAdmitMessage
  };
  bool TakeSmall(int64_t bytes);
  void Ask(std::deque<Demand>& queue, Demand demand);
  bool ScratchFits(int64_t bytes) const;
  bool TakeNext(std::function<void()>& granted);
  int64_t free_bytes() const { return budget_bytes_ - message_bytes_ - small_message_bytes_ - scratch_bytes_; }
  void Deliver();

  const int64_t budget_bytes_, small_bytes_;
  mutable std::mutex mutex_;
  std::deque<Demand> messages_, scratch_;
  int64_t message_bytes_ = 0, small_message_bytes_ = 0, scratch_bytes_ = 0;
  int64_t waiting_bytes_ = 0;  // of messages_ that were tried
  bool delivering_ = false;    // one thread at a time runs callbacks, so that they run in order
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_ADMISSION_H_

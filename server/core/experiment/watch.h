// Subscriptions to events: first what is stored, then what is committed, in order, without gap or duplicate. Knows
// nothing of how events come to be.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_WATCH_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_WATCH_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/core/base/clock.h"
#include "server/core/experiment/experiments.h"
#include "server/core/experiment/store.h"

namespace gradeline {

/// One watcher. Thread-safe; its sink is called under its lock.
class Watcher {
 public:
  Watcher(int64_t no, int64_t cursor, std::function<bool(const Event&)> sink, std::function<void()> ended)
      : no_(no), cursor_(cursor), sink_(std::move(sink)), ended_(std::move(ended)) {}

  int64_t no() const { return no_; }
  /// Nothing is called after it returns.
  void Close();
  bool closed() const;

  /// Delivers stored events after the cursor until there is none left, or the watcher is closed.
  absl::Status CatchUp(Store& store);
  /// As CatchUp; then ends the subscription if the experiment is over.
  void Finish(Store& store);
  /// Delivers an event unless it was delivered before; ends the subscription after a state that is final.
  void Deliver(const Event& event);
  /// Delivers what is provisional, under the newest revision.
  void Deliver(const Progress& progress);

 private:
  void Give(const Event& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t no_;
  mutable absl::Mutex mutex_;
  int64_t cursor_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  const std::function<bool(const Event&)> sink_;
  const std::function<void()> ended_;
};

/// All live watchers. Ledger thread only.
class WatchHub {
 public:
  WatchHub(const Clock* clock, int64_t progress_period_ms) : clock_(clock), period_ms_(progress_period_ms) {}

  void Add(std::shared_ptr<Watcher> watcher);
  void Deliver(int64_t no, const Event& event);
  /// There is progress to tell.
  void Stir(int64_t no) { pending_.insert(no); }
  /// Tells progress where it is due; true if some has to wait. `progress_of`: nullopt where nothing runs any more.
  bool Tick(const std::function<std::optional<Progress>(int64_t no)>& progress_of);

 private:
  /// The watchers that are not closed; nullptr if there is none.
  std::vector<std::shared_ptr<Watcher>>* Living(int64_t no);

  const Clock* const clock_;
  const int64_t period_ms_;
  std::map<int64_t, std::vector<std::shared_ptr<Watcher>>> watchers_;
  std::set<int64_t> pending_;
  std::map<int64_t, int64_t> told_ms_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_WATCH_H_

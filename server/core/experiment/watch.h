// Subscriptions to events. A watcher reads what is stored from its own cursor, as fast as it is read, so nothing waits
// for a slow one; the hub only tells it that there is more, and what is provisional. Knows nothing of how events come
// to be.
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

/// One watcher. Thread-safe.
class Watcher {
 public:
  Watcher(Store* store, int64_t no, int64_t cursor, std::function<void()> wake)
      : no_(no), store_(store), wake_(std::move(wake)), cursor_(cursor) {}

  int64_t no() const { return no_; }
  /// `wake` does not run after it returns.
  void Close();
  bool closed() const;

  /// See Subscription.
  absl::StatusOr<Subscription::News> Next(int most);
  /// An event was stored: what was provisional before it is out of date.
  void Stir();
  void Stir(const Progress& progress);

 private:
  const int64_t no_;
  Store* const store_;
  const std::function<void()> wake_;
  mutable absl::Mutex mutex_;
  int64_t cursor_ ABSL_GUARDED_BY(mutex_);
  std::optional<Progress> progress_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

/// All live watchers. Ledger thread only.
class WatchHub {
 public:
  WatchHub(const Clock* clock, int64_t progress_period_ms) : clock_(clock), period_ms_(progress_period_ms) {}

  /// Wakes it too: what was stored before may have come after its last look.
  void Add(std::shared_ptr<Watcher> watcher);
  /// An event of the experiment was stored.
  void Stored(int64_t no);
  /// Events may have been stored of any experiment for which `may` is true.
  void StoredAny(const std::function<bool(int64_t no)>& may);
  /// There is progress to tell.
  void Progressed(int64_t no) { pending_.insert(no); }
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

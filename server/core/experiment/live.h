// What a running attempt looks like from its committed records: provisional sums and which phases are sealed. A cache
// of the store, rebuilt from it; nothing is decided by it that the commit does not decide again.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_LIVE_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_LIVE_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/core/experiment/fold.h"
#include "server/core/experiment/group.h"
#include "server/core/experiment/rank_session.h"
#include "server/core/experiment/store.h"

namespace gradeline {

/// Thread-safe.
class LiveAttempt {
 public:
  using Heads = std::shared_ptr<const std::vector<SessionHead>>;

  /// `experiment`: its training and heads are looked at, not its state.
  LiveAttempt(AttemptKey key, Experiment experiment, Heads heads);

  /// Reads what is stored; call it once, before any record of this process is counted.
  absl::Status Load(Transaction& store);

  const AttemptKey& key() const { return key_; }
  const Experiment& experiment() const { return experiment_; }
  const Heads& heads() const { return heads_; }

  void Count(int32_t rank, const Record& record);
  void Seal(PhaseOfEpoch phase);
  bool IsSealed(PhaseOfEpoch phase) const;
  /// Open phases in which the rank has committed records.
  std::vector<PhaseOfEpoch> OpenPhasesOf(int32_t rank) const;
  /// Whether the phase of the newest record is open, and one in which the rank does not report.
  bool OthersReport(int32_t rank) const;
  /// The newest record of the rank that this process knows of.
  std::optional<RecordKey> LastOf(int32_t rank) const;
  void SetRanksJoined(int32_t count);
  /// Of the phase of the newest record; without who is suspect.
  Progress progress() const;

 private:
  void Add(PhaseOfEpoch phase, int32_t rank, const Record& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const AttemptKey key_;
  const Experiment experiment_;
  const Heads heads_;
  mutable absl::Mutex mutex_;
  std::map<PhaseOfEpoch, Fold> open_ ABSL_GUARDED_BY(mutex_);
  std::set<PhaseOfEpoch> sealed_ ABSL_GUARDED_BY(mutex_);
  PhaseOfEpoch newest_ ABSL_GUARDED_BY(mutex_);
  std::map<int32_t, std::pair<int64_t, RecordKey>> last_ ABSL_GUARDED_BY(mutex_);  // with its seq, by rank
  int32_t ranks_joined_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_LIVE_H_

// One group of writes on its way into the store: what was read and staged in this transaction, and what is to be told
// once it is committed. Lives for one transaction, so nothing in it can outlive a rollback. Ledger thread only.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_GROUP_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_GROUP_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/base/clock.h"
#include "server/core/experiment/experiments.h"
#include "server/core/experiment/store.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// (experiment's number, attempt).
using AttemptKey = std::pair<int64_t, int32_t>;

/// What a committed group did, in order.
struct Effect {
  struct Counted {  ///< a record was stored
    AttemptKey attempt;
    int32_t rank = 0;
    Record record;
  };
  struct Happened {  ///< an event was stored
    int64_t experiment_no = 0;
    StoredEvent event;
  };
  struct Gone {  ///< a rank is out
    AttemptKey attempt;
    int32_t rank = 0;
  };
  struct Done {  ///< a rank has finished
    AttemptKey attempt;
    int32_t rank = 0;
  };
};
using EffectList = std::vector<std::variant<Effect::Counted, Effect::Happened, Effect::Gone, Effect::Done>>;

/// What a transaction knows of a phase.
struct PhaseState {
  bool sealed = false;
  std::map<int32_t, PhaseEndRow> ends;  ///< by rank
};

class Group {
 public:
  Group(Transaction* transaction, const Clock* clock) : transaction_(transaction), clock_(clock) {}
  Group(const Group&) = delete;

  Transaction& store() { return *transaction_; }
  int64_t now_ms() const { return clock_->UnixMillis(); }

  /// Read once per group; pointers stay until Forget.
  absl::StatusOr<AttemptRow*> Attempt(AttemptKey key);
  absl::StatusOr<RankRow*> Rank(AttemptKey key, int32_t rank);
  absl::StatusOr<PhaseState*> PhaseOf(AttemptKey key, PhaseOfEpoch phase);

  /// The rank's row will be written, and its stream told, with the committed_seq that it has at the end of the group.
  void Touch(AttemptKey key, int32_t rank) { ranks_[{key, rank}].touched = true; }
  /// Writes what was touched.
  absl::Status WriteBack();
  /// Drops what was read, so that it is read anew. WriteBack first.
  void Forget();

  /// Raises the experiment's revision and stores the event under it, with the row. `seal` or, without one, the
  /// experiment itself.
  absl::Status Record(int64_t no, Experiment& experiment, const Seal* seal);
  /// As Record of the experiment itself, after more than its state has changed: stores all of it.
  absl::Status RecordChange(int64_t no, Experiment& experiment);

  EffectList& effects() { return effects_; }
  /// The highest committed seq of each rank touched in this group.
  const std::map<std::pair<AttemptKey, int32_t>, int64_t>& committed() const { return committed_; }

 private:
  absl::Status RecordEvent(int64_t no, StoredEvent event);

  struct StagedRank {
    RankRow row;
    bool loaded = false, touched = false;
  };
  Transaction* const transaction_;
  const Clock* const clock_;
  std::map<AttemptKey, AttemptRow> attempts_;
  std::map<std::pair<AttemptKey, int32_t>, StagedRank> ranks_;
  std::map<std::pair<AttemptKey, PhaseOfEpoch>, PhaseState> phases_;
  std::map<std::pair<AttemptKey, int32_t>, int64_t> committed_;
  EffectList effects_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_GROUP_H_

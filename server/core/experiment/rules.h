// The rules of the ledger, each run inside the transaction that makes it true: who holds a rank, which record counts,
// when a phase seals, how an attempt ends. They read and write through a Group and know neither threads nor streams.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_RULES_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_RULES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/core/experiment/group.h"
#include "server/core/experiment/live.h"
#include "server/core/experiment/rank_session.h"
#include "server/core/experiment/schedule.h"

namespace gradeline {

/// How a reported message ended.
struct Verdict {
  RecordFate fate = RecordFate::kCommitted;
  absl::Status status;  ///< not OK unless kCommitted or kDuplicate
};

/// A rank as a stream holds it.
struct Holder {
  std::shared_ptr<LiveAttempt> live;
  int32_t rank = 0;
  int64_t fence = 0;
};

/// Counts a record once. Attempt closed: kClosed. Fence not equal: kFenced. seq not the next: kFailed (ABORTED), unless
/// it is committed: kDuplicate. Key taken with the same digest: kDuplicate; with another, or in a phase that the rank
/// has ended: kConflict with an incident. A duplicate and a conflict take their seq but count nowhere.
Verdict CommitRecord(Group& group, const Holder& holder, const Record& record);

/// Keeps the end of a rank's phase; the last expected one seals it in the same transaction. If a rank's records are not
/// as many as it said, the rank is GONE and the experiment LOST.
Verdict CommitPhaseEnd(Group& group, const Holder& holder, int64_t seq, PhaseOfEpoch phase, int64_t records);

/// Empty reason: the rank is DONE, and the last of them ends the attempt as SUCCEEDED, or EARLY_STOPPED if a seal said
/// so; if others report a phase that it never will, the experiment is LOST; kFailed (FAILED_PRECONDITION) if it has
/// records in a phase that it has not ended. Otherwise the attempt ends as FAILED.
Verdict CommitBye(Group& group, const Holder& holder, int64_t seq, const std::string& reason);

/// Ends the newest attempt: open phases seal as partial, fences are raised, the state changes, one event each, the
/// state's last. What the group has read is forgotten.
absl::Status CloseAttempt(Group& group, int64_t no, const LiveAttempt::Heads& heads, ExperimentState state,
                          const std::string& reason);

/// The rank was silent or stuck for too long: it is GONE and the experiment LOST, or EARLY_STOPPED if a seal said so.
/// Nothing if it is no longer held under this fence. `why` goes on after "rank 1 ".
absl::Status ExpireRank(Group& group, const LiveAttempt& live, int32_t rank, int64_t fence, const std::string& why);

/// Opens the next attempt of an experiment and makes it QUEUED; gives it with the attempt's token.
absl::StatusOr<std::pair<Experiment, std::string>> OpenAttempt(Group& group, int64_t no, Experiment experiment,
                                                               int64_t first_epoch, const std::string& numerics);

/// The epoch that the next attempt would go on with: the one after the last whose train phase the newest attempt sealed
/// complete, or, if there is none, that attempt's first.
absl::StatusOr<int64_t> NextEpoch(Group& group, int64_t no, const Experiment& experiment);

/// Gives a rank to an instance: fence + 1, HELD; the first one makes the experiment RUNNING. See Experiments::Join for
/// the errors.
struct Joined {
  int64_t no = 0;
  Experiment experiment;
  RankRow rank;
  int64_t first_epoch = 0;
  Rate rate;                   ///< of first_epoch
  std::vector<RankRow> ranks;  ///< all of the attempt
};
absl::StatusOr<Joined> JoinRank(Group& group, const JoinRequest& request, const std::string& numerics);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_RULES_H_

// One rank's hold on an attempt, as the training stream sees it. The stream parses and computes; the session keeps
// order and the ledger.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_RANK_SESSION_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_RANK_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/core/experiment/schedule.h"
#include "server/core/experiment/types.h"
#include "server/core/loss/registry.h"
#include "server/core/metric/metric_set.h"

namespace gradeline {

struct JoinRequest {
  std::string experiment;  ///< id
  std::string token;
  int32_t rank = 0, world_size = 0;
  std::string instance;  ///< 16 bytes
};

/// What a stream is told. Called on the ledger thread, in commit order; must not block.
class RankListener {
 public:
  virtual ~RankListener() = default;
  virtual void OnCommitted(int64_t seq) = 0;
  virtual void OnSealed(const Seal& seal) = 0;
  /// All ranks that are late now; empty: they are back.
  virtual void OnRanks(const std::vector<LateRank>& suspect, const std::vector<LateRank>& gone) = 0;
  /// Whether what the worker says is being read: not while a limit holds the stream back. Any thread.
  virtual bool Listens() const = 0;
  /// The attempt is over (cancelled, failed, succeeded): say Stop and close.
  virtual void OnStop(ExperimentState state, const std::string& reason) = 0;
  /// The same instance joined again on another stream: close this one.
  virtual void OnSuperseded() = 0;
};

/// A head of the attempt with everything a batch needs.
struct SessionHead {
  ResolvedHead resolved;
  LossHandle loss;    ///< of an evaluation none
  MetricSet metrics;  ///< those of the experiment that fit the head's signal
};

struct WelcomeInfo {
  Experiment experiment;
  int32_t attempt = 0;
  int64_t first_epoch = 0;
  Rate rate;  ///< of first_epoch
  int64_t fence = 0, lease_ms = 0, gone_ms = 0, committed_seq = 0;
  std::vector<Seal> last_seals;
  int32_t credits = 0, max_uncommitted = 0;
};

/// How a record ended in the commit.
enum class RecordFate {
  kCommitted,  ///< stored
  kDuplicate,  ///< the same key and digest was there: counts once
  kConflict,   ///< the same key with another digest was there: nothing changes; an incident is kept
  kClosed,     ///< the attempt is closed, nothing changes; the listener has been, or is about to be, told by OnStop
  kFenced,     ///< this session is no longer the rank's
  kFailed,  ///< nothing was written: the store failed (status says why, e.g. RESOURCE_EXHAUSTED on a full disk), or the
            ///< message is not in order (ABORTED, FAILED_PRECONDITION); the stream must close, the worker replays
};
using RecordDone = std::function<void(RecordFate, const absl::Status&)>;

/// Bytes of a goodbye's reason that are kept.
inline constexpr size_t kLongestReason = 4096;

/// Bytes of what a head's metrics counted of a batch that a worker keeps for a replay. What takes more is committed
/// before the batch is answered.
inline constexpr size_t kLongestMetrics = 1024;

/// Bytes of each word of a refusal.
inline constexpr size_t kLongestRefusalWord = 63;

/// What CheckSeq says of a message's seq.
enum class SeqVerdict {
  kNew,        ///< the next one
  kCommitted,  ///< at or below committed_seq: answer Committed again, do nothing
};

/// Thread-safe, but messages of one rank must be reported in the order they came.
class RankSession {
 public:
  virtual ~RankSession() = default;  ///< the stream is gone; the rank stays held for its instance

  virtual const WelcomeInfo& welcome() const = 0;
  virtual const std::vector<SessionHead>& heads() const = 0;

  /// Checks a seq in arrival order, before anything else of its message. FAILED_PRECONDITION names the expected seq on
  /// a gap or decrease above committed; RESOURCE_EXHAUSTED when more than max_uncommitted are open: either closes the
  /// stream.
  virtual absl::StatusOr<SeqVerdict> CheckSeq(int64_t seq) const = 0;
  /// CheckSeq, and takes the seq if it is new.
  virtual absl::StatusOr<SeqVerdict> Begin(int64_t seq) = 0;

  /// Checks a record's key against the attempt: head reports in the phase, epoch within training.epochs, phase allowed
  /// for this rank, not a sealed phase, at most one phase ahead. INVALID_ARGUMENT with all violations ("key.epoch"),
  /// FAILED_PRECONDITION for a sealed phase.
  virtual absl::Status CheckKey(const RecordKey& key) = 0;

  /// CheckKey, and for a replayed record its content: code, items below 2^31, values (one per component, none if
  /// refused; denominators of at least 0, nothing larger than kLargestInRecord), metrics (what the head's metrics
  /// counted, at most kLongestMetrics bytes, none if refused). All violations.
  virtual absl::Status CheckRecord(const Record& record) = 0;

  /// Queues a record (computed, refused or replayed) for the commit. `done` runs on the ledger thread after it. Records
  /// must come in seq order.
  virtual void Report(Record record, RecordDone done) = 0;
  /// The rank has reported everything of a phase. Commits after all seqs before it; the seal comes through the
  /// listener. INVALID_ARGUMENT if the phase is not this rank's; a second one with the same numbers is a duplicate,
  /// with others a conflict (through done).
  virtual absl::Status EndPhase(int64_t seq, Phase phase, int64_t epoch, int64_t records, RecordDone done) = 0;
  /// OnCommitted follows once what is queued is committed, even if it says nothing new.
  virtual void Flush() = 0;
  virtual void Heartbeat(bool paused) = 0;
  /// Empty reason: the rank is DONE, or, while it has records in a phase that it has not ended, kFailed with
  /// FAILED_PRECONDITION. Otherwise the experiment becomes FAILED, with at most kLongestReason bytes of the reason.
  virtual void Bye(int64_t seq, std::string reason, RecordDone done) = 0;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_RANK_SESSION_H_

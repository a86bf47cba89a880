// A rank's stream as the ledger knows it: checks arrival order, turns messages into commands, tells the listener. The
// rules of the commit are in rules.h.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_SESSION_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_SESSION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/core/experiment/lease.h"
#include "server/core/experiment/ledger.h"
#include "server/core/experiment/live.h"
#include "server/core/experiment/rank_session.h"
#include "server/core/experiment/rules.h"

namespace gradeline {

class Session : public RankSession, public std::enable_shared_from_this<Session> {
 public:
  /// Ledger thread, after the join is committed. `ended`: open phases that the rank has ended.
  Session(Ledger* ledger, Holder holder, WelcomeInfo welcome, const std::vector<PhaseOfEpoch>& ended,
          std::shared_ptr<Lease> lease, std::shared_ptr<RankListener> listener);

  const WelcomeInfo& welcome() const override { return welcome_; }
  const std::vector<SessionHead>& heads() const override { return *holder_.live->heads(); }
  absl::StatusOr<SeqVerdict> CheckSeq(int64_t seq) const override;
  absl::StatusOr<SeqVerdict> Begin(int64_t seq) override;
  absl::Status CheckKey(const RecordKey& key) override;
  absl::Status CheckRecord(const Record& record) override;
  void Report(Record record, RecordDone done) override;
  absl::Status EndPhase(int64_t seq, Phase phase, int64_t epoch, int64_t records, RecordDone done) override;
  void Flush() override;
  void Heartbeat(bool paused) override;
  void Bye(int64_t seq, std::string reason, RecordDone done) override;

  // Ledger thread only.
  RankListener& listener() { return *listener_; }
  void Committed(int64_t seq);
  /// Whether the next move is not the rank's: it has ended its newest phase, which is not sealed.
  bool Waits() const;

 private:
  absl::StatusOr<SeqVerdict> SeqVerdictOf(int64_t seq) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  struct OpenPhase {
    PhaseOfEpoch phase;
    bool ended = false;
  };
  OpenPhase* FindOpen(PhaseOfEpoch phase) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Queues a message that takes a seq.
  void Post(std::function<Verdict(Group&, const Holder&)> commit, RecordDone done, const RecordKey* key = nullptr);
  absl::Status CheckPhase(Phase phase, int64_t epoch, const char* prefix) const;
  /// FAILED_PRECONDITION for a phase that is sealed, or further ahead than the barrier allows.
  absl::Status CheckOpen(PhaseOfEpoch phase, bool ending) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Ledger* const ledger_;
  const Holder holder_;
  const WelcomeInfo welcome_;
  const std::shared_ptr<Lease> lease_;
  const std::shared_ptr<RankListener> listener_;

  mutable absl::Mutex mutex_;
  int64_t next_seq_ ABSL_GUARDED_BY(mutex_);
  int64_t committed_ ABSL_GUARDED_BY(mutex_);
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);  ///< a record was not stored: nothing after it can be
  /// Phases not sealed yet that the rank reported in, in arrival order.
  std::vector<OpenPhase> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_SESSION_H_

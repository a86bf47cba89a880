// A rank that says the same in every run, from wherever the server is, and passes on what it is promised.
#ifndef GRADELINE_TESTS_CRASH_SCRIPTED_RANK_H_
#define GRADELINE_TESTS_CRASH_SCRIPTED_RANK_H_

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "server/core/experiment/experiments.h"
#include "tests/crash/promise.h"
#include "tests/property/ledger_model.h"

namespace gradeline {

inline constexpr int32_t kRanks = 2;
inline constexpr int64_t kEpochs = 2;

/// A rank's life: train and validation of each epoch, with fractions whose sum depends on their order; some batches are
/// refused, some sent twice, some conflict with the one before.
Plan ScriptOf(std::mt19937_64& random, int32_t rank);

class ScriptedRank : public RankListener {
 public:
  /// Both must outlive it.
  ScriptedRank(int32_t rank, const Plan& plan, const Witness& witness) : rank_(rank), plan_(plan), witness_(witness) {}

  /// Goes on after what is committed. `self`: this rank, kept by its stream.
  absl::Status Join(Experiments& experiments, const std::string& token, const std::shared_ptr<RankListener>& self);
  void Leave() { session_.reset(); }
  /// False if its goodbye was committed before.
  bool joined() const { return session_ != nullptr; }

  /// Sends up to `most` messages of the epochs up to `epoch`, after the last one also the goodbye. False: there was
  /// none, or another rank is too far behind.
  bool Send(int64_t epoch, uint64_t most);
  /// Everything of these epochs was sent.
  bool Through(int64_t epoch) const;
  /// The first message that was not answered as it should be.
  absl::Status failure();

  /// Waits until the ledger is at this rank, and keeps it there until `released`: what is sent meanwhile becomes one
  /// group. Both must live until the ledger has let go.
  void Hold(absl::Notification* held, absl::Notification* released);

  void OnCommitted(int64_t seq) override;
  void OnSealed(const Seal& seal) override;
  void OnRanks(const std::vector<LateRank>&, const std::vector<LateRank>&) override {}
  bool Listens() const override { return true; }
  void OnStop(ExperimentState, const std::string&) override {}
  void OnSuperseded() override {}

 private:
  bool SendNext();
  void Answered(int64_t seq, RecordFate fate, const absl::Status& status);

  const int32_t rank_;
  const Plan& plan_;
  const Witness& witness_;
  std::shared_ptr<RankSession> session_;
  size_t next_ = 0;  // messages of the plan that are committed or sent
  absl::Mutex mutex_;
  absl::Notification *held_ ABSL_GUARDED_BY(mutex_) = nullptr, *released_ ABSL_GUARDED_BY(mutex_) = nullptr;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_CRASH_SCRIPTED_RANK_H_

#include "server/core/experiment/live.h"

#include <algorithm>
#include <utility>

#include "server/core/base/status.h"
#include "server/core/experiment/phases.h"

namespace gradeline {

LiveAttempt::LiveAttempt(AttemptKey key, Experiment experiment, Heads heads)
    : key_(key), experiment_(std::move(experiment)), heads_(std::move(heads)) {}

absl::Status LiveAttempt::Load(Transaction& store) {
  absl::MutexLock lock(&mutex_);
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<PhaseOfEpoch> open, store.ListOpenPhases(key_.first, key_.second));
  for (const PhaseOfEpoch& phase : open) {
    const auto add = [this, phase](const RecordRow& row)
                         ABSL_NO_THREAD_SAFETY_ANALYSIS { Add(phase, row.rank, row.record); };
    GRADELINE_RETURN_IF_ERROR(store.ScanRecords(key_.first, key_.second, phase, add));
    newest_ = phase;
  }
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<PhaseOfEpoch> sealed, store.ListSealedPhases(key_.first, key_.second));
  sealed_.insert(sealed.begin(), sealed.end());
  return absl::OkStatus();
}

void LiveAttempt::Add(PhaseOfEpoch phase, int32_t rank, const Record& record) {
  open_.try_emplace(phase, heads_, false).first->second.Add(rank, record);
  auto& [seq, key] = last_[rank];
  if (record.seq < seq) return;
  seq = record.seq;
  key = record.key;
}

void LiveAttempt::Count(int32_t rank, const Record& record) {
  absl::MutexLock lock(&mutex_);
  newest_ = {record.key.phase, record.key.epoch};
  Add(newest_, rank, record);
}

void LiveAttempt::Seal(PhaseOfEpoch phase) {
  absl::MutexLock lock(&mutex_);
  open_.erase(phase);
  sealed_.insert(phase);
}

bool LiveAttempt::IsSealed(PhaseOfEpoch phase) const {
  absl::MutexLock lock(&mutex_);
  return sealed_.count(phase) > 0;
}

std::vector<PhaseOfEpoch> LiveAttempt::OpenPhasesOf(int32_t rank) const {
  absl::MutexLock lock(&mutex_);
  std::vector<PhaseOfEpoch> phases;
  for (const auto& [phase, fold] : open_) {
    if (fold.RecordsOf(rank) > 0) phases.push_back(phase);
  }
  return phases;
}

bool LiveAttempt::OthersReport(int32_t rank) const {
  absl::MutexLock lock(&mutex_);
  return open_.count(newest_) > 0 && !Reports(experiment_.training, newest_.phase, rank);
}

std::optional<RecordKey> LiveAttempt::LastOf(int32_t rank) const {
  absl::MutexLock lock(&mutex_);
  const auto found = last_.find(rank);
  return found == last_.end() ? std::nullopt : std::optional(found->second.second);
}

void LiveAttempt::SetRanksJoined(int32_t count) {
  absl::MutexLock lock(&mutex_);
  ranks_joined_ = count;
}

Progress LiveAttempt::progress() const {
  absl::MutexLock lock(&mutex_);
  Progress progress;
  progress.attempt = key_.second;
  progress.phase = newest_.phase;
  progress.epoch = newest_.epoch;
  progress.world_size = experiment_.training.world_size;
  progress.ranks_joined = ranks_joined_;
  if (const auto found = open_.find(newest_); found != open_.end()) {
    progress.batches = found->second.batches();
    progress.items = found->second.items();
    progress.loss = found->second.Loss();
    progress.average = found->second.Average();
  }
  return progress;
}

}  // namespace gradeline

#include "server/core/experiment/group.h"

#include "server/core/base/status.h"

namespace gradeline {

absl::StatusOr<AttemptRow*> Group::Attempt(AttemptKey key) {
  auto found = attempts_.find(key);
  if (found == attempts_.end()) {
    GRADELINE_ASSIGN_OR_RETURN(AttemptRow row, transaction_->GetAttempt(key.first, key.second));
    found = attempts_.emplace(key, std::move(row)).first;
  }
  return &found->second;
}

absl::StatusOr<RankRow*> Group::Rank(AttemptKey key, int32_t rank) {
  StagedRank& staged = ranks_[{key, rank}];
  if (!staged.loaded) {
    GRADELINE_ASSIGN_OR_RETURN(staged.row, transaction_->GetRank(key.first, key.second, rank));
    staged.loaded = true;
  }
  return &staged.row;
}

absl::StatusOr<PhaseState*> Group::PhaseOf(AttemptKey key, PhaseOfEpoch phase) {
  auto found = phases_.find({key, phase});
  if (found == phases_.end()) {
    PhaseState state;
    GRADELINE_ASSIGN_OR_RETURN(state.sealed, transaction_->IsSealed(key.first, key.second, phase));
    GRADELINE_ASSIGN_OR_RETURN(const std::vector<PhaseEndRow> ends,
                               transaction_->ListPhaseEnds(key.first, key.second, phase));
    for (const PhaseEndRow& end : ends) state.ends[end.rank] = end;
    found = phases_.emplace(std::make_pair(key, phase), std::move(state)).first;
  }
  return &found->second;
}

absl::Status Group::WriteBack() {
  for (auto& [key, staged] : ranks_) {
    if (!staged.touched) continue;
    GRADELINE_RETURN_IF_ERROR(transaction_->PutRank(key.first.first, key.first.second, staged.row));
    committed_[key] = staged.row.committed_seq;
    staged.touched = false;
  }
  return absl::OkStatus();
}

void Group::Forget() {
  attempts_.clear();
  ranks_.clear();
  phases_.clear();
}

absl::Status Group::Record(int64_t no, Experiment& experiment, const Seal* seal) {
  StoredEvent event;
  event.revision = ++experiment.revision;
  if (seal != nullptr) {
    event.body = *seal;
    std::get<Seal>(event.body).revision = event.revision;
    GRADELINE_RETURN_IF_ERROR(transaction_->InsertSeal(no, std::get<Seal>(event.body)));
  } else {
    ++experiment.etag;
    event.body = experiment;
  }
  GRADELINE_RETURN_IF_ERROR(transaction_->UpdateExperiment(no, experiment));
  return RecordEvent(no, std::move(event));
}

absl::Status Group::RecordChange(int64_t no, Experiment& experiment) {
  ++experiment.revision;
  ++experiment.etag;
  GRADELINE_RETURN_IF_ERROR(transaction_->ReplaceExperiment(no, experiment));
  return RecordEvent(no, {experiment.revision, experiment});
}

absl::Status Group::RecordEvent(int64_t no, StoredEvent event) {
  GRADELINE_RETURN_IF_ERROR(transaction_->InsertEvent(no, event));
  effects_.push_back(Effect::Happened{no, std::move(event)});
  return absl::OkStatus();
}

}  // namespace gradeline

#include "server/core/experiment/check.h"

#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/core/experiment/fold.h"
#include "server/core/experiment/names.h"
#include "server/core/experiment/phases.h"
#include "server/core/experiment/resolve.h"

namespace gradeline {
namespace {

constexpr int kPage = 1000;

std::string Text(PhaseOfEpoch phase) { return absl::StrCat(NameOf(phase.phase), " of epoch ", phase.epoch); }

/// Whether an incident of this kind took a seq.
bool TookSeq(const Incident& incident) {
  return incident.kind == "late" || incident.kind == "conflict" || incident.kind == "end";
}

/// What the rows of a rank say of its seqs. That the seqs of records differ the store's own key keeps.
struct Tally {
  RankRow row;
  std::set<int64_t> end_seqs;
  int64_t rows = 0, conflicts = 0;
};

class Checker {
 public:
  Checker(Store& store, const std::function<bool()>& go_on) : store_(store), go_on_(go_on) {}

  absl::StatusOr<CheckReport> Run();

 private:
  using Ends = std::map<PhaseOfEpoch, std::vector<PhaseEndRow>>;

  absl::Status CheckExperiment();
  absl::Status ReadSeals();
  absl::Status CheckEvents();
  void CheckSealEvent(const Seal& seal, int64_t revision);
  absl::Status CheckAttempt();
  absl::Status ReadTallies(int32_t world_size);
  void CheckState(const AttemptRow& attempt);
  absl::StatusOr<Ends> ReadEnds(const std::vector<PhaseOfEpoch>& open);
  absl::Status CheckPhase(PhaseOfEpoch phase, const std::vector<PhaseEndRow>& ends, const Seal* seal);
  void CountRow(int32_t rank, int64_t seq, const std::string& what);
  void CheckSeal(const Seal& seal, const Fold& fold, const std::vector<PhaseEndRow>& ends);
  void CheckTallies();

  void Add(std::string what) {
    if (report_.flaws.size() < kMostFlaws) report_.flaws.push_back({experiment_.id, attempt_, std::move(what)});
    ++report_.flaw_count;
  }
  /// A read that failed is a flaw. The end of the check itself is not, nor is a database that is out of reach.
  absl::Status Note(const absl::Status& status) {
    if (status.ok() || absl::IsCancelled(status) || absl::IsUnavailable(status)) return status;
    Add(absl::StrCat("cannot be read: ", status.message()));
    return absl::OkStatus();
  }
  absl::Status GoOn() const { return go_on_() ? absl::OkStatus() : absl::CancelledError("the check was cancelled"); }

  Store& store_;
  const std::function<bool()>& go_on_;
  CheckReport report_;

  // What is being looked at.
  int64_t no_ = 0;
  int32_t attempt_ = 0;
  Experiment experiment_;
  std::shared_ptr<const std::vector<SessionHead>> heads_;
  std::map<std::pair<int32_t, PhaseOfEpoch>, Seal> seals_;  // of the experiment, by attempt and phase
  std::vector<Incident> incidents_;                         // of the experiment
  std::map<int32_t, Tally> tallies_;                        // of the attempt, by rank
};

absl::StatusOr<CheckReport> Checker::Run() {
  const auto integrity = store_.CheckIntegrity(go_on_);
  GRADELINE_RETURN_IF_ERROR(Note(integrity.status()));
  if (integrity.ok()) {
    for (const std::string& what : *integrity) Add(what);
  }
  ListQuery all;
  all.show_deleted = true;
  std::string after;
  while (true) {
    const auto page = store_.ListExperiments(all, kPage, after);
    GRADELINE_RETURN_IF_ERROR(Note(page.status()));
    if (!page.ok() || page->empty()) return std::move(report_);
    for (const Experiment& experiment : *page) {
      experiment_ = experiment;
      ++report_.experiments;
      GRADELINE_RETURN_IF_ERROR(Note(CheckExperiment()));
      experiment_ = Experiment();
      attempt_ = 0;
    }
    after = page->back().id;
  }
}

absl::Status Checker::CheckExperiment() {
  GRADELINE_ASSIGN_OR_RETURN(const auto found, store_.GetExperiment(experiment_.id));
  no_ = found.first;
  heads_ = std::make_shared<const std::vector<SessionHead>>(HeadsForFold(experiment_));
  GRADELINE_ASSIGN_OR_RETURN(incidents_, store_.ListIncidents(no_));
  GRADELINE_RETURN_IF_ERROR(ReadSeals());
  GRADELINE_RETURN_IF_ERROR(Note(CheckEvents()));
  if ((experiment_.state == ExperimentState::kDraft) != (experiment_.attempt == 0)) {
    Add(absl::StrCat("is ", NameOf(experiment_.state), " with ", experiment_.attempt, " attempts"));
  }
  for (int32_t attempt = 1; attempt <= experiment_.attempt; ++attempt) {
    attempt_ = attempt;
    GRADELINE_RETURN_IF_ERROR(Note(CheckAttempt()));
  }
  return absl::OkStatus();
}

absl::Status Checker::ReadSeals() {
  seals_.clear();
  int64_t after = 0;
  while (true) {
    GRADELINE_ASSIGN_OR_RETURN(const std::vector<Seal> page, store_.ListSeals(no_, kPage, after));
    if (page.empty()) return absl::OkStatus();
    for (const Seal& seal : page) {
      seals_[{seal.attempt, {seal.phase, seal.epoch}}] = seal;
      if (seal.attempt < 1 || seal.attempt > experiment_.attempt) {
        Add(absl::StrCat("a seal is of attempt ", seal.attempt, ", the newest is ", experiment_.attempt));
      }
      if (seal.revision <= after) return absl::InternalError(absl::StrCat("seal of revision ", seal.revision));
      after = seal.revision;
    }
  }
}

absl::Status Checker::CheckEvents() {
  int64_t last = 0, seals = 0;
  Experiment newest;
  while (true) {
    GRADELINE_RETURN_IF_ERROR(GoOn());
    GRADELINE_ASSIGN_OR_RETURN(const std::vector<StoredEvent> page, store_.ListEvents(no_, kPage, last));
    if (page.empty()) break;
    for (const StoredEvent& event : page) {
      if (event.revision != last + 1) Add(absl::StrCat("event ", event.revision, " follows event ", last));
      last = event.revision;
      if (const Seal* seal = std::get_if<Seal>(&event.body)) {
        ++seals;
        CheckSealEvent(*seal, event.revision);
      } else {
        newest = std::get<Experiment>(event.body);
      }
    }
  }
  if (last != experiment_.revision) {
    Add(absl::StrCat("the last event is ", last, ", its revision is ", experiment_.revision));
  }
  if (seals != static_cast<int64_t>(seals_.size())) Add(absl::StrCat(seals, " events of ", seals_.size(), " seals"));
  if (newest.state != experiment_.state || newest.attempt != experiment_.attempt) {
    Add(absl::StrCat("is ", NameOf(experiment_.state), " in attempt ", experiment_.attempt, ", its newest event says ",
                     NameOf(newest.state), " in attempt ", newest.attempt));
  }
  if (newest.labels != experiment_.labels || newest.notes != experiment_.notes ||
      newest.delete_ms != experiment_.delete_ms || newest.etag != experiment_.etag) {
    Add("its labels, notes, deletion or etag are not what its newest event says");
  }
  return absl::OkStatus();
}

void Checker::CheckSealEvent(const Seal& seal, int64_t revision) {
  const auto found = seals_.find({seal.attempt, {seal.phase, seal.epoch}});
  if (found != seals_.end() && found->second.revision == revision && Encode(found->second) == Encode(seal)) return;
  Add(absl::StrCat("event ", revision, " is not the seal of ", Text({seal.phase, seal.epoch}), " in attempt ",
                   seal.attempt));
}

absl::Status Checker::CheckAttempt() {
  GRADELINE_ASSIGN_OR_RETURN(const AttemptRow attempt, store_.GetAttempt(no_, attempt_));
  GRADELINE_RETURN_IF_ERROR(ReadTallies(attempt.world_size));
  CheckState(attempt);
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<PhaseOfEpoch> open, store_.ListOpenPhases(no_, attempt_));
  if (!attempt.open()) {
    for (const PhaseOfEpoch& phase : open) Add(absl::StrCat(Text(phase), " has no seal, and the attempt is closed"));
  }
  GRADELINE_ASSIGN_OR_RETURN(const Ends ends, ReadEnds(open));
  for (const auto& [phase, of_phase] : ends) {
    const auto seal = seals_.find({attempt_, phase});
    GRADELINE_RETURN_IF_ERROR(CheckPhase(phase, of_phase, seal == seals_.end() ? nullptr : &seal->second));
  }
  CheckTallies();
  return absl::OkStatus();
}

absl::Status Checker::ReadTallies(int32_t world_size) {
  tallies_.clear();
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<RankRow> ranks, store_.ListRanks(no_, attempt_));
  for (const RankRow& rank : ranks) tallies_[rank.rank].row = rank;
  for (const Incident& incident : incidents_) {
    const auto tally = tallies_.find(incident.rank);
    if (incident.attempt == attempt_ && tally != tallies_.end() && TookSeq(incident)) ++tally->second.conflicts;
  }
  if (world_size != experiment_.training.world_size || ranks.size() != static_cast<size_t>(world_size) ||
      (!ranks.empty() && (ranks.front().rank != 0 || ranks.back().rank != world_size - 1))) {
    Add(absl::StrCat("has ", ranks.size(), " ranks for a world size of ", world_size, ", the experiment's is ",
                     experiment_.training.world_size));
  }
  return absl::OkStatus();
}

void Checker::CheckState(const AttemptRow& attempt) {
  const ExperimentState state = experiment_.state;
  const bool newest = attempt_ == experiment_.attempt;
  if (attempt.open() != (newest && !IsTerminal(state))) {
    Add(absl::StrCat("is ", attempt.open() ? "open" : "closed", ", the experiment is ", NameOf(state), " in attempt ",
                     experiment_.attempt));
  }
  if (!newest || state != ExperimentState::kSucceeded) return;
  for (const auto& [rank, tally] : tallies_) {
    if (tally.row.state == RankState::kDone) continue;
    Add(absl::StrCat("rank ", rank, " is ", NameOf(tally.row.state), ", the experiment ", NameOf(state)));
  }
}

absl::StatusOr<Checker::Ends> Checker::ReadEnds(const std::vector<PhaseOfEpoch>& open) {
  Ends ends;
  for (const PhaseOfEpoch& phase : open) ends[phase];
  for (auto seal = seals_.lower_bound({attempt_, {}}); seal != seals_.end() && seal->first.first == attempt_; ++seal) {
    ends[seal->first.second];
  }
  for (auto& [phase, of_phase] : ends) {
    GRADELINE_ASSIGN_OR_RETURN(of_phase, store_.ListPhaseEnds(no_, attempt_, phase));
    for (const PhaseEndRow& end : of_phase) {
      CountRow(end.rank, end.seq, absl::StrCat("the end of ", Text(phase)));
      tallies_[end.rank].end_seqs.insert(end.seq);
    }
  }
  return ends;
}

absl::Status Checker::CheckPhase(PhaseOfEpoch phase, const std::vector<PhaseEndRow>& ends, const Seal* seal) {
  GRADELINE_RETURN_IF_ERROR(GoOn());
  std::map<int32_t, int64_t> end_seq;
  for (const PhaseEndRow& end : ends) end_seq[end.rank] = end.seq;
  Fold fold(heads_);
  const std::string of_phase = absl::StrCat("a record of ", Text(phase));
  GRADELINE_RETURN_IF_ERROR(store_.ScanRecords(no_, attempt_, phase, [&](const RecordRow& row) {
    const Record& record = row.record;
    ++report_.records;
    CountRow(row.rank, record.seq, of_phase);
    if (const auto end = end_seq.find(row.rank); end != end_seq.end() && record.seq > end->second) {
      Add(absl::StrCat("rank ", row.rank, ": ", of_phase, " has seq ", record.seq, ", its end ", end->second));
    }
    if (record.key.head < 0 || static_cast<size_t>(record.key.head) >= heads_->size()) {
      Add(absl::StrCat("rank ", row.rank, ": ", of_phase, " is of head ", record.key.head, ", there are ",
                       heads_->size()));
    } else {
      fold.Add(row.rank, record);
    }
  }));
  if (seal != nullptr) CheckSeal(*seal, fold, ends);
  return absl::OkStatus();
}

void Checker::CountRow(int32_t rank, int64_t seq, const std::string& what) {
  const auto found = tallies_.find(rank);
  if (found == tallies_.end()) return Add(absl::StrCat(what, " is of rank ", rank, ", which there is not"));
  Tally& tally = found->second;
  ++tally.rows;
  if (seq < 1 || seq > tally.row.committed_seq) {
    Add(absl::StrCat("rank ", rank, ": ", what, " has seq ", seq, ", committed is ", tally.row.committed_seq));
  } else if (tally.end_seqs.count(seq) > 0) {
    Add(absl::StrCat("rank ", rank, ": ", what, " has seq ", seq, ", which an end has too"));
  }
}

void Checker::CheckSeal(const Seal& seal, const Fold& fold, const std::vector<PhaseEndRow>& ends) {
  const std::string name =
      absl::StrCat(seal.complete ? "the complete" : "the partial", " seal of ", Text({seal.phase, seal.epoch}));
  Seal folded = seal;
  fold.Fill(folded);
  if (Encode(folded) != Encode(seal)) {
    Add(absl::StrCat(name, " is not the fold of its records: loss ", seal.loss, " of ", seal.batches,
                     " batches, the records give ", folded.loss, " of ", folded.batches));
  }
  if (!seal.complete) return;
  std::set<int32_t> ended;
  for (const PhaseEndRow& end : ends) {
    ended.insert(end.rank);
    if (const int64_t stored = fold.RecordsOf(end.rank); stored != end.records) {
      Add(absl::StrCat(name, ": rank ", end.rank, " ended it with ", end.records, " records, stored are ", stored));
    }
  }
  for (const auto& [rank, tally] : tallies_) {
    if (Reports(experiment_.training, seal.phase, rank) != (ended.count(rank) > 0)) {
      Add(absl::StrCat(name, ": rank ", rank,
                       ended.count(rank) > 0 ? " ended it, but does not report it" : " has not ended it"));
    }
  }
}

void Checker::CheckTallies() {
  for (const auto& [rank, tally] : tallies_) {
    const int64_t bye = tally.row.state == RankState::kDone ? 1 : 0;
    const int64_t taken = tally.rows + tally.conflicts + bye;
    if (taken > tally.row.committed_seq) {
      Add(absl::StrCat("rank ", rank, ": ", tally.rows, " records and ends, ", tally.conflicts, " conflicts and ", bye,
                       " goodbyes took a seq each, committed is ", tally.row.committed_seq));
    }
  }
}

}  // namespace

absl::StatusOr<CheckReport> CheckStore(Store& store, const std::function<bool()>& go_on) {
  return Checker(store, go_on).Run();
}

}  // namespace gradeline

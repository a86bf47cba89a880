#include "server/core/experiment/rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/ids.h"
#include "server/core/base/status.h"
#include "server/core/experiment/directive.h"
#include "server/core/experiment/names.h"
#include "server/core/experiment/phases.h"

namespace gradeline {
namespace {

std::string Text(PhaseOfEpoch phase) { return absl::StrCat(NameOf(phase.phase), " of epoch ", phase.epoch); }

Verdict Failed(absl::Status status) { return {RecordFate::kFailed, std::move(status)}; }

// The checks that every message of a rank passes. A fate other than kCommitted ends the matter; otherwise *row is the
// rank's.
Verdict Admit(Group& group, const Holder& holder, int64_t seq, RankRow** row) {
  const absl::StatusOr<AttemptRow*> attempt = group.Attempt(holder.live->key());
  if (!attempt.ok()) return Failed(attempt.status());
  const absl::StatusOr<RankRow*> rank = group.Rank(holder.live->key(), holder.rank);
  if (!rank.ok()) return Failed(rank.status());
  if (!(*attempt)->open()) {
    const auto [no, number] = holder.live->key();
    if (const absl::Status counted = group.store().CountLate(no, number); !counted.ok()) return Failed(counted);
    return {RecordFate::kClosed, absl::FailedPreconditionError(absl::StrCat("attempt ", holder.live->key().second,
                                                                            " is over: ", (*attempt)->reason))};
  }
  if ((*rank)->fence != holder.fence) {
    return {RecordFate::kFenced,
            absl::FailedPreconditionError(absl::StrCat("rank ", holder.rank, " was taken over: its fence is ",
                                                       (*rank)->fence, ", this stream's is ", holder.fence))};
  }
  if (seq <= (*rank)->committed_seq) return {RecordFate::kDuplicate, absl::OkStatus()};
  if (seq != (*rank)->committed_seq + 1) {
    return Failed(absl::AbortedError(
        absl::StrCat("seq ", seq, " cannot be committed before ", (*rank)->committed_seq + 1, ", which is missing")));
  }
  *row = *rank;
  return {};
}

void Advance(Group& group, const Holder& holder, RankRow& row) {
  ++row.committed_seq;
  group.Touch(holder.live->key(), holder.rank);
}

// Keeps an incident and takes the seq.
Verdict Conflict(Group& group, const Holder& holder, RankRow& row, const char* kind, absl::Status status) {
  const auto [no, attempt] = holder.live->key();
  const absl::Status stored =
      group.store().InsertIncident(no, attempt, holder.rank, kind, std::string(status.message()), group.now_ms());
  if (!stored.ok()) return Failed(stored);
  Advance(group, holder, row);
  return {RecordFate::kConflict, std::move(status)};
}

absl::StatusOr<Fold> FoldOf(Group& group, AttemptKey key, PhaseOfEpoch phase, const LiveAttempt::Heads& heads) {
  Fold fold(heads);
  GRADELINE_RETURN_IF_ERROR(group.store().ScanRecords(
      key.first, key.second, phase, [&fold](const RecordRow& row) { fold.Add(row.rank, row.record); }));
  return fold;
}

// The complete seal before `phase`, of attempts up to `last`, that decided a rate by what it measured.
absl::StatusOr<std::optional<Seal>> RatedSealBefore(Transaction& store, int64_t no, int32_t last, PhaseOfEpoch phase) {
  std::optional<Seal> before;
  do {
    GRADELINE_ASSIGN_OR_RETURN(before, store.FindCompleteSealBefore(no, 1, last, phase));
    if (before) last = before->attempt - 1;
  } while (before && !(before->directive && before->directive->plateau));
  return before;
}

absl::Status StoreSeal(Group& group, AttemptKey key, PhaseOfEpoch phase, const Fold& fold, std::vector<int32_t> missing,
                       bool complete, Experiment& experiment) {
  Seal seal;
  seal.attempt = key.second;
  seal.phase = phase.phase;
  seal.epoch = phase.epoch;
  seal.complete = complete;
  seal.missing_ranks = std::move(missing);
  seal.seal_ms = group.now_ms();
  fold.Fill(seal);
  if (complete && HasDirective(experiment, phase.phase)) {
    GRADELINE_ASSIGN_OR_RETURN(const auto before,
                               group.store().FindCompleteSealBefore(key.first, 1, key.second, phase));
    seal.directive = Decide(experiment, seal, before);
    if (RatedBy(experiment) == phase.phase) {
      // An epoch that an earlier attempt trained was followed by the rate that the attempt began with.
      GRADELINE_ASSIGN_OR_RETURN(const AttemptRow attempt, group.store().GetAttempt(key.first, key.second));
      if (phase.epoch >= attempt.first_epoch) {
        GRADELINE_ASSIGN_OR_RETURN(const auto rated, RatedSealBefore(group.store(), key.first, key.second, phase));
        DecideRate(experiment, seal, rated, *seal.directive);
      }
    }
  }
  return group.Record(key.first, experiment, &seal);
}

// Why the attempt was told to stop; empty if it was not.
absl::StatusOr<std::string> StopReason(Group& group, AttemptKey key, const Experiment& experiment) {
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<Seal> last, group.store().ListLastSeals(key.first, key.second));
  for (const Seal& seal : last) {
    if (!seal.directive || !seal.directive->stop) continue;
    const std::string best = seal.directive->best_epoch
                                 ? absl::StrCat(seal.directive->best_value, " in epoch ", *seal.directive->best_epoch)
                                 : "none";
    return absl::StrCat(experiment.training.early_stopping->monitor, " has not improved for ",
                        seal.directive->stale_epochs, " epochs, best: ", best);
  }
  return std::string();
}

// Ends the attempt over a rank that is out for good: LOST, unless it had been told to stop.
absl::Status CloseOverRank(Group& group, const LiveAttempt& live, int32_t rank, const char* kind,
                           const std::string& reason) {
  const AttemptKey key = live.key();
  GRADELINE_RETURN_IF_ERROR(group.store().InsertIncident(key.first, key.second, rank, kind, reason, group.now_ms()));
  GRADELINE_ASSIGN_OR_RETURN(RankRow * row, group.Rank(key, rank));
  if (row->state != RankState::kDone) row->state = RankState::kGone;
  group.Touch(key, rank);
  group.effects().push_back(Effect::Gone{key, rank});
  GRADELINE_ASSIGN_OR_RETURN(const std::string stop, StopReason(group, key, live.experiment()));
  if (stop.empty()) return CloseAttempt(group, key.first, live.heads(), ExperimentState::kLost, reason);
  return CloseAttempt(group, key.first, live.heads(), ExperimentState::kEarlyStopped, absl::StrCat(stop, "; ", reason));
}

// All expected ends are there: seals, or ends the attempt over the rank whose count is wrong.
absl::Status SealComplete(Group& group, const LiveAttempt& live, PhaseOfEpoch phase, PhaseState& state) {
  const AttemptKey key = live.key();
  GRADELINE_ASSIGN_OR_RETURN(const Fold fold, FoldOf(group, key, phase, live.heads()));
  for (const auto& [rank, end] : state.ends) {
    const int64_t stored = fold.RecordsOf(rank);
    if (stored == end.records) continue;
    const std::string reason =
        absl::StrCat("rank ", rank, " ended ", Text(phase), " with ", end.records, " records, the ledger has ", stored);
    return CloseOverRank(group, live, rank, "count", reason);
  }
  GRADELINE_ASSIGN_OR_RETURN(Experiment experiment, group.store().GetExperiment(key.first));
  GRADELINE_RETURN_IF_ERROR(StoreSeal(group, key, phase, fold, {}, true, experiment));
  state.sealed = true;
  return absl::OkStatus();
}

bool SameToken(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

absl::Status Ended(const Experiment& experiment, const AttemptRow& attempt) {
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat("attempt ", attempt.attempt, " of experiment ", experiment.id, " is ",
                                                 NameOf(*attempt.ended), ": ", attempt.reason)),
      "EXPERIMENT_ENDED", {{"state", std::string(NameOf(*attempt.ended))}});
}

// The token is not the newest attempt's: it may be an earlier one's.
absl::Status WrongToken(Group& group, int64_t no, const Experiment& experiment, const std::string& token) {
  for (int32_t number = experiment.attempt - 1; number >= 1; --number) {
    GRADELINE_ASSIGN_OR_RETURN(const AttemptRow attempt, group.store().GetAttempt(no, number));
    if (SameToken(token, attempt.token)) return Ended(experiment, attempt);
  }
  return WithReason(absl::PermissionDeniedError(absl::StrCat("the attempt token is not that of attempt ",
                                                             experiment.attempt, " of ", experiment.id)),
                    "WRONG_TOKEN", {{"experiment", experiment.id}});
}

absl::Status CheckJoin(const JoinRequest& request, const Experiment& experiment, const AttemptRow& attempt,
                       const std::string& numerics) {
  Violations violations;
  if (request.world_size != attempt.world_size) {
    violations.Add("worldSize", absl::StrCat(request.world_size, " is not the experiment's ", attempt.world_size));
  }
  if (request.rank < 0 || request.rank >= attempt.world_size) {
    violations.Add("rank", absl::StrCat(request.rank, " is not between 0 and ", attempt.world_size - 1));
  }
  if (request.instance.size() != 16) {
    violations.Add("instance", absl::StrCat("has ", request.instance.size(), " bytes, 16 are needed"));
  }
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  if (!attempt.open()) return Ended(experiment, attempt);
  if (attempt.numerics != numerics) {
    return WithReason(
        absl::FailedPreconditionError(absl::StrCat(
            "attempt ", attempt.attempt, " of ", experiment.id, " began with the numerics \"", attempt.numerics,
            "\", this server has \"", numerics, "\": its values would mix; cancel it and start another")),
        "NUMERICS_CHANGED", {{"attempt", attempt.numerics}, {"server", numerics}});
  }
  return absl::OkStatus();
}

// ALREADY_EXISTS that names the field.
absl::Status RankTaken(int32_t rank) {
  Violations violations;
  violations.Add("rank", absl::StrCat(rank, " is held by another process"));
  const absl::Status named = violations.ToStatus();
  absl::Status status = absl::AlreadyExistsError(named.message());
  named.ForEachPayload(
      [&status](absl::string_view url, const absl::Cord& payload) { status.SetPayload(url, payload); });
  return status;
}

absl::Status CheckHolder(const JoinRequest& request, const RankRow& rank) {
  if (rank.state == RankState::kDone || rank.state == RankState::kGone) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat("rank ", rank.rank, " is ", NameOf(rank.state))),
                      absl::StrCat("RANK_", NameOf(rank.state)), {{"rank", absl::StrCat(rank.rank)}});
  }
  if (rank.state != RankState::kFree && rank.instance != request.instance) {
    return WithReason(RankTaken(rank.rank), "RANK_TAKEN", {{"rank", absl::StrCat(rank.rank)}});
  }
  return absl::OkStatus();
}

}  // namespace

Verdict CommitRecord(Group& group, const Holder& holder, const Record& record) {
  RankRow* row = nullptr;
  Verdict verdict = Admit(group, holder, record.seq, &row);
  if (row == nullptr) return verdict;
  const AttemptKey key = holder.live->key();
  const PhaseOfEpoch phase{record.key.phase, record.key.epoch};
  const absl::StatusOr<PhaseState*> state = group.PhaseOf(key, phase);
  if (!state.ok()) return Failed(state.status());
  if ((*state)->sealed || (*state)->ends.count(holder.rank) > 0) {
    return Conflict(group, holder, *row, "late",
                    absl::FailedPreconditionError(
                        absl::StrCat("seq ", record.seq, " comes after rank ", holder.rank, " ended ", Text(phase))));
  }
  const absl::StatusOr<InsertOutcome> outcome = group.store().InsertRecord(key.first, key.second, holder.rank, record);
  if (!outcome.ok()) return Failed(outcome.status());
  if (*outcome == InsertOutcome::kDifferent) {
    return Conflict(group, holder, *row, "conflict",
                    absl::AlreadyExistsError(absl::StrCat(
                        "seq ", record.seq, ": ", Text(phase), ", step ", record.key.step, ", head ", record.key.head,
                        ", part ", record.key.part, " is recorded with other inputs; nothing changed")));
  }
  Advance(group, holder, *row);
  if (*outcome == InsertOutcome::kSame) return {RecordFate::kDuplicate, absl::OkStatus()};
  group.effects().push_back(Effect::Counted{key, holder.rank, record});
  return {};
}

// A phase that a rank which is DONE has not ended can never be complete: nobody waits for it.
absl::Status CloseIfNeverComplete(Group& group, const LiveAttempt& live, PhaseOfEpoch phase) {
  GRADELINE_ASSIGN_OR_RETURN(const PhaseState* const state, group.PhaseOf(live.key(), phase));
  for (const int32_t rank : ExpectedRanks(live.experiment().training, phase.phase)) {
    if (state->ends.count(rank) > 0) continue;
    GRADELINE_ASSIGN_OR_RETURN(const RankRow* const row, group.Rank(live.key(), rank));
    if (row->state != RankState::kDone) continue;
    return CloseOverRank(
        group, live, rank, "unended",
        absl::StrCat("rank ", rank, " is done and has not ended ", Text(phase), ", which others report"));
  }
  return absl::OkStatus();
}

Verdict CommitPhaseEnd(Group& group, const Holder& holder, int64_t seq, PhaseOfEpoch phase, int64_t records) {
  RankRow* row = nullptr;
  Verdict verdict = Admit(group, holder, seq, &row);
  if (row == nullptr) return verdict;
  const AttemptKey key = holder.live->key();
  const absl::StatusOr<PhaseState*> state = group.PhaseOf(key, phase);
  if (!state.ok()) return Failed(state.status());
  if (const auto ended = (*state)->ends.find(holder.rank); ended != (*state)->ends.end()) {
    if (ended->second.records == records) {
      Advance(group, holder, *row);
      return {RecordFate::kDuplicate, absl::OkStatus()};
    }
    return Conflict(group, holder, *row, "end",
                    absl::AlreadyExistsError(absl::StrCat("rank ", holder.rank, " has ended ", Text(phase), " with ",
                                                          ended->second.records, " records, not ", records)));
  }
  const PhaseEndRow end{phase.phase, phase.epoch, holder.rank, seq, records};
  const absl::Status stored = group.store().InsertPhaseEnd(key.first, key.second, end);
  if (!stored.ok()) return Failed(stored);
  (*state)->ends[holder.rank] = end;
  Advance(group, holder, *row);
  const bool all = (*state)->ends.size() == ExpectedRanks(holder.live->experiment().training, phase.phase).size();
  const absl::Status sealed =
      all ? SealComplete(group, *holder.live, phase, **state) : CloseIfNeverComplete(group, *holder.live, phase);
  return sealed.ok() ? Verdict{} : Failed(sealed);
}

// A phase with records and no end could never seal once the rank is DONE.
absl::Status CheckEnded(Group& group, const Holder& holder) {
  const AttemptKey key = holder.live->key();
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<PhaseOfEpoch> open, group.store().ListOpenPhases(key.first, key.second));
  for (const PhaseOfEpoch& phase : open) {
    GRADELINE_ASSIGN_OR_RETURN(const PhaseState* const state, group.PhaseOf(key, phase));
    if (state->ends.count(holder.rank) > 0) continue;
    GRADELINE_ASSIGN_OR_RETURN(const Fold fold, FoldOf(group, key, phase, holder.live->heads()));
    const int64_t records = fold.RecordsOf(holder.rank);
    if (records == 0) continue;
    return absl::FailedPreconditionError(absl::StrCat("rank ", holder.rank, " cannot finish: it has ", records,
                                                      " records in ", Text(phase), ", which it has not ended"));
  }
  return absl::OkStatus();
}

// A rank is DONE: ends the attempt if all are, or if what others report waits for it.
absl::Status AfterDone(Group& group, const LiveAttempt& live) {
  const AttemptKey key = live.key();
  GRADELINE_RETURN_IF_ERROR(group.WriteBack());
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<PhaseOfEpoch> open, group.store().ListOpenPhases(key.first, key.second));
  for (const PhaseOfEpoch& phase : open) {
    GRADELINE_RETURN_IF_ERROR(CloseIfNeverComplete(group, live, phase));
    GRADELINE_ASSIGN_OR_RETURN(const AttemptRow* const attempt, group.Attempt(key));
    if (!attempt->open()) return absl::OkStatus();
  }
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<RankRow> ranks, group.store().ListRanks(key.first, key.second));
  const auto done = [](const RankRow& rank) { return rank.state == RankState::kDone; };
  if (!std::all_of(ranks.begin(), ranks.end(), done)) return absl::OkStatus();
  GRADELINE_ASSIGN_OR_RETURN(const std::string stop, StopReason(group, key, live.experiment()));
  return stop.empty() ? CloseAttempt(group, key.first, live.heads(), ExperimentState::kSucceeded, "all ranks finished")
                      : CloseAttempt(group, key.first, live.heads(), ExperimentState::kEarlyStopped, stop);
}

Verdict CommitBye(Group& group, const Holder& holder, int64_t seq, const std::string& reason) {
  RankRow* row = nullptr;
  Verdict verdict = Admit(group, holder, seq, &row);
  if (row == nullptr) return verdict;
  const AttemptKey key = holder.live->key();
  absl::Status status = reason.empty() ? CheckEnded(group, holder) : absl::OkStatus();
  if (!status.ok()) return Failed(status);
  Advance(group, holder, *row);
  if (!reason.empty()) {
    status = CloseAttempt(group, key.first, holder.live->heads(), ExperimentState::kFailed,
                          absl::StrCat("rank ", holder.rank, ": ", reason));
  } else {
    row->state = RankState::kDone;
    ++row->fence;
    group.effects().push_back(Effect::Done{key, holder.rank});
    status = AfterDone(group, *holder.live);
  }
  return status.ok() ? Verdict{} : Failed(status);
}

absl::Status CloseAttempt(Group& group, int64_t no, const LiveAttempt::Heads& heads, ExperimentState state,
                          const std::string& reason) {
  GRADELINE_RETURN_IF_ERROR(group.WriteBack());
  Transaction& store = group.store();
  GRADELINE_ASSIGN_OR_RETURN(Experiment experiment, store.GetExperiment(no));
  const AttemptKey key{no, experiment.attempt};
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<PhaseOfEpoch> open, store.ListOpenPhases(no, experiment.attempt));
  for (const PhaseOfEpoch& phase : open) {
    GRADELINE_ASSIGN_OR_RETURN(const PhaseState* const known, group.PhaseOf(key, phase));
    std::vector<int32_t> missing;
    for (const int32_t rank : ExpectedRanks(experiment.training, phase.phase)) {
      if (known->ends.count(rank) == 0) missing.push_back(rank);
    }
    GRADELINE_ASSIGN_OR_RETURN(const Fold fold, FoldOf(group, key, phase, heads));
    GRADELINE_RETURN_IF_ERROR(StoreSeal(group, key, phase, fold, std::move(missing), false, experiment));
  }
  GRADELINE_RETURN_IF_ERROR(store.CloseAttempt(no, experiment.attempt, state, reason));
  experiment.state = state;
  experiment.reason = reason;
  experiment.state_ms = group.now_ms();
  GRADELINE_RETURN_IF_ERROR(group.Record(no, experiment, nullptr));
  group.Forget();
  return absl::OkStatus();
}

absl::Status ExpireRank(Group& group, const LiveAttempt& live, int32_t rank, int64_t fence, const std::string& why) {
  GRADELINE_ASSIGN_OR_RETURN(const AttemptRow* const attempt, group.Attempt(live.key()));
  GRADELINE_ASSIGN_OR_RETURN(RankRow* const row, group.Rank(live.key(), rank));
  const bool through = row->state == RankState::kGone || row->state == RankState::kDone;
  if (!attempt->open() || through || row->fence != fence) return absl::OkStatus();
  const std::optional<RecordKey> last = live.LastOf(rank);
  const std::string at = last ? absl::StrCat(Text({last->phase, last->epoch}), ", step ", last->step) : "none known";
  return CloseOverRank(group, live, rank, "gone", absl::StrCat("rank ", rank, " ", why, "; its newest record: ", at));
}

absl::StatusOr<std::pair<Experiment, std::string>> OpenAttempt(Group& group, int64_t no, Experiment experiment,
                                                               int64_t first_epoch, const std::string& numerics) {
  AttemptRow attempt;
  attempt.experiment_no = no;
  attempt.attempt = ++experiment.attempt;
  attempt.token = RandomHex(16);
  attempt.world_size = experiment.training.world_size;
  attempt.first_epoch = first_epoch;
  attempt.numerics = experiment.numerics = numerics;
  GRADELINE_RETURN_IF_ERROR(group.store().InsertAttempt(attempt));
  experiment.state = ExperimentState::kQueued;
  experiment.reason = attempt.attempt == 1 ? "started" : absl::StrCat("resumed with epoch ", first_epoch);
  experiment.state_ms = group.now_ms();
  GRADELINE_RETURN_IF_ERROR(group.Record(no, experiment, nullptr));
  return std::make_pair(std::move(experiment), std::move(attempt.token));
}

absl::StatusOr<int64_t> NextEpoch(Group& group, int64_t no, const Experiment& experiment) {
  GRADELINE_ASSIGN_OR_RETURN(const AttemptRow attempt, group.store().GetAttempt(no, experiment.attempt));
  const PhaseOfEpoch after_all{Phase::kTrain, experiment.training.epochs};
  GRADELINE_ASSIGN_OR_RETURN(const auto last,
                             group.store().FindCompleteSealBefore(no, attempt.attempt, attempt.attempt, after_all));
  return last ? last->epoch + 1 : attempt.first_epoch;
}

absl::StatusOr<Joined> JoinRank(Group& group, const JoinRequest& request, const std::string& numerics) {
  Transaction& store = group.store();
  Joined joined;
  GRADELINE_ASSIGN_OR_RETURN(std::tie(joined.no, joined.experiment), store.OwnExperiment(request.experiment));
  Experiment& experiment = joined.experiment;
  if (experiment.attempt == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("experiment ", experiment.id, " is ", NameOf(experiment.state), ": it has not been started"));
  }
  GRADELINE_ASSIGN_OR_RETURN(const AttemptRow attempt, store.GetAttempt(joined.no, experiment.attempt));
  if (!SameToken(request.token, attempt.token)) return WrongToken(group, joined.no, experiment, request.token);
  GRADELINE_RETURN_IF_ERROR(CheckJoin(request, experiment, attempt, numerics));
  joined.first_epoch = attempt.first_epoch;
  // By what earlier attempts sealed alone, so that every rank gets the same whenever it joins.
  std::optional<Seal> before;
  if (const std::optional<Phase> rated = RatedBy(experiment)) {
    GRADELINE_ASSIGN_OR_RETURN(before,
                               RatedSealBefore(store, joined.no, attempt.attempt - 1, {*rated, attempt.first_epoch}));
  }
  joined.rate = RateOf(experiment, attempt.first_epoch, before);
  GRADELINE_ASSIGN_OR_RETURN(joined.rank, store.GetRank(joined.no, attempt.attempt, request.rank));
  GRADELINE_RETURN_IF_ERROR(CheckHolder(request, joined.rank));
  joined.rank.instance = request.instance;
  joined.rank.state = RankState::kHeld;
  ++joined.rank.fence;
  GRADELINE_RETURN_IF_ERROR(store.PutRank(joined.no, attempt.attempt, joined.rank));
  GRADELINE_ASSIGN_OR_RETURN(joined.ranks, store.ListRanks(joined.no, attempt.attempt));
  if (experiment.state == ExperimentState::kQueued) {
    experiment.state = ExperimentState::kRunning;
    experiment.reason = absl::StrCat("rank ", request.rank, " joined");
    experiment.state_ms = group.now_ms();
    GRADELINE_RETURN_IF_ERROR(group.Record(joined.no, experiment, nullptr));
  }
  return joined;
}

}  // namespace gradeline

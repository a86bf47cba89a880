#include "server/core/experiment/session.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/base/utf8.h"
#include "server/core/experiment/fold.h"
#include "server/core/experiment/names.h"
#include "server/core/experiment/phases.h"

namespace gradeline {
namespace {

constexpr int64_t kMostItems = (int64_t{1} << 31) - 1;  // as in a batch
constexpr int32_t kLastCode = 16;                       // UNAUTHENTICATED

void CheckValues(const std::vector<Ratio>& values, Violations& violations) {
  for (size_t k = 0; k < values.size(); ++k) {
    const std::string field = absl::StrCat("values[", k, "].");
    if (!(std::abs(values[k].numerator) <= kLargestInRecord)) {
      violations.Add(field + "numerator",
                     absl::StrCat(values[k].numerator, "; allowed: ", -kLargestInRecord, " to ", kLargestInRecord));
    }
    if (!(values[k].denominator >= 0 && values[k].denominator <= kLargestInRecord)) {
      violations.Add(field + "denominator", absl::StrCat(values[k].denominator, "; allowed: 0 to ", kLargestInRecord));
    }
  }
}

// As the head's metrics counted it.
void CheckMetrics(const Record& record, const SessionHead& head, Violations& violations) {
  if (record.code != 0 && !record.metrics.empty()) {
    violations.Add("metrics", absl::StrCat("has ", record.metrics.size(), " bytes; a refused record has none"));
  } else if (record.metrics.size() > kLongestMetrics) {
    violations.Add("metrics",
                   absl::StrCat("has ", record.metrics.size(), " bytes; allowed: at most ", kLongestMetrics));
  } else if (record.code == 0) {
    const absl::Status status = head.metrics.Check(record.metrics);
    if (!status.ok()) {
      violations.Add("metrics", absl::StrCat(status.message(), "; allowed: what the Result had"));
    }
  }
}

void CheckRefusal(const Refusal& refusal, Violations& violations) {
  const auto check = [&violations](const char* field, const std::string& text) {
    if (text.size() <= kLongestRefusalWord) return;
    violations.Add(field, absl::StrCat("has ", text.size(), " bytes; allowed: at most ", kLongestRefusalWord));
  };
  check("refusal.reason", refusal.reason);
  check("refusal.component", refusal.component);
  if (refusal.item && *refusal.item < 0) {
    violations.Add("refusal.item", absl::StrCat(*refusal.item, "; allowed: 0 and above"));
  }
}

// What a replayed record says, once its key is good.
absl::Status CheckContent(const Record& record, const SessionHead& head) {
  Violations violations;
  if (record.code == 0 && !record.refusal.empty()) {
    violations.Add("refusal", "is given for a batch that was not refused; allowed: with a code other than 0");
  }
  CheckRefusal(record.refusal, violations);
  if (record.code < 0 || record.code > kLastCode) {
    violations.Add("code", absl::StrCat(record.code, " is not a status code, 0 to ", kLastCode));
  }
  if (record.items < 0 || record.items > kMostItems) {
    violations.Add("items", absl::StrCat(record.items, "; allowed: 0 to ", kMostItems));
  }
  const size_t components = record.code == 0 ? head.resolved.components.size() : 0;
  if (record.values.size() != components) {
    violations.Add("values",
                   absl::StrCat("has ", record.values.size(), " entries, ",
                                record.code == 0 ? head.resolved.loss : "a refused record", " has ", components));
  }
  CheckValues(record.values, violations);
  CheckMetrics(record, head, violations);
  return violations.ToStatus();
}

}  // namespace

Session::Session(Ledger* ledger, Holder holder, WelcomeInfo welcome, const std::vector<PhaseOfEpoch>& ended,
                 std::shared_ptr<Lease> lease, std::shared_ptr<RankListener> listener)
    : ledger_(ledger),
      holder_(std::move(holder)),
      welcome_(std::move(welcome)),
      lease_(std::move(lease)),
      listener_(std::move(listener)),
      next_seq_(welcome_.committed_seq + 1),
      committed_(welcome_.committed_seq) {
  for (const PhaseOfEpoch& phase : ended) open_.push_back({phase, true});
  absl::MutexLock lock(&mutex_);
  for (const PhaseOfEpoch& phase : holder_.live->OpenPhasesOf(holder_.rank)) {
    if (FindOpen(phase) == nullptr) open_.push_back({phase, false});
  }
  // How they arrived is not stored; workers go epoch by epoch, train first.
  std::sort(open_.begin(), open_.end(), [](const OpenPhase& a, const OpenPhase& b) {
    return std::tie(a.phase.epoch, a.phase.phase) < std::tie(b.phase.epoch, b.phase.phase);
  });
}

absl::StatusOr<SeqVerdict> Session::CheckSeq(int64_t seq) const {
  lease_->Hear();
  absl::MutexLock lock(&mutex_);
  return SeqVerdictOf(seq);
}

absl::StatusOr<SeqVerdict> Session::Begin(int64_t seq) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<SeqVerdict> verdict = SeqVerdictOf(seq);
  if (verdict.ok() && *verdict == SeqVerdict::kNew) ++next_seq_;
  return verdict;
}

absl::StatusOr<SeqVerdict> Session::SeqVerdictOf(int64_t seq) const {
  if (!broken_.ok()) return broken_;
  if (seq >= 1 && seq <= committed_) return SeqVerdict::kCommitted;
  if (seq != next_seq_) {
    return absl::FailedPreconditionError(absl::StrCat("seq ", seq, " is out of order: ", next_seq_,
                                                      " is next, everything up to ", committed_, " is committed"));
  }
  if (next_seq_ - 1 - committed_ >= welcome_.max_uncommitted) {
    return absl::ResourceExhaustedError(absl::StrCat("seq ", seq, ": ", next_seq_ - 1 - committed_,
                                                     " records are uncommitted, the most is ",
                                                     welcome_.max_uncommitted));
  }
  return SeqVerdict::kNew;
}

absl::Status Session::CheckPhase(Phase phase, int64_t epoch, const char* prefix) const {
  Violations violations;
  const Experiment& experiment = holder_.live->experiment();
  if (phase < Phase::kTrain || phase > Phase::kTest) {
    violations.Add(absl::StrCat(prefix, "phase"),
                   absl::StrCat(static_cast<int>(phase), " is not 1 (train), 2 (validation) or 3 (test)"));
  } else if (!Reports(experiment.training, phase, holder_.rank)) {
    violations.Add(absl::StrCat(prefix, "phase"),
                   absl::StrCat("rank ", holder_.rank, " does not report ", NameOf(phase), ": only rank 0 does"));
  } else if (!HasPhase(experiment, phase)) {
    violations.Add(absl::StrCat(prefix, "phase"),
                   absl::StrCat("no head of ", experiment.id, " reports in ", NameOf(phase)));
  }
  // What was trained before a resume may still be validated and tested.
  const int64_t first = phase == Phase::kTrain ? welcome_.first_epoch : std::max<int64_t>(welcome_.first_epoch - 1, 0);
  if (epoch < first || epoch >= experiment.training.epochs) {
    violations.Add(absl::StrCat(prefix, "epoch"),
                   absl::StrCat(epoch, " is not between ", first, " and ", experiment.training.epochs - 1));
  }
  return violations.ToStatus();
}

Session::OpenPhase* Session::FindOpen(PhaseOfEpoch phase) {
  const auto found =
      std::find_if(open_.begin(), open_.end(), [phase](const OpenPhase& open) { return open.phase == phase; });
  return found == open_.end() ? nullptr : &*found;
}

absl::Status Session::CheckOpen(PhaseOfEpoch phase, bool ending) {
  std::erase_if(open_, [this](const OpenPhase& open) { return open.ended && holder_.live->IsSealed(open.phase); });
  const OpenPhase* found = FindOpen(phase);
  // An end that comes twice is compared in the commit.
  if (ending && found != nullptr) return absl::OkStatus();
  if (holder_.live->IsSealed(phase)) {
    if (ending) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(NameOf(phase.phase), " of epoch ", phase.epoch, " is sealed: nothing can be added"));
  }
  if (found != nullptr) {
    if (!found->ended) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("rank ", holder_.rank, " has ended ", NameOf(phase.phase),
                                                      " of epoch ", phase.epoch, ": nothing can be added"));
  }
  if (open_.size() < 2) return absl::OkStatus();
  const PhaseOfEpoch first = open_.front().phase;
  return absl::FailedPreconditionError(
      absl::StrCat(NameOf(phase.phase), " of epoch ", phase.epoch, " is too far ahead: ", open_.size(),
                   " earlier phases are not sealed, wait for ", NameOf(first.phase), " of epoch ", first.epoch));
}

absl::Status Session::CheckKey(const RecordKey& key) {
  Violations violations;
  violations.Merge("", CheckPhase(key.phase, key.epoch, "key."));
  if (key.step < 0) violations.Add("key.step", absl::StrCat(key.step, " is below 0"));
  if (key.part < 0) violations.Add("key.part", absl::StrCat(key.part, " is below 0"));
  if (key.head < 0 || key.head >= static_cast<int32_t>(heads().size())) {
    violations.Add("key.head", absl::StrCat(key.head, " is not between 0 and ", heads().size() - 1));
  } else {
    const ResolvedHead& head = heads()[key.head].resolved;
    if (violations.empty() && !ReportsIn(head, key.phase)) {
      violations.Add("key.phase", absl::StrCat("head ", head.head, " does not report in ", NameOf(key.phase)));
    }
  }
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  absl::MutexLock lock(&mutex_);
  const PhaseOfEpoch phase{key.phase, key.epoch};
  GRADELINE_RETURN_IF_ERROR(CheckOpen(phase, false));
  if (FindOpen(phase) == nullptr) open_.push_back({phase, false});
  return absl::OkStatus();
}

absl::Status Session::CheckRecord(const Record& record) {
  GRADELINE_RETURN_IF_ERROR(CheckKey(record.key));
  return CheckContent(record, heads()[record.key.head]);
}

void Session::Post(std::function<Verdict(Group&, const Holder&)> commit, RecordDone done, const RecordKey* key) {
  lease_->Progress();
  auto verdict = std::make_shared<Verdict>();
  auto self = shared_from_this();
  Command command;
  command.kind = Command::kRecord;
  if (key != nullptr) {
    const auto [no, attempt] = holder_.live->key();
    command.record = RecordPlace{no, attempt, holder_.rank, *key};
  }
  command.run = [self, verdict, commit = std::move(commit)](Group& group) {
    *verdict = commit(group, self->holder_);
    // A message out of order is the stream's fault, and nothing was written; every other failure is the store's.
    const bool in_order = !absl::IsAborted(verdict->status) && !absl::IsFailedPrecondition(verdict->status);
    const bool lost = verdict->fate == RecordFate::kFailed && in_order;
    return lost ? verdict->status : absl::OkStatus();
  };
  command.done = [self, verdict, done = std::move(done)](const absl::Status& status) {
    if (!status.ok()) *verdict = {RecordFate::kFailed, status};
    if (verdict->fate == RecordFate::kFailed) {
      absl::MutexLock lock(&self->mutex_);
      if (self->broken_.ok()) self->broken_ = verdict->status;
    }
    if (done) done(verdict->fate, verdict->status);
  };
  ledger_->Post(std::move(command));
}

void Session::Report(Record record, RecordDone done) {
  const RecordKey key = record.key;
  Post([record = std::move(record)](Group& group, const Holder& holder) { return CommitRecord(group, holder, record); },
       std::move(done), &key);
}

absl::Status Session::EndPhase(int64_t seq, Phase phase, int64_t epoch, int64_t records, RecordDone done) {
  Violations violations;
  violations.Merge("", CheckPhase(phase, epoch, ""));
  if (records < 0) violations.Add("records", absl::StrCat(records, " is below 0"));
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  {
    absl::MutexLock lock(&mutex_);
    GRADELINE_RETURN_IF_ERROR(CheckOpen({phase, epoch}, true));
    if (FindOpen({phase, epoch}) == nullptr) open_.push_back({{phase, epoch}, false});
    FindOpen({phase, epoch})->ended = true;
  }
  Post(
      [seq, phase, epoch, records](Group& group, const Holder& holder) {
        return CommitPhaseEnd(group, holder, seq, {phase, epoch}, records);
      },
      std::move(done));
  return absl::OkStatus();
}

void Session::Flush() {
  lease_->Hear();
  // What is queued is committed as soon as the ledger comes to it; this answers after it.
  Command command;
  command.kind = Command::kNotice;
  command.done = [self = shared_from_this()](const absl::Status&) {
    int64_t committed = 0;
    {
      absl::MutexLock lock(&self->mutex_);
      committed = self->committed_;
    }
    self->listener_->OnCommitted(committed);
  };
  ledger_->Post(std::move(command));
}

void Session::Heartbeat(bool paused) {
  lease_->Hear();
  lease_->SetPaused(paused);
}

void Session::Bye(int64_t seq, std::string reason, RecordDone done) {
  reason.resize(Utf8Prefix(reason, kLongestReason).size());
  Post([seq, reason = std::move(reason)](Group& group,
                                         const Holder& holder) { return CommitBye(group, holder, seq, reason); },
       std::move(done));
}

bool Session::Waits() const {
  absl::MutexLock lock(&mutex_);
  return !open_.empty() && open_.back().ended && !holder_.live->IsSealed(open_.back().phase);
}

void Session::Committed(int64_t seq) {
  {
    absl::MutexLock lock(&mutex_);
    if (seq <= committed_) return;
    committed_ = seq;
  }
  listener_->OnCommitted(seq);
}

}  // namespace gradeline

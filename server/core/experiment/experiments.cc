#include "server/core/experiment/experiments.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "server/core/base/ids.h"
#include "server/core/experiment/impl.h"
#include "server/core/experiment/names.h"
#include "server/core/experiment/resolve.h"
#include "server/core/experiment/rules.h"

namespace gradeline {
namespace {

absl::StatusOr<int64_t> NumberOfPage(const std::string& after) {
  int64_t number = 0;
  if (after.empty() || absl::SimpleAtoi(after, &number)) return number;
  Violations violations;
  violations.Add("pageToken", absl::StrCat("\"", after, "\" is not a page token"));
  return violations.ToStatus();
}

bool CanResume(ExperimentState state) {
  return state == ExperimentState::kLost || state == ExperimentState::kFailed || state == ExperimentState::kCancelled ||
         state == ExperimentState::kEarlyStopped;
}

class HubSubscription : public Subscription {
 public:
  explicit HubSubscription(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
  ~HubSubscription() override { watcher_->Close(); }
  absl::StatusOr<News> Next(int most) override { return watcher_->Next(most); }

 private:
  const std::shared_ptr<Watcher> watcher_;
};

// A join on its way through the transaction to its session.
struct Joining {
  Joined joined;
  std::shared_ptr<LiveAttempt> live;
  std::vector<Seal> last_seals;
  std::vector<PhaseOfEpoch> ended;
  std::shared_ptr<Session> session;
};

absl::Status ReadEnded(Group& group, const LiveAttempt& live, int32_t rank, std::vector<PhaseOfEpoch>& ended) {
  const auto [no, attempt] = live.key();
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<PhaseOfEpoch> open, group.store().ListOpenPhases(no, attempt));
  for (const PhaseOfEpoch& phase : open) {
    GRADELINE_ASSIGN_OR_RETURN(const PhaseState* const state, group.PhaseOf(live.key(), phase));
    if (state->ends.count(rank) > 0) ended.push_back(phase);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckEtag(const Experiment& experiment, const std::string& etag) {
  if (etag.empty() || etag == absl::StrCat(experiment.etag)) return absl::OkStatus();
  return WithReason(absl::AbortedError(absl::StrCat("experiment ", experiment.id, " has changed: its etag is ",
                                                    experiment.etag, ", not ", etag)),
                    "ETAG_MISMATCH", {{"etag", absl::StrCat(experiment.etag)}});
}

absl::Status CheckWritable(const Experiment& experiment, const std::string& etag) {
  GRADELINE_RETURN_IF_ERROR(CheckEtag(experiment, etag));
  if (experiment.delete_ms == 0) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(
                        absl::StrCat("experiment ", experiment.id, " is deleted; undelete it before it is changed")),
                    "DELETED", {{"experiment", experiment.id}});
}

absl::Status WrongState(const Experiment& experiment, const char* wanted) {
  return WithReason(absl::FailedPreconditionError(absl::StrCat("experiment ", experiment.id, " is ",
                                                               NameOf(experiment.state), "; this needs ", wanted)),
                    "WRONG_STATE", {{"state", std::string(NameOf(experiment.state))}});
}

Experiments::Experiments(std::shared_ptr<Store> store, std::shared_ptr<const LossRegistry> registry, const Clock* clock,
                         Options options)
    : impl_(std::make_unique<Impl>(std::move(store), std::move(registry), clock, std::move(options))) {}

Experiments::~Experiments() = default;

const LossRegistry& Experiments::registry() const { return *impl_->registry; }

absl::StatusOr<Experiment> Experiments::GetExperiment(const std::string& id) const {
  GRADELINE_ASSIGN_OR_RETURN(auto found, impl_->store->GetExperiment(id));
  return std::move(found.second);
}

absl::StatusOr<Page<Experiment>> Experiments::ListExperiments(const ListQuery& query, int page_size,
                                                              const std::string& after) const {
  return MakePage<Experiment>(
      page_size, [&](int limit) { return impl_->store->ListExperiments(query, limit, after); },
      [&query](const Experiment& experiment) { return PlaceOf(query, experiment); });
}

absl::StatusOr<Experiments::Started> Experiments::Start(const std::string& id, const std::string& request_id,
                                                        const std::string& etag, bool validate_only) {
  const Digest digest = DigestOf("Start", absl::StrCat(id, "\n", etag));
  const std::string once = validate_only ? "" : request_id;
  return impl_->WriteOnce<Started>(Command::kAtomic, once, digest, [&](Group& group) -> absl::StatusOr<Started> {
    GRADELINE_ASSIGN_OR_RETURN(auto found,
                               validate_only ? group.store().GetExperiment(id) : group.store().OwnExperiment(id));
    auto& [no, experiment] = found;
    GRADELINE_RETURN_IF_ERROR(CheckWritable(experiment, etag));
    if (experiment.state != ExperimentState::kDraft) return WrongState(experiment, "DRAFT");
    GRADELINE_RETURN_IF_ERROR(HoldSplit(group.store(), experiment.split));
    GRADELINE_RETURN_IF_ERROR(LoadHeads(*impl_->registry, experiment).status());
    if (validate_only) return Started{std::move(experiment), ""};
    GRADELINE_ASSIGN_OR_RETURN(auto opened, OpenAttempt(group, no, experiment, 0, impl_->options.numerics));
    return Started{std::move(opened.first), std::move(opened.second)};
  });
}

absl::StatusOr<Experiments::Started> Experiments::Resume(const std::string& id, std::optional<int64_t> first_epoch,
                                                         const std::string& request_id, const std::string& etag,
                                                         bool validate_only) {
  const Digest digest =
      DigestOf("Resume", absl::StrCat(id, "\n", etag, "\n", first_epoch ? absl::StrCat(*first_epoch) : ""));
  const std::string once = validate_only ? "" : request_id;
  return impl_->WriteOnce<Started>(Command::kAtomic, once, digest, [&](Group& group) -> absl::StatusOr<Started> {
    GRADELINE_ASSIGN_OR_RETURN(auto found,
                               validate_only ? group.store().GetExperiment(id) : group.store().OwnExperiment(id));
    auto& [no, experiment] = found;
    GRADELINE_RETURN_IF_ERROR(CheckWritable(experiment, etag));
    if (!CanResume(experiment.state)) return WrongState(experiment, "LOST, FAILED, CANCELLED or EARLY_STOPPED");
    GRADELINE_RETURN_IF_ERROR(HoldSplit(group.store(), experiment.split));
    GRADELINE_RETURN_IF_ERROR(LoadHeads(*impl_->registry, experiment).status());
    GRADELINE_ASSIGN_OR_RETURN(const int64_t next, NextEpoch(group, no, experiment));
    const int64_t first = first_epoch.value_or(next);
    if (first < 0 || first > next) {
      Violations violations;
      violations.Add("firstEpoch", absl::StrCat(first, "; allowed: 0 to ", next,
                                                ", the first epoch whose training is not sealed complete"));
      return violations.ToStatus();
    }
    if (validate_only) return Started{std::move(experiment), ""};
    GRADELINE_ASSIGN_OR_RETURN(auto opened, OpenAttempt(group, no, experiment, first, impl_->options.numerics));
    return Started{std::move(opened.first), std::move(opened.second)};
  });
}

absl::StatusOr<Experiment> Experiments::Cancel(const std::string& id, const std::string& request_id,
                                               const std::string& etag) {
  const Digest digest = DigestOf("Cancel", absl::StrCat(id, "\n", etag));
  return impl_->WriteOnce<Experiment>(
      Command::kAtomic, request_id, digest, [&](Group& group) -> absl::StatusOr<Experiment> {
        GRADELINE_ASSIGN_OR_RETURN(auto found, group.store().OwnExperiment(id));
        auto& [no, experiment] = found;
        GRADELINE_RETURN_IF_ERROR(CheckWritable(experiment, etag));
        if (experiment.state != ExperimentState::kQueued && experiment.state != ExperimentState::kRunning) {
          return WrongState(experiment, "QUEUED or RUNNING");
        }
        const auto heads = std::make_shared<const std::vector<SessionHead>>(HeadsForFold(experiment));
        GRADELINE_RETURN_IF_ERROR(CloseAttempt(group, no, heads, ExperimentState::kCancelled, "cancelled by request"));
        return group.store().GetExperiment(no);
      });
}

absl::StatusOr<Page<Seal>> Experiments::ListEpochs(const std::string& id, int page_size,
                                                   const std::string& after) const {
  GRADELINE_ASSIGN_OR_RETURN(const int64_t last, NumberOfPage(after));
  GRADELINE_ASSIGN_OR_RETURN(const auto found, impl_->store->GetExperiment(id));
  return MakePage<Seal>(
      page_size, [&](int limit) { return impl_->store->ListSeals(found.first, limit, last); },
      [](const Seal& seal) { return absl::StrCat(seal.revision); });
}

absl::StatusOr<Page<AttemptRow>> Experiments::ListAttempts(const std::string& id, int page_size,
                                                           const std::string& after) const {
  GRADELINE_ASSIGN_OR_RETURN(const int64_t last, NumberOfPage(after));
  GRADELINE_ASSIGN_OR_RETURN(const auto found, impl_->store->GetExperiment(id));
  const auto list = [&](int limit) -> absl::StatusOr<std::vector<AttemptRow>> {
    std::vector<AttemptRow> attempts;
    for (int64_t number = last + 1; number <= found.second.attempt && limit > 0; ++number, --limit) {
      GRADELINE_ASSIGN_OR_RETURN(AttemptRow attempt,
                                 impl_->store->GetAttempt(found.first, static_cast<int32_t>(number)));
      attempts.push_back(std::move(attempt));
    }
    return attempts;
  };
  return MakePage<AttemptRow>(page_size, list, [](const AttemptRow& row) { return absl::StrCat(row.attempt); });
}

absl::StatusOr<std::unique_ptr<Subscription>> Experiments::Watch(const std::string& id, int64_t from_revision,
                                                                 std::function<void()> wake) {
  GRADELINE_ASSIGN_OR_RETURN(const auto found, impl_->store->GetExperiment(id));
  if (from_revision < 0) {
    Violations violations;
    violations.Add("fromRevision", absl::StrCat(from_revision, " is below 0"));
    return violations.ToStatus();
  }
  if (from_revision > found.second.revision) {
    return WithReason(absl::OutOfRangeError(absl::StrCat("revision ", from_revision, " is not reached: experiment ", id,
                                                         " is at ", found.second.revision)),
                      "REVISION_NOT_REACHED", {{"revision", absl::StrCat(found.second.revision)}});
  }
  auto watcher = std::make_shared<Watcher>(impl_->store.get(), found.first, from_revision, std::move(wake));
  Command command;
  command.kind = Command::kNotice;
  command.done = [impl = impl_.get(), watcher](const absl::Status&) { impl->hub.Add(watcher); };
  impl_->ledger.Post(std::move(command));
  return std::make_unique<HubSubscription>(std::move(watcher));
}

absl::StatusOr<std::shared_ptr<RankSession>> Experiments::Join(const JoinRequest& request,
                                                               std::shared_ptr<RankListener> listener) {
  const auto run = [&](Group& group) -> absl::StatusOr<Joining> {
    Joining joining;
    GRADELINE_ASSIGN_OR_RETURN(joining.joined, JoinRank(group, request, impl_->options.numerics));
    const Joined& joined = joining.joined;
    GRADELINE_ASSIGN_OR_RETURN(joining.live, impl_->Live(group, joined.no, joined.experiment));
    GRADELINE_ASSIGN_OR_RETURN(joining.last_seals, group.store().ListLastSeals(joined.no, joined.experiment.attempt));
    GRADELINE_RETURN_IF_ERROR(ReadEnded(group, *joining.live, request.rank, joining.ended));
    return joining;
  };
  const auto published = [&](Joining& joining) {
    WelcomeInfo welcome;
    welcome.experiment = joining.joined.experiment;
    welcome.attempt = welcome.experiment.attempt;
    welcome.fence = joining.joined.rank.fence;
    welcome.first_epoch = joining.joined.first_epoch;
    welcome.rate = joining.joined.rate;
    welcome.lease_ms = impl_->options.leases.suspect_ms;
    welcome.gone_ms = impl_->options.leases.gone_ms;
    welcome.committed_seq = joining.joined.rank.committed_seq;
    welcome.last_seals = joining.last_seals;
    welcome.credits = impl_->options.credits;
    welcome.max_uncommitted = impl_->options.max_uncommitted;
    impl_->Keep(joining.live);
    impl_->ExpectOthers(joining.joined.ranks, request.rank, *joining.live);
    std::shared_ptr<Lease> lease = impl_->leases.Hold(joining.live->key(), request.rank, welcome.fence);
    joining.session =
        std::make_shared<Session>(&impl_->ledger, Holder{joining.live, request.rank, welcome.fence}, std::move(welcome),
                                  joining.ended, std::move(lease), std::move(listener));
    std::weak_ptr<Session>& slot = impl_->sessions[{joining.live->key(), request.rank}];
    if (const std::shared_ptr<Session> older = slot.lock()) older->listener().OnSuperseded();
    slot = joining.session;
    if (const auto suspects = impl_->SuspectsOf(joining.live->key()); !suspects.empty()) {
      joining.session->listener().OnRanks(suspects, {});
    }
  };
  GRADELINE_ASSIGN_OR_RETURN(const Joining joining, impl_->Write<Joining>(Command::kAtomic, run, published));
  return joining.session;
}

}  // namespace gradeline

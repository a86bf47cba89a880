// What the ledger thread does between groups: watches over leases, and tells progress.
#include <algorithm>
#include <utility>

#include "server/core/experiment/impl.h"
#include "server/core/experiment/resolve.h"
#include "server/core/experiment/rules.h"

namespace gradeline {
namespace {

constexpr absl::Duration kProgressPeriod = absl::Milliseconds(50), kLeasePeriod = absl::Milliseconds(100);
constexpr absl::Duration kOthersPeriod = absl::Seconds(1);
constexpr int64_t kLongestStill = 1'000;  // ms between two looks, at least

}  // namespace

absl::Duration Experiments::Impl::OnTick(bool idle) {
  if (store->shared()) WatchOthers();
  WatchLeases(idle);
  const bool progress_waits = hub.Tick([this](int64_t no) -> std::optional<Progress> {
    const auto found = live.find(no);
    if (found == live.end()) return std::nullopt;
    Progress progress = found->second->progress();
    progress.suspect = SuspectsOf(found->second->key());
    return progress;
  });
  if (progress_waits) return kProgressPeriod;
  if (!restored || !leases.empty()) return kLeasePeriod;
  return store->shared() ? kOthersPeriod : absl::InfiniteDuration();
}

void Experiments::Impl::WatchOthers() {
  const int64_t now_ms = clock->MonotonicMillis();
  if (now_ms - asked_ms < absl::ToInt64Milliseconds(kOthersPeriod)) return;
  asked_ms = now_ms;
  const absl::StatusOr<bool> news = store->TakeNews();
  if (!news.ok()) return OnFailed(news.status());
  if (*news) restored = false;
  hub.StoredAny([this](int64_t no) { return live.count(no) == 0; });
}

void Experiments::Impl::WatchLeases(bool idle) {
  const int64_t now_ms = clock->MonotonicMillis();
  if (!idle && now_ms - looked_ms < absl::ToInt64Milliseconds(kLeasePeriod)) return;
  // While nothing can be stored no rank can join again, so none is judged. After that, and after this thread itself
  // stood still, what was not heard is no sign of death.
  if (unwritable && !(store->Check().ok() && CatchUp().ok())) return;
  const bool stood_still = now_ms - looked_ms > std::max(options.leases.suspect_ms / 2, kLongestStill);
  if (unwritable || stood_still) leases.Refresh();
  if (unwritable) restored = false;  // who joined in a group whose end is not known
  unwritable = false;
  looked_ms = now_ms;
  if (!restored) {
    const absl::StatusOr<std::vector<ExpectedRank>> expected = store->ListExpectedRanks();
    if (!expected.ok()) return;
    for (const ExpectedRank& rank : *expected) {
      const AttemptKey attempt{rank.experiment_no, rank.attempt};
      rank.joined ? leases.Restore(attempt, rank.rank, rank.fence) : leases.Expect(attempt, rank.rank);
    }
    restored = true;
  }
  const Leases::News news = leases.Look([this](AttemptKey attempt, int32_t rank) { return ExcuseOf(attempt, rank); });
  for (const AttemptKey& attempt : news.changed) TellSuspects(attempt);
  // While somebody is awaited, nothing else may come for long.
  for (const AttemptKey& attempt : news.suspect) hub.Progressed(attempt.first);
  for (const Leases::Expired& expired : news.expired) Expire(expired);
}

Leases::Excuse Experiments::Impl::ExcuseOf(AttemptKey attempt, int32_t rank) {
  const auto found = sessions.find({attempt, rank});
  const std::shared_ptr<Session> session = found == sessions.end() ? nullptr : found->second.lock();
  if (session == nullptr) return Leases::Excuse::kNone;
  if (!session->listener().Listens()) return Leases::Excuse::kDeaf;
  const auto view = live.find(attempt.first);
  const bool others = view != live.end() && view->second->key() == attempt && view->second->OthersReport(rank);
  return others || session->Waits() ? Leases::Excuse::kIdle : Leases::Excuse::kNone;
}

std::vector<LateRank> Experiments::Impl::SuspectsOf(AttemptKey attempt) const {
  std::vector<LateRank> suspects = leases.Suspects(attempt);
  const auto view = live.find(attempt.first);
  if (view == live.end() || view->second->key() != attempt) return suspects;
  for (LateRank& late : suspects) late.last = view->second->LastOf(late.rank);
  return suspects;
}

void Experiments::Impl::ExpectOthers(const std::vector<RankRow>& ranks, int32_t joining, LiveAttempt& view) {
  int32_t joined = 0;
  for (const RankRow& rank : ranks) {
    if (rank.state != RankState::kFree) ++joined;
    if (rank.rank == joining) continue;
    if (rank.state == RankState::kFree) leases.Expect(view.key(), rank.rank);
    if (rank.state == RankState::kHeld) leases.Restore(view.key(), rank.rank, rank.fence);
  }
  view.SetRanksJoined(joined);
}

void Experiments::Impl::TellSuspects(AttemptKey attempt) {
  const std::vector<LateRank> suspects = SuspectsOf(attempt);
  ForSessions(attempt, [&suspects](Session& session) { session.listener().OnRanks(suspects, {}); });
  hub.Progressed(attempt.first);
}

void Experiments::Impl::TellGone(AttemptKey attempt, int32_t rank) {
  LateRank gone{rank, leases.SilentMs(attempt, rank), std::nullopt};
  const auto view = live.find(attempt.first);
  if (view != live.end() && view->second->key() == attempt) gone.last = view->second->LastOf(rank);
  leases.Release(attempt, rank);
  const std::vector<LateRank> suspects = SuspectsOf(attempt);
  ForSessions(attempt, [&](Session& session) { session.listener().OnRanks(suspects, {gone}); });
}

void Experiments::Impl::Expire(const Leases::Expired& expired) {
  if (!expiring.insert({expired.attempt, expired.rank}).second) return;
  Command command;
  command.run = [this, expired](Group& group) -> absl::Status {
    const auto [no, attempt] = expired.attempt;
    GRADELINE_ASSIGN_OR_RETURN(Experiment experiment, group.store().GetExperiment(no));
    if (experiment.attempt != attempt) return absl::OkStatus();
    const auto found = live.find(no);
    if (found != live.end() && found->second->key() == expired.attempt) {
      return ExpireRank(group, *found->second, expired.rank, expired.fence, expired.reason);
    }
    // No rank has come back since the process began, so there is no live view, and the losses may not be loaded.
    const auto heads = std::make_shared<const std::vector<SessionHead>>(HeadsForFold(experiment));
    LiveAttempt stored(expired.attempt, std::move(experiment), heads);
    GRADELINE_RETURN_IF_ERROR(stored.Load(group.store()));
    return ExpireRank(group, stored, expired.rank, expired.fence, expired.reason);
  };
  command.done = [this, expired](const absl::Status&) { expiring.erase({expired.attempt, expired.rank}); };
  ledger.Post(std::move(command));
}

}  // namespace gradeline

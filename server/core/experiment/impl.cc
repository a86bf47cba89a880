// What happens around a commit: an attempt's live view is read, streams and watchers are told.
#include "server/core/experiment/impl.h"

#include <limits>
#include <utility>

#include "server/core/experiment/names.h"
#include "server/core/experiment/resolve.h"

namespace gradeline {

Experiments::Impl::Impl(std::shared_ptr<Store> the_store, std::shared_ptr<const LossRegistry> the_registry,
                        const Clock* the_clock, Options the_options)
    : store(std::move(the_store)),
      registry(std::move(the_registry)),
      clock(the_clock),
      options(std::move(the_options)),
      leases(clock, options.leases),
      looked_ms(clock->MonotonicMillis()),
      hub(clock, options.progress_period_ms),
      ledger(store.get(), clock,
             {.committed = [this](Group& group) { OnCommitted(group); },
              .failed = [this](const absl::Status& status) { OnFailed(status); },
              .tick = [this](bool idle) { return OnTick(idle); }}) {}

absl::StatusOr<std::shared_ptr<LiveAttempt>> Experiments::Impl::Live(Group& group, int64_t no,
                                                                     const Experiment& experiment) {
  const auto found = live.find(no);
  if (found != live.end() && found->second->key().second == experiment.attempt) return found->second;
  GRADELINE_ASSIGN_OR_RETURN(std::vector<SessionHead> heads, LoadHeads(*registry, experiment));
  auto loaded = std::make_shared<LiveAttempt>(AttemptKey{no, experiment.attempt}, experiment,
                                              std::make_shared<const std::vector<SessionHead>>(std::move(heads)));
  GRADELINE_RETURN_IF_ERROR(loaded->Load(group.store()));
  return loaded;
}

void Experiments::Impl::Keep(std::shared_ptr<LiveAttempt>& view) {
  std::shared_ptr<LiveAttempt>& kept = live[view->key().first];
  if (kept != nullptr && kept->key() == view->key()) {
    view = kept;
  } else {
    kept = view;
  }
}

void Experiments::Impl::OnCommitted(Group& group) {
  for (const auto& [key, seq] : group.committed()) {
    const auto found = sessions.find(key);
    if (found == sessions.end()) continue;
    if (const std::shared_ptr<Session> session = found->second.lock()) session->Committed(seq);
  }
  for (const auto& effect : group.effects()) {
    if (const auto* counted = std::get_if<Effect::Counted>(&effect)) {
      const auto found = live.find(counted->attempt.first);
      if (found != live.end() && found->second->key() == counted->attempt) {
        found->second->Count(counted->rank, counted->record);
        hub.Progressed(counted->attempt.first);
      }
    } else if (const auto* gone = std::get_if<Effect::Gone>(&effect)) {
      TellGone(gone->attempt, gone->rank);
    } else if (const auto* done = std::get_if<Effect::Done>(&effect)) {
      leases.Release(done->attempt, done->rank);
    } else {
      OnEvent(std::get<Effect::Happened>(effect));
    }
  }
}

void Experiments::Impl::OnEvent(const Effect::Happened& happened) {
  const int64_t no = happened.experiment_no;
  hub.Stored(no);
  if (const Seal* seal = std::get_if<Seal>(&happened.event.body)) {
    if (const auto found = live.find(no); found != live.end()) found->second->Seal({seal->phase, seal->epoch});
    ForSessions({no, seal->attempt}, [seal](Session& session) { session.listener().OnSealed(*seal); });
    return;
  }
  const Experiment& experiment = std::get<Experiment>(happened.event.body);
  if (!IsTerminal(experiment.state)) return;
  ForSessions({no, experiment.attempt},
              [&experiment](Session& session) { session.listener().OnStop(experiment.state, experiment.reason); });
  sessions.erase(sessions.lower_bound({{no, experiment.attempt}, 0}),
                 sessions.lower_bound({{no, experiment.attempt + 1}, 0}));
  live.erase(no);
  leases.Release({no, experiment.attempt});
}

absl::Status Experiments::Impl::CatchUp() {
  hub.StoredAny([](int64_t) { return true; });
  const auto known = live;  // what has ended is taken out on the way
  for (const auto& [no, attempt] : known) {
    const AttemptKey key = attempt->key();
    GRADELINE_ASSIGN_OR_RETURN(const std::vector<Seal> seals,
                               store->ListSeals(no, std::numeric_limits<int>::max(), /*after_revision=*/0));
    for (const Seal& seal : seals) {
      if (seal.attempt == key.second && !attempt->IsSealed({seal.phase, seal.epoch}))
        OnEvent({no, {seal.revision, seal}});
    }
    GRADELINE_ASSIGN_OR_RETURN(const std::vector<RankRow> ranks, store->ListRanks(no, key.second));
    for (const RankRow& rank : ranks) {
      if (rank.state == RankState::kDone) leases.Release(key, rank.rank);
    }
    GRADELINE_ASSIGN_OR_RETURN(Experiment experiment, store->GetExperiment(no));
    if (experiment.attempt != key.second || !IsTerminal(experiment.state)) continue;
    const int64_t revision = experiment.revision;
    OnEvent({no, {revision, std::move(experiment)}});
  }
  return absl::OkStatus();
}

void Experiments::Impl::OnFailed(const absl::Status& status) {
  unwritable = true;
  if (!absl::IsDataLoss(status) || fatal) return;
  fatal = true;
  if (options.on_fatal) options.on_fatal(status);
}

}  // namespace gradeline

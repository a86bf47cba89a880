// Inside of Experiments: the ledger and what hangs on it. Split over experiments.cc (experiments and streams),
// datasets.cc, splits.cc, data.cc (snapshots), changes.cc (what experiments ask for), impl.cc (around a commit) and
// liveness.cc (between groups).
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_IMPL_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_IMPL_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/core/experiment/experiments.h"
#include "server/core/experiment/lease.h"
#include "server/core/experiment/ledger.h"
#include "server/core/experiment/live.h"
#include "server/core/experiment/session.h"
#include "server/core/experiment/watch.h"

namespace gradeline {

struct Experiments::Impl {
  Impl(std::shared_ptr<Store> the_store, std::shared_ptr<const LossRegistry> the_registry, const Clock* the_clock,
       Options the_options);

  /// Runs `work` in a transaction and waits until it is durable. `published` runs on the ledger thread after the
  /// commit.
  template <typename T>
  absl::StatusOr<T> Write(Command::Kind kind, std::function<absl::StatusOr<T>(Group&)> work,
                          std::function<void(T&)> published = nullptr);
  /// As Write, but a request id that has an answer gets that one again. `digest`: of method and content.
  template <typename T>
  absl::StatusOr<T> WriteOnce(Command::Kind kind, const std::string& request_id, const Digest& digest,
                              std::function<absl::StatusOr<T>(Group&)> work);

  // In changes.cc.
  /// Checks an experiment that is to be created or changed, and resolves its heads: all that can be wrong at once.
  absl::Status Resolve(Experiment& experiment) const;
  /// A new draft that asks for what `asked` does, or why there is nothing to ask for.
  absl::StatusOr<Experiment> Make(absl::StatusOr<Experiment> asked, const std::string& request_id, const Digest& digest,
                                  bool validate_only);
  /// What `stored` becomes; equal to it where the edit changes nothing.
  absl::StatusOr<Experiment> Edited(const Experiment& stored, const ExperimentEdit& edit) const;

  /// The attempt's live view, read from the store if this process has none yet. Ledger thread, in a transaction.
  absl::StatusOr<std::shared_ptr<LiveAttempt>> Live(Group& group, int64_t no, const Experiment& experiment);
  /// After the commit: keeps the view, or exchanges it for the one that is kept already.
  void Keep(std::shared_ptr<LiveAttempt>& view);

  // Hooks of the ledger.
  void OnCommitted(Group& group);
  void OnFailed(const absl::Status& status);
  absl::Duration OnTick(bool idle);
  void OnEvent(const Effect::Happened& happened);
  /// A group that failed may have been kept, where the answer to its commit was lost: tells what nobody was told of.
  absl::Status CatchUp();

  // In liveness.cc.
  /// Whether experiments have come from another server, and what others have stored that is watched here.
  void WatchOthers();
  void WatchLeases(bool idle);
  Leases::Excuse ExcuseOf(AttemptKey attempt, int32_t rank);
  std::vector<LateRank> SuspectsOf(AttemptKey attempt) const;
  void TellSuspects(AttemptKey attempt);
  /// Rank `joining` of an attempt that runs has a lease: so has whoever else is not through.
  void ExpectOthers(const std::vector<RankRow>& ranks, int32_t joining, LiveAttempt& view);
  void TellGone(AttemptKey attempt, int32_t rank);
  /// Posts the end of a rank, once at a time.
  void Expire(const Leases::Expired& expired);

  /// The streams of an attempt that live.
  template <typename F>
  void ForSessions(AttemptKey attempt, F f);

  const std::shared_ptr<Store> store;
  const std::shared_ptr<const LossRegistry> registry;
  const Clock* const clock;
  const Options options;

  // Ledger thread only.
  std::map<std::pair<AttemptKey, int32_t>, std::weak_ptr<Session>> sessions;
  std::map<int64_t, std::shared_ptr<LiveAttempt>> live;
  Leases leases;
  std::set<std::pair<AttemptKey, int32_t>> expiring;
  bool restored = false;    // the ranks that were held when the experiments became this process's have their leases
  bool unwritable = false;  // since a group was lost
  int64_t looked_ms;        // when the leases were looked at last
  int64_t asked_ms = 0;     // when there was a look at other servers' last
  WatchHub hub;
  bool fatal = false;

  Ledger ledger;  // last: its thread uses the rest
};

/// ABORTED, reason ETAG_MISMATCH, unless `etag` is empty or the experiment's.
absl::Status CheckEtag(const Experiment& experiment, const std::string& etag);
/// And FAILED_PRECONDITION, reason DELETED, if the experiment is deleted.
absl::Status CheckWritable(const Experiment& experiment, const std::string& etag);
/// Keeps the split, to which an experiment is to refer or on which it is to start, from being deleted before the
/// transaction ends. NOT_FOUND; see CheckUsable.
absl::Status HoldSplit(Transaction& store, const std::string& id);
/// FAILED_PRECONDITION, reason WRONG_STATE: `wanted` is what the call needs.
absl::Status WrongState(const Experiment& experiment, const char* wanted);

template <typename F>
void Experiments::Impl::ForSessions(AttemptKey attempt, F f) {
  for (auto it = sessions.lower_bound({attempt, 0}); it != sessions.end() && it->first.first == attempt;) {
    if (const std::shared_ptr<Session> session = it->second.lock()) {
      f(*session);
      ++it;
    } else {
      it = sessions.erase(it);
    }
  }
}

template <typename T>
absl::StatusOr<T> Experiments::Impl::Write(Command::Kind kind, std::function<absl::StatusOr<T>(Group&)> work,
                                           std::function<void(T&)> published) {
  absl::StatusOr<T> result = absl::UnknownError("");
  absl::Notification finished;
  Command command;
  command.kind = kind;
  command.run = [&](Group& group) {
    result = work(group);
    return result.status();
  };
  command.done = [&](const absl::Status& status) {
    if (!status.ok()) {
      result = status;
    } else if (published) {
      published(*result);
    }
    finished.Notify();
  };
  ledger.Post(std::move(command));
  finished.WaitForNotification();
  return result;
}

template <typename T>
absl::StatusOr<T> Experiments::Impl::WriteOnce(Command::Kind kind, const std::string& request_id, const Digest& digest,
                                               std::function<absl::StatusOr<T>(Group&)> work) {
  return Write<T>(kind, [&](Group& group) -> absl::StatusOr<T> {
    if (!request_id.empty()) {
      GRADELINE_ASSIGN_OR_RETURN(const auto known, group.store().FindRequest(request_id, digest));
      if (known) return Decode<T>(*known);
    }
    absl::StatusOr<T> result = work(group);
    if (result.ok() && !request_id.empty()) {
      GRADELINE_RETURN_IF_ERROR(group.store().PutRequest(request_id, digest, Encode(*result), group.now_ms()));
    }
    return result;
  });
}

/// NOT_FOUND if it is deleted, unless those are wanted.
absl::StatusOr<Dataset> ShownDataset(absl::StatusOr<Dataset> dataset, bool show_deleted);
absl::StatusOr<Split> ShownSplit(absl::StatusOr<Split> split, bool show_deleted);

/// A page of up to `page_size` (at least 1) of what `fetch(limit)` gives; `key` names an element for `after`.
template <typename T, typename Fetch, typename Key>
absl::StatusOr<Page<T>> MakePage(int page_size, Fetch fetch, Key key) {
  Page<T> page;
  GRADELINE_ASSIGN_OR_RETURN(page.items, fetch(page_size + 1));
  if (static_cast<int>(page.items.size()) > page_size) {
    page.items.resize(page_size);
    page.next = key(page.items.back());
  }
  return page;
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_IMPL_H_

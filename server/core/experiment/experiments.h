// Experiments: the one door to datasets, splits, experiments and training streams for the outer rooms. All rules live
// behind it (validation, states, ledger); all durable effects go through the Store on one ledger thread, in groups.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_EXPERIMENTS_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_EXPERIMENTS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/base/clock.h"
#include "server/core/base/status.h"
#include "server/core/experiment/rank_session.h"
#include "server/core/experiment/store.h"
#include "server/core/experiment/types.h"
#include "server/core/loss/registry.h"

namespace gradeline {

/// A page of a list. `next` is the key to go on after; empty at the end.
template <typename T>
struct Page {
  std::vector<T> items;
  std::string next;
};

struct DeleteHow {
  bool force = false;  ///< though others use it; splits keep the items of a dataset
  bool purge = false;  ///< a deleted one for good; never while others use it
};

/// One thing that happened to an experiment.
struct Event {
  int64_t revision = 0;
  std::variant<Experiment, Seal, Progress> body;  ///< Progress is provisional and repeats the newest revision
};

/// A watcher's place in an experiment's history. Ends when destroyed; `wake` does not run afterwards. Destroy it not
/// inside its `wake`, and before the Experiments.
class Subscription {
 public:
  struct News {
    std::vector<Event> events;
    bool ended = false;  ///< the experiment is over, and these are its last events
  };
  virtual ~Subscription() = default;
  /// Up to `most` stored events after those it gave before, in order, without gap or duplicate; where none is left, the
  /// newest Progress unless it was given. Empty: nothing now, `wake` will tell. One call at a time; reads the store.
  virtual absl::StatusOr<News> Next(int most) = 0;
};

/// A change of what an experiment asks for, of its labels or of its notes.
struct ExperimentEdit {
  std::string content;  ///< all that it says: a request id is for one content
  /// The stored experiment, as it was asked for, with what the edit gives, as far as it can be read; adds what cannot
  /// be. What it says of other fields is not looked at. Runs on the ledger thread and must not block.
  std::function<Experiment(const Experiment& stored, Violations& violations)> apply;
};

/// Thread-safe. Calls that write block until the write is durable (group commit); call them off the gRPC threads'
/// reactions where that matters, and never from a listener, a wake or a RecordDone.
class Experiments {
 public:
  struct Options {
    std::string numerics;  ///< of the engine, stored with each attempt
    int32_t credits = 4;
    int32_t max_uncommitted = 1024;
    LeaseLimits leases = {};
    int64_t metric_bytes = Experiment().metric_bytes;  ///< of experiments that are made or changed
    int64_t progress_period_ms = 250;                  ///< least time between two Progress events of a watch
    /// Runs once, on the ledger thread, when the store is lost (DATA_LOSS: a failed fsync or another I/O error, or
    /// another server has taken over): the process must end at once, without retrying; the next start recovers.
    std::function<void(const absl::Status&)> on_fatal = nullptr;
  };
  Experiments(std::shared_ptr<Store> store, std::shared_ptr<const LossRegistry> registry, const Clock* clock,
              Options options);
  ~Experiments();  ///< commits what is queued, then stops the ledger thread

  const LossRegistry& registry() const;

  // Datasets. `request_id` empty: not idempotent. A repeat with the same id and content returns the first answer; with
  // other content ALREADY_EXISTS.
  /// A dataset of this name and fingerprint is answered with, not made again.
  absl::StatusOr<Dataset> ImportDataset(Dataset dataset, std::vector<Item> items, const std::string& request_id);
  absl::StatusOr<Dataset> GetDataset(const std::string& id, bool show_deleted = false) const;
  absl::StatusOr<Page<Dataset>> ListDatasets(int page_size, const std::string& after,
                                             const DatasetFilter& filter = {}) const;
  /// FAILED_PRECONDITION, reason DATASET_IN_USE, while splits use it, naming them and the experiments over them.
  /// The dataset as it is now; of a purged one as it was.
  absl::StatusOr<Dataset> DeleteDataset(const std::string& id, DeleteHow how = {});
  /// ALREADY_EXISTS, reason NOT_DELETED, if it is not deleted; so of splits and experiments.
  absl::StatusOr<Dataset> UndeleteDataset(const std::string& id);

  // Splits.
  /// Checks all (fields as in gradeline.v1.Split), parts the items, and says what comes out.
  absl::StatusOr<Split> CreateSplit(Split split, const std::string& request_id, bool validate_only);
  absl::StatusOr<Split> GetSplit(const std::string& id, bool show_deleted = false) const;
  absl::StatusOr<Page<Split>> ListSplits(int page_size, const std::string& after, bool show_deleted = false) const;
  /// FAILED_PRECONDITION, reason SPLIT_IN_USE, while experiments use it, naming them.
  absl::StatusOr<Split> DeleteSplit(const std::string& id, DeleteHow how = {});
  absl::StatusOr<Split> UndeleteSplit(const std::string& id);
  /// part: Phase numbers train, validation, test. world_size 0: all.
  absl::StatusOr<Page<PlacedItem>> ListItems(const std::string& split, Phase part, int32_t rank, int32_t world_size,
                                             int page_size, const std::string& after) const;

  // Experiments.
  /// Validates all (fields as in gradeline.v1.Experiment: "losses[0].params.gamma", "training.epochs"), resolves heads
  /// and losses, stores a DRAFT.
  absl::StatusOr<Experiment> CreateExperiment(Experiment experiment, const std::string& request_id, bool validate_only);
  /// A draft called `new_id` that asks for what `id`, deleted or not, asked for, with its labels and notes.
  absl::StatusOr<Experiment> Clone(const std::string& id, const std::string& new_id, const std::string& request_id,
                                   bool validate_only);
  /// Deleted ones too.
  absl::StatusOr<Experiment> GetExperiment(const std::string& id) const;
  absl::StatusOr<Page<Experiment>> ListExperiments(const ListQuery& query, int page_size,
                                                   const std::string& after) const;
  /// Labels and notes change in any state, all else in DRAFT alone. What stays as it was is no change, and without one
  /// nothing is stored. Fields of violations as in CreateExperiment.
  absl::StatusOr<Experiment> Update(const std::string& id, const ExperimentEdit& edit, const std::string& request_id,
                                    const std::string& etag, bool validate_only);
  /// Hides one that does not run; nothing but Undelete changes it then. `purge`: removes a hidden one with all its
  /// rows.
  absl::StatusOr<Experiment> Delete(const std::string& id, bool purge, const std::string& request_id,
                                    const std::string& etag);
  absl::StatusOr<Experiment> Undelete(const std::string& id, const std::string& request_id, const std::string& etag);
  struct Started {
    Experiment experiment;
    std::string token;
  };
  /// ABORTED unless `etag` is empty or Experiment::etag in decimal. The token is kept in the store as it is, so that a
  /// repeat can return it. `validate_only`: all checks, no token, nothing stored.
  absl::StatusOr<Started> Start(const std::string& id, const std::string& request_id, const std::string& etag,
                                bool validate_only = false);
  /// Opens the next attempt of a LOST, FAILED, CANCELLED or EARLY_STOPPED experiment. `first_epoch`: what it trains
  /// first; by default, and at most, the one after the last that the newest attempt trained and sealed complete.
  absl::StatusOr<Started> Resume(const std::string& id, std::optional<int64_t> first_epoch,
                                 const std::string& request_id, const std::string& etag, bool validate_only = false);
  absl::StatusOr<Experiment> Cancel(const std::string& id, const std::string& request_id, const std::string& etag);
  /// Oldest first. An open attempt's row has no `ended`: its state is the experiment's.
  absl::StatusOr<Page<AttemptRow>> ListAttempts(const std::string& id, int page_size, const std::string& after) const;
  absl::StatusOr<Page<Seal>> ListEpochs(const std::string& id, int page_size, const std::string& after) const;

  /// Subscribes to events after `from_revision`. `wake` runs when there may be something new, also without need, on the
  /// ledger thread; it must not block or ask for it there. OUT_OF_RANGE for a revision the experiment has not reached.
  absl::StatusOr<std::unique_ptr<Subscription>> Watch(const std::string& id, int64_t from_revision,
                                                      std::function<void()> wake);

  /// A rank joins: checks token, rank, world size, state, instance; commits fence + 1; closes the rank's older stream
  /// (its listener gets OnSuperseded). NOT_FOUND, INVALID_ARGUMENT, PERMISSION_DENIED (wrong token), ALREADY_EXISTS
  /// (rank taken by another living instance), FAILED_PRECONDITION (state). Blocks for the commit.
  absl::StatusOr<std::shared_ptr<RankSession>> Join(const JoinRequest& request, std::shared_ptr<RankListener> listener);

  /// Everything that is committed now, apart from what goes on; see Store::TakeSnapshot.
  absl::StatusOr<std::unique_ptr<Snapshot>> TakeSnapshot(const std::function<bool()>& go_on) const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_EXPERIMENTS_H_

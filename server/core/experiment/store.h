// Store: what must survive. Verbs of the domain, never SQL. The rules (fence, duplicate, seal) are the ledger's, in
// this folder; the store only keeps and finds. One contract test suite runs over every implementation.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_STORE_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/experiment/list_query.h"
#include "server/core/experiment/types.h"

namespace gradeline {

enum class RankState : uint8_t { kFree = 1, kHeld = 2, kGone = 3, kDone = 4 };

struct AttemptRow {
  int64_t experiment_no = 0;
  int32_t attempt = 0;
  std::string token;
  int32_t world_size = 0;
  int64_t first_epoch = 0;
  std::string numerics;
  std::optional<ExperimentState> ended;  ///< how; nullopt while it is open
  std::string reason;
  int64_t late = 0;  ///< messages that came after its end
  bool open() const { return !ended; }
};

struct RankRow {
  int32_t rank = 0;
  std::string instance;
  int64_t fence = 0;
  RankState state = RankState::kFree;
  int64_t committed_seq = 0;
};

/// A rank that is not through, of an attempt that runs.
struct ExpectedRank {
  int64_t experiment_no = 0;
  int32_t attempt = 0, rank = 0;
  int64_t fence = 0;
  bool joined = false;  ///< held by a worker
};

struct PhaseEndRow {
  Phase phase = Phase::kTrain;
  int64_t epoch = 0;
  int32_t rank = 0;
  int64_t seq = 0, records = 0;
};

/// A stored record with its rank.
struct RecordRow {
  int32_t rank = 0;
  Record record;
};

enum class InsertOutcome { kInserted, kSame, kDifferent };

/// The full key of a record.
struct RecordPlace {
  int64_t experiment_no = 0;
  int32_t attempt = 0, rank = 0;
  RecordKey key;
  auto operator<=>(const RecordPlace&) const = default;
};

/// A phase of an epoch within an attempt.
struct PhaseOfEpoch {
  Phase phase = Phase::kTrain;
  int64_t epoch = 0;
  auto operator<=>(const PhaseOfEpoch&) const = default;
};

struct StoredEvent {
  int64_t revision = 0;
  std::variant<Experiment, Seal> body;
};

/// One write transaction. Used by the ledger thread only. Nothing is visible to reads before Commit; destruction
/// without Commit undoes all. Also reads its own writes. A failure of the store itself (RESOURCE_EXHAUSTED: disk full;
/// UNAVAILABLE: locked; DATA_LOSS: an I/O error, after which the store refuses everything; INTERNAL) loses the whole
/// transaction, stays in failure(), and Commit returns it. Other codes are answers. Where the database is far, a verb
/// that only writes may return before its failure is known. UNAVAILABLE from Commit may mean that all of it was kept:
/// who sends again is answered from the keys and request ids that are there.
class Transaction {
 public:
  virtual ~Transaction() = default;
  /// The first failure of the store itself; OK while there is none.
  virtual absl::Status failure() const = 0;
  /// Runs `work` so that its failure undoes only what it wrote (a savepoint).
  virtual absl::Status Nested(const std::function<absl::Status()>& work) = 0;
  virtual absl::Status Commit() = 0;

  /// The stored answer to a request id; nullopt if new. ALREADY_EXISTS when it was used with another digest.
  virtual absl::StatusOr<std::optional<std::string>> FindRequest(const std::string& request_id,
                                                                 const Digest& digest) = 0;
  /// Forgets requests older than a day on the way.
  virtual absl::Status PutRequest(const std::string& request_id, const Digest& digest, const std::string& response,
                                  int64_t at_ms) = 0;

  virtual absl::Status InsertDataset(const Dataset& dataset, const std::vector<Item>& items) = 0;  ///< ALREADY_EXISTS
  /// NOT_FOUND. Nobody else writes the dataset, or a split of it, until the transaction ends.
  virtual absl::StatusOr<Dataset> GetDataset(const std::string& id) = 0;
  /// Ids of the splits that use it, in order. NOT_FOUND.
  virtual absl::StatusOr<std::vector<std::string>> ListSplitsOf(const std::string& dataset) = 0;
  /// Ids of the experiments of its splits, deleted ones too, in order. NOT_FOUND.
  virtual absl::StatusOr<std::vector<std::string>> ListExperimentsOver(const std::string& dataset) = 0;
  virtual absl::Status MarkDataset(const std::string& id, int64_t delete_ms) = 0;  ///< sets it; NOT_FOUND
  virtual absl::Status RemoveDataset(const std::string& id) = 0;                   ///< with its items; NOT_FOUND
  /// `datasets`: as they were read, one for each of the split's; `items` in their order. ALREADY_EXISTS; NOT_FOUND or
  /// FAILED_PRECONDITION if a dataset is no longer what it was.
  virtual absl::Status InsertSplit(const Split& split, const std::vector<Dataset>& datasets,
                                   const std::vector<PartedItem>& items) = 0;
  /// NOT_FOUND. Nobody else writes or holds the split until the transaction ends.
  virtual absl::StatusOr<Split> GetSplit(const std::string& id) = 0;
  /// As GetSplit, for an experiment that is to refer to it: others may hold it too, but nobody writes it.
  virtual absl::StatusOr<Split> HoldSplit(const std::string& id) = 0;
  /// Ids of its datasets that are deleted, in order.
  virtual absl::StatusOr<std::vector<std::string>> ListDeletedDatasets(const std::string& split) = 0;
  /// Ids of the experiments that refer to it, deleted ones too, in order.
  virtual absl::StatusOr<std::vector<std::string>> ListExperimentsOf(const std::string& split) = 0;
  virtual absl::Status UpdateSplit(const Split& split) = 0;     ///< NOT_FOUND
  virtual absl::Status RemoveSplit(const std::string& id) = 0;  ///< with its item lists; NOT_FOUND

  virtual absl::StatusOr<int64_t> InsertExperiment(const Experiment& experiment) = 0;  ///< its number; ALREADY_EXISTS
  /// NOT_FOUND. Nobody else writes the experiment until the transaction ends, so revisions become visible in their
  /// order.
  virtual absl::StatusOr<std::pair<int64_t, Experiment>> GetExperiment(const std::string& id) = 0;
  virtual absl::StatusOr<Experiment> GetExperiment(int64_t no) = 0;
  /// As GetExperiment, and makes the experiment this server's, unless it is that of another that lives: UNAVAILABLE,
  /// reason NOT_OWNER, with the other's address.
  virtual absl::StatusOr<std::pair<int64_t, Experiment>> OwnExperiment(const std::string& id) {
    return GetExperiment(id);
  }
  /// Stores state, reason, attempt, etag, revision, numerics.
  virtual absl::Status UpdateExperiment(int64_t no, const Experiment& experiment) = 0;
  /// Stores all of it but its name.
  virtual absl::Status ReplaceExperiment(int64_t no, const Experiment& experiment) = 0;
  /// Removes it with all that belongs to it. Its number is never another's.
  virtual absl::Status PurgeExperiment(int64_t no) = 0;
  virtual absl::Status InsertEvent(int64_t no, const StoredEvent& event) = 0;

  virtual absl::Status InsertAttempt(const AttemptRow& attempt) = 0;  ///< with its ranks, all FREE
  virtual absl::StatusOr<AttemptRow> GetAttempt(int64_t no, int32_t attempt) = 0;
  /// No longer open; raises every rank's fence.
  virtual absl::Status CloseAttempt(int64_t no, int32_t attempt, ExperimentState ended, const std::string& reason) = 0;
  /// One more message came after the attempt's end.
  virtual absl::Status CountLate(int64_t no, int32_t attempt) = 0;
  virtual absl::StatusOr<RankRow> GetRank(int64_t no, int32_t attempt, int32_t rank) = 0;
  virtual absl::StatusOr<std::vector<RankRow>> ListRanks(int64_t no, int32_t attempt) = 0;
  virtual absl::Status PutRank(int64_t no, int32_t attempt, const RankRow& rank) = 0;
  /// The records that will be inserted, as far as is known: a store may look for all their keys at once. None need
  /// come.
  virtual absl::Status Foresee(const std::vector<RecordPlace>& /*places*/) { return absl::OkStatus(); }
  /// kSame: the key is there with this digest; kDifferent: with another. Nothing is written then. A seq that the rank
  /// has used already is a failure.
  virtual absl::StatusOr<InsertOutcome> InsertRecord(int64_t no, int32_t attempt, int32_t rank,
                                                     const Record& record) = 0;
  virtual absl::Status InsertPhaseEnd(int64_t no, int32_t attempt, const PhaseEndRow& end) = 0;  ///< ALREADY_EXISTS
  virtual absl::StatusOr<std::vector<PhaseEndRow>> ListPhaseEnds(int64_t no, int32_t attempt, PhaseOfEpoch phase) = 0;
  /// In key order: step, rank, head, part.
  virtual absl::Status ScanRecords(int64_t no, int32_t attempt, PhaseOfEpoch phase,
                                   const std::function<void(const RecordRow&)>& row) = 0;
  /// Phases of an attempt that have records or ends but no seal, in order.
  virtual absl::StatusOr<std::vector<PhaseOfEpoch>> ListOpenPhases(int64_t no, int32_t attempt) = 0;
  virtual absl::StatusOr<std::vector<PhaseOfEpoch>> ListSealedPhases(int64_t no, int32_t attempt) = 0;
  virtual absl::StatusOr<bool> IsSealed(int64_t no, int32_t attempt, PhaseOfEpoch phase) = 0;
  /// The newest seal of each phase, by phase.
  virtual absl::StatusOr<std::vector<Seal>> ListLastSeals(int64_t no, int32_t attempt) = 0;
  /// The complete seal of the same phase with the highest earlier epoch, of the newest attempt from `first` to `last`
  /// that has it.
  virtual absl::StatusOr<std::optional<Seal>> FindCompleteSealBefore(int64_t no, int32_t first, int32_t last,
                                                                     PhaseOfEpoch phase) = 0;
  virtual absl::Status InsertSeal(int64_t no, const Seal& seal) = 0;
  virtual absl::Status InsertIncident(int64_t no, int32_t attempt, int32_t rank, std::string_view kind,
                                      std::string_view body, int64_t at_ms) = 0;
};

/// Which datasets a list has.
struct DatasetFilter {
  bool show_deleted = false;
  std::string fingerprint = {};  ///< empty: any
};

/// Something that should not have happened and changed nothing.
struct Incident {
  int32_t attempt = 0, rank = 0;
  std::string kind, body;
  int64_t at_ms = 0;
};

class Store;

/// Everything that was committed at one moment, apart from what is written to the store that it was taken of: it never
/// changes, and holds back neither writes nor checkpoints. A copy takes as much room as the store until it is
/// destroyed. One thread at a time.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  virtual int64_t bytes() const = 0;
  /// `size` of its bytes from `offset` on, fewer at the end: what the store's own restore takes. UNIMPLEMENTED where
  /// the database has its own back-up.
  virtual absl::StatusOr<std::string> Read(int64_t offset, size_t size) = 0;
  /// A store with its content, to be read. Close it first.
  virtual absl::StatusOr<std::shared_ptr<Store>> Open() = 0;
};

/// Thread-safe. Begin is for the ledger thread alone; reads may come from any thread and see committed data only.
class Store {
 public:
  virtual ~Store() = default;
  virtual absl::StatusOr<std::unique_ptr<Transaction>> Begin() = 0;
  /// Called by the ledger thread between groups: checkpoints when that is worth while. `idle`: nothing waits. After a
  /// group whose write failed it tries whether writes work again; not OK until they do, and then it is to be called
  /// again soon.
  virtual absl::Status Maintain(bool idle) = 0;
  /// OK while reads and writes work (readiness); otherwise the failure of the last write. DATA_LOSS after an I/O error,
  /// or when the store has become somebody else's: the process must end at once and start anew.
  virtual absl::Status Check() = 0;

  /// Whether other servers may use the same data. Then each experiment has one owner among them.
  virtual bool shared() const { return false; }
  /// Tells the other servers where this one is reached, a target of gRPC.
  virtual absl::Status Advertise(const std::string& /*address*/) { return absl::OkStatus(); }
  /// Whether experiments of a server that is gone have become this one's since the last call. DATA_LOSS for good: this
  /// one's have become another's.
  virtual absl::StatusOr<bool> TakeNews() { return false; }

  virtual absl::StatusOr<Dataset> GetDataset(const std::string& id) = 0;
  /// Up to `limit` in order of id, after `after`.
  virtual absl::StatusOr<std::vector<Dataset>> ListDatasets(int limit, const std::string& after,
                                                            const DatasetFilter& filter) = 0;
  /// Every item of a dataset by index, one at a time, Item::dataset left empty. NOT_FOUND.
  virtual absl::Status ScanItems(const std::string& dataset, const std::function<void(const Item&)>& row) = 0;
  virtual absl::StatusOr<Split> GetSplit(const std::string& id) = 0;
  /// As in a transaction.
  virtual absl::StatusOr<std::vector<std::string>> ListDeletedDatasets(const std::string& split) = 0;
  virtual absl::StatusOr<std::vector<Split>> ListSplits(int limit, const std::string& after, bool deleted) = 0;
  /// Items of a part by position, those whose position is rank modulo world_size, after position `after` (-1: from the
  /// start).
  virtual absl::StatusOr<std::vector<PlacedItem>> ListItems(const std::string& split, Phase part, int32_t rank,
                                                            int32_t world_size, int limit, int64_t after) = 0;
  virtual absl::StatusOr<std::pair<int64_t, Experiment>> GetExperiment(const std::string& id) = 0;
  virtual absl::StatusOr<Experiment> GetExperiment(int64_t no) = 0;
  /// Up to `limit` in the order of `query`, after the place `after` (see PlaceOf; empty: from the start).
  virtual absl::StatusOr<std::vector<Experiment>> ListExperiments(const ListQuery& query, int limit,
                                                                  const std::string& after) = 0;
  virtual absl::StatusOr<AttemptRow> GetAttempt(int64_t no, int32_t attempt) = 0;
  virtual absl::StatusOr<std::vector<RankRow>> ListRanks(int64_t no, int32_t attempt) = 0;
  /// Of the experiments of this server.
  virtual absl::StatusOr<std::vector<ExpectedRank>> ListExpectedRanks() = 0;
  /// In order of revision, after `after_revision`.
  virtual absl::StatusOr<std::vector<Seal>> ListSeals(int64_t no, int limit, int64_t after_revision) = 0;
  virtual absl::StatusOr<std::vector<StoredEvent>> ListEvents(int64_t no, int limit, int64_t after_revision) = 0;
  virtual absl::StatusOr<std::vector<Incident>> ListIncidents(int64_t no) = 0;
  // As in a transaction, for CheckStore.
  virtual absl::StatusOr<std::vector<PhaseOfEpoch>> ListOpenPhases(int64_t no, int32_t attempt) = 0;
  virtual absl::StatusOr<std::vector<PhaseEndRow>> ListPhaseEnds(int64_t no, int32_t attempt, PhaseOfEpoch phase) = 0;
  virtual absl::Status ScanRecords(int64_t no, int32_t attempt, PhaseOfEpoch phase,
                                   const std::function<void(const RecordRow&)>& row) = 0;

  /// What is wrong with how the store keeps its data: broken pages, keys that lead nowhere. A line each, none if it is
  /// whole. CANCELLED as soon as `go_on`, asked now and then, is false.
  virtual absl::StatusOr<std::vector<std::string>> CheckIntegrity(const std::function<bool()>& go_on) = 0;
  /// Copies while writes go on, or has the database keep the moment; blocks meanwhile. One snapshot at a time:
  /// FAILED_PRECONDITION while there is another. RESOURCE_EXHAUSTED where there is no room, or writes have meanwhile
  /// brought more than the store can hold back; CANCELLED as soon as `go_on`, asked now and then, is false.
  virtual absl::StatusOr<std::unique_ptr<Snapshot>> TakeSnapshot(const std::function<bool()>& go_on) = 0;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_STORE_H_

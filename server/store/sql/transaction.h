// The write transaction in SQL that every database of this room takes. What they do not share is left to its
// subclasses: how it begins and ends, and how a record is inserted without a round trip for each.
#ifndef GRADELINE_SERVER_STORE_SQL_TRANSACTION_H_
#define GRADELINE_SERVER_STORE_SQL_TRANSACTION_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/core/experiment/store.h"
#include "server/store/sql/connection.h"
#include "server/store/sql/reads.h"

namespace gradeline {

class SqlTransaction : public Transaction {
 public:
  absl::Status failure() const override { return connection_->failure(); }
  absl::Status Nested(const std::function<absl::Status()>& work) override;
  absl::Status Commit() override;

  absl::StatusOr<std::optional<std::string>> FindRequest(const std::string& request_id, const Digest& digest) override;
  absl::Status PutRequest(const std::string& request_id, const Digest& digest, const std::string& response,
                          int64_t at_ms) override;

  absl::Status InsertDataset(const Dataset& dataset, const std::vector<Item>& items) override;
  absl::StatusOr<Dataset> GetDataset(const std::string& id) override;
  absl::StatusOr<std::vector<std::string>> ListSplitsOf(const std::string& dataset) override;
  absl::StatusOr<std::vector<std::string>> ListExperimentsOver(const std::string& dataset) override;
  absl::Status MarkDataset(const std::string& id, int64_t delete_ms) override;
  absl::Status RemoveDataset(const std::string& id) override;
  absl::Status InsertSplit(const Split& split, const std::vector<Dataset>& datasets,
                           const std::vector<PartedItem>& items) override;
  absl::StatusOr<Split> GetSplit(const std::string& id) override;
  absl::StatusOr<Split> HoldSplit(const std::string& id) override;
  absl::StatusOr<std::vector<std::string>> ListDeletedDatasets(const std::string& split) override;
  absl::StatusOr<std::vector<std::string>> ListExperimentsOf(const std::string& split) override;
  absl::Status UpdateSplit(const Split& split) override;
  absl::Status RemoveSplit(const std::string& id) override;

  absl::StatusOr<int64_t> InsertExperiment(const Experiment& experiment) override;
  absl::StatusOr<std::pair<int64_t, Experiment>> GetExperiment(const std::string& id) override;
  absl::StatusOr<Experiment> GetExperiment(int64_t no) override;
  absl::Status UpdateExperiment(int64_t no, const Experiment& experiment) override;
  absl::Status ReplaceExperiment(int64_t no, const Experiment& experiment) override;
  absl::Status PurgeExperiment(int64_t no) override;
  absl::Status InsertEvent(int64_t no, const StoredEvent& event) override;

  absl::Status InsertAttempt(const AttemptRow& attempt) override;
  absl::StatusOr<AttemptRow> GetAttempt(int64_t no, int32_t attempt) override;
  absl::Status CloseAttempt(int64_t no, int32_t attempt, ExperimentState ended, const std::string& reason) override;
  absl::Status CountLate(int64_t no, int32_t attempt) override;
  absl::StatusOr<RankRow> GetRank(int64_t no, int32_t attempt, int32_t rank) override;
  absl::StatusOr<std::vector<RankRow>> ListRanks(int64_t no, int32_t attempt) override;
  absl::Status PutRank(int64_t no, int32_t attempt, const RankRow& rank) override;
  absl::Status InsertPhaseEnd(int64_t no, int32_t attempt, const PhaseEndRow& end) override;
  absl::StatusOr<std::vector<PhaseEndRow>> ListPhaseEnds(int64_t no, int32_t attempt, PhaseOfEpoch phase) override;
  absl::Status ScanRecords(int64_t no, int32_t attempt, PhaseOfEpoch phase,
                           const std::function<void(const RecordRow&)>& row) override;
  absl::StatusOr<std::vector<PhaseOfEpoch>> ListOpenPhases(int64_t no, int32_t attempt) override;
  absl::StatusOr<std::vector<PhaseOfEpoch>> ListSealedPhases(int64_t no, int32_t attempt) override;
  absl::StatusOr<bool> IsSealed(int64_t no, int32_t attempt, PhaseOfEpoch phase) override;
  absl::StatusOr<std::vector<Seal>> ListLastSeals(int64_t no, int32_t attempt) override;
  absl::StatusOr<std::optional<Seal>> FindCompleteSealBefore(int64_t no, int32_t first, int32_t last,
                                                             PhaseOfEpoch phase) override;
  absl::Status InsertSeal(int64_t no, const Seal& seal) override;
  absl::Status InsertIncident(int64_t no, int32_t attempt, int32_t rank, std::string_view kind, std::string_view body,
                              int64_t at_ms) override;

 protected:
  /// `connection` outlives it and has a transaction open. `lock`: of the rows that decide what is written.
  SqlTransaction(Connection* connection, RowLock lock) : connection_(connection), lock_(lock) {}
  Connection& connection() { return *connection_; }
  /// The digest under a record's key; nullopt if the key is free.
  absl::StatusOr<std::optional<std::string>> FindDigest(int64_t no, int32_t attempt, int32_t rank,
                                                        const RecordKey& key);

 private:
  absl::Status InsertLabels(int64_t no, const Experiment& experiment);

  Connection* const connection_;
  const RowLock lock_;
};

/// Binds the columns of records in the order of the table.
Query& BindRecord(Query& insert, int64_t no, int32_t attempt, int32_t rank, const Record& record);

inline std::string_view BytesOf(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQL_TRANSACTION_H_

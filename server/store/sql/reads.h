// What both reading connections and the writer's transaction look up. No writes.
#ifndef GRADELINE_SERVER_STORE_SQL_READS_H_
#define GRADELINE_SERVER_STORE_SQL_READS_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/experiment/store.h"
#include "server/store/sql/connection.h"

namespace gradeline {

/// Where the database has them, until the transaction ends. kForUpdate: nobody else gets or writes the row; kForShare:
/// nobody writes it.
enum class RowLock { kNone, kForUpdate, kForShare };
absl::StatusOr<std::pair<int64_t, Dataset>> ReadDataset(Connection& connection, const std::string& id,
                                                        RowLock lock = RowLock::kNone);
/// The dataset of a row of columns spec, delete_ms.
absl::StatusOr<Dataset> DatasetOf(const Query& query, int first_column);
/// Every item of the dataset by index.
absl::Status ReadItems(Connection& connection, int64_t dataset_no, const std::function<void(const Item&)>& row);
/// Sets the item to a row of columns item, uri, label, more; leaves its dataset.
absl::Status ReadItem(const Query& query, Item& item);
absl::StatusOr<std::pair<int64_t, Split>> ReadSplit(Connection& connection, const std::string& id,
                                                    RowLock lock = RowLock::kNone);
absl::StatusOr<std::vector<std::string>> ReadDeletedDatasets(Connection& connection, const std::string& split);
/// The ids a prepared query gives in its only column.
absl::StatusOr<std::vector<std::string>> ReadIds(Query query);
absl::StatusOr<std::pair<int64_t, Experiment>> ReadExperiment(Connection& connection, const std::string& id,
                                                              RowLock lock = RowLock::kNone);
absl::StatusOr<Experiment> ReadExperiment(Connection& connection, int64_t no, RowLock lock = RowLock::kNone);
#define GRADELINE_EXPERIMENT_COLUMNS "no, state, reason, state_ms, attempt, revision, etag, numerics, spec"
/// The experiment of a row of these columns.
absl::StatusOr<Experiment> ExperimentOf(const Query& query);
absl::StatusOr<AttemptRow> ReadAttempt(Connection& connection, int64_t no, int32_t attempt);
absl::StatusOr<std::vector<RankRow>> ReadRanks(Connection& connection, int64_t no, int32_t attempt);
absl::StatusOr<RankRow> ReadRank(Connection& connection, int64_t no, int32_t attempt, int32_t rank);

absl::StatusOr<std::vector<PhaseEndRow>> ReadPhaseEnds(Connection& connection, int64_t no, int32_t attempt,
                                                       PhaseOfEpoch phase);
absl::Status ReadRecords(Connection& connection, int64_t no, int32_t attempt, PhaseOfEpoch phase,
                         const std::function<void(const RecordRow&)>& row);
absl::StatusOr<std::vector<PhaseOfEpoch>> ReadOpenPhases(Connection& connection, int64_t no, int32_t attempt);
/// The phases a prepared query gives as phase and epoch.
absl::StatusOr<std::vector<PhaseOfEpoch>> ReadPhases(Query query);

/// The seals a prepared query gives in its only column.
absl::StatusOr<std::vector<Seal>> ReadSeals(Query query);

/// Doubles as they lie in a BLOB column.
std::string PackNumbers(const double* numbers, size_t count);
std::vector<double> UnpackNumbers(std::string_view bytes);
std::string PackValues(const std::vector<Ratio>& values);
std::vector<Ratio> UnpackValues(std::string_view bytes);

/// Runs `row` for each row of `query`.
absl::Status ForRows(Query& query, const std::function<absl::Status()>& row);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQL_READS_H_

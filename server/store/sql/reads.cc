#include "server/store/sql/reads.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/core/experiment/item_codec.h"
#include "server/core/experiment/names.h"

namespace gradeline {
namespace {

constexpr int kScanPage = 4096;

absl::Status NotFound(const char* kind, const std::string& id) {
  return absl::NotFoundError(absl::StrCat("no ", kind, " is called \"", id, "\""));
}

// Columns: rank, instance, fence, state, committed_seq.
absl::StatusOr<RankRow> RankOf(const Query& query) {
  const auto state = ParseRankState(query.View(3));
  if (!state) return absl::InternalError(absl::StrCat("rank ", query.Number(0), ": unknown state ", query.Bytes(3)));
  return RankRow{static_cast<int32_t>(query.Number(0)), query.Bytes(1), query.Number(2), *state, query.Number(4)};
}

}  // namespace

absl::StatusOr<Experiment> ExperimentOf(const Query& query) {
  GRADELINE_ASSIGN_OR_RETURN(Experiment experiment, Decode<Experiment>(query.View(8)));
  const auto state = ParseExperimentState(query.View(1));
  if (!state)
    return absl::InternalError(absl::StrCat("experiment ", experiment.id, ": unknown state ", query.Bytes(1)));
  experiment.state = *state;
  experiment.reason = query.Bytes(2);
  experiment.state_ms = query.Number(3);
  experiment.attempt = static_cast<int32_t>(query.Number(4));
  experiment.revision = query.Number(5);
  experiment.etag = query.Number(6);
  experiment.numerics = query.Bytes(7);
  return experiment;
}

std::string PackNumbers(const double* numbers, size_t count) {
  return std::string(reinterpret_cast<const char*>(numbers), count * sizeof(double));
}

std::vector<double> UnpackNumbers(std::string_view bytes) {
  std::vector<double> numbers(bytes.size() / sizeof(double));
  if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(double));
  return numbers;
}

std::string PackValues(const std::vector<Ratio>& values) {
  std::string bytes;
  for (const Ratio& value : values) {
    const double pair[2] = {value.numerator, value.denominator};
    bytes += PackNumbers(pair, 2);
  }
  return bytes;
}

std::vector<Ratio> UnpackValues(std::string_view bytes) {
  const std::vector<double> numbers = UnpackNumbers(bytes);
  std::vector<Ratio> values;
  for (size_t i = 0; i + 1 < numbers.size(); i += 2) values.push_back({numbers[i], numbers[i + 1]});
  return values;
}

absl::Status ForRows(Query& query, const std::function<absl::Status()>& row) {
  while (true) {
    GRADELINE_ASSIGN_OR_RETURN(const bool more, query.Step());
    if (!more) return absl::OkStatus();
    GRADELINE_RETURN_IF_ERROR(row());
  }
}

absl::StatusOr<std::pair<int64_t, Dataset>> ReadDataset(Connection& connection, const std::string& id, RowLock lock) {
  Query query = connection.Prepare(lock == RowLock::kForUpdate
                                       ? "SELECT no, spec, delete_ms FROM datasets WHERE name = ?1 FOR UPDATE"
                                       : "SELECT no, spec, delete_ms FROM datasets WHERE name = ?1");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Step());
  if (!found) return NotFound("dataset", id);
  GRADELINE_ASSIGN_OR_RETURN(Dataset dataset, DatasetOf(query, 1));
  return std::make_pair(query.Number(0), std::move(dataset));
}

absl::StatusOr<Dataset> DatasetOf(const Query& query, int first_column) {
  GRADELINE_ASSIGN_OR_RETURN(Dataset dataset, Decode<Dataset>(query.View(first_column)));
  dataset.delete_ms = query.Number(first_column + 1);
  return dataset;
}

absl::Status ReadItem(const Query& query, Item& item) {
  item.index = query.Number(0);
  item.uri = query.View(1);
  item.label = static_cast<int32_t>(query.Number(2));
  return DecodeMore(query.View(3), item);
}

absl::Status ReadItems(Connection& connection, int64_t dataset_no, const std::function<void(const Item&)>& row) {
  // In pages, as records.
  Item item;
  item.index = -1;
  for (int rows = kScanPage; rows == kScanPage;) {
    Query query = connection.Prepare(
        "SELECT item, uri, label, more FROM items WHERE dataset = ?1 AND item > ?2 ORDER BY item LIMIT ?3");
    query.Bind(dataset_no, item.index, kScanPage);
    rows = 0;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      ++rows;
      const absl::Status read = ReadItem(query, item);
      if (read.ok()) row(item);
      return read;
    }));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::pair<int64_t, Split>> ReadSplit(Connection& connection, const std::string& id, RowLock lock) {
  Query query =
      connection.Prepare(lock == RowLock::kForUpdate  ? "SELECT no, spec FROM splits WHERE name = ?1 FOR UPDATE"
                         : lock == RowLock::kForShare ? "SELECT no, spec FROM splits WHERE name = ?1 FOR SHARE"
                                                      : "SELECT no, spec FROM splits WHERE name = ?1");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Step());
  if (!found) return NotFound("split", id);
  GRADELINE_ASSIGN_OR_RETURN(Split split, Decode<Split>(query.View(1)));
  return std::make_pair(query.Number(0), std::move(split));
}

absl::StatusOr<std::vector<std::string>> ReadDeletedDatasets(Connection& connection, const std::string& split) {
  Query query = connection.Prepare(
      "SELECT d.name FROM splits AS s JOIN split_datasets AS c ON c.split = s.no JOIN datasets AS d ON d.no = "
      "c.dataset "
      "WHERE s.name = ?1 AND d.delete_ms <> 0 ORDER BY d.name");
  query.Bind(split);
  return ReadIds(std::move(query));
}

absl::StatusOr<std::vector<std::string>> ReadIds(Query query) {
  std::vector<std::string> ids;
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
    ids.push_back(query.Bytes(0));
    return absl::OkStatus();
  }));
  return ids;
}

absl::StatusOr<std::pair<int64_t, Experiment>> ReadExperiment(Connection& connection, const std::string& id,
                                                              RowLock lock) {
  Query query =
      connection.Prepare(lock == RowLock::kForUpdate
                             ? "SELECT " GRADELINE_EXPERIMENT_COLUMNS " FROM experiments WHERE name = ?1 FOR UPDATE"
                             : "SELECT " GRADELINE_EXPERIMENT_COLUMNS " FROM experiments WHERE name = ?1");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Step());
  if (!found) return NotFound("experiment", id);
  GRADELINE_ASSIGN_OR_RETURN(Experiment experiment, ExperimentOf(query));
  return std::make_pair(query.Number(0), std::move(experiment));
}

absl::StatusOr<Experiment> ReadExperiment(Connection& connection, int64_t no, RowLock lock) {
  Query query = connection.Prepare(
      lock == RowLock::kForUpdate ? "SELECT " GRADELINE_EXPERIMENT_COLUMNS " FROM experiments WHERE no = ?1 FOR UPDATE"
                                  : "SELECT " GRADELINE_EXPERIMENT_COLUMNS " FROM experiments WHERE no = ?1");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Bind(no).Step());
  if (!found) return absl::NotFoundError(absl::StrCat("no experiment has the number ", no));
  return ExperimentOf(query);
}

absl::StatusOr<AttemptRow> ReadAttempt(Connection& connection, int64_t no, int32_t attempt) {
  Query query = connection.Prepare(
      "SELECT token, world_size, first_epoch, numerics, state, reason, late FROM attempts WHERE experiment = ?1 AND "
      "attempt = ?2");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Bind(no, attempt).Step());
  if (!found) return absl::NotFoundError(absl::StrCat("experiment number ", no, " has no attempt ", attempt));
  AttemptRow row;
  row.experiment_no = no;
  row.attempt = attempt;
  row.token = query.Bytes(0);
  row.world_size = static_cast<int32_t>(query.Number(1));
  row.first_epoch = query.Number(2);
  row.numerics = query.Bytes(3);
  row.ended = ParseExperimentState(query.View(4));
  if (!row.ended && query.View(4) != "OPEN") {
    return absl::InternalError(absl::StrCat("attempt ", attempt, ": unknown state ", query.Bytes(4)));
  }
  row.reason = query.Bytes(5);
  row.late = query.Number(6);
  return row;
}

absl::StatusOr<std::vector<RankRow>> ReadRanks(Connection& connection, int64_t no, int32_t attempt) {
  Query query = connection.Prepare(
      "SELECT rank, instance, fence, state, committed_seq FROM ranks WHERE experiment = ?1 AND attempt = ?2 ORDER BY "
      "rank");
  query.Bind(no, attempt);
  std::vector<RankRow> list;
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&]() -> absl::Status {
    GRADELINE_ASSIGN_OR_RETURN(RankRow row, RankOf(query));
    list.push_back(std::move(row));
    return absl::OkStatus();
  }));
  return list;
}

absl::StatusOr<RankRow> ReadRank(Connection& connection, int64_t no, int32_t attempt, int32_t rank) {
  Query query = connection.Prepare(
      "SELECT rank, instance, fence, state, committed_seq FROM ranks WHERE experiment = ?1 AND attempt = ?2 AND rank = "
      "?3");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Bind(no, attempt, rank).Step());
  if (!found) return absl::NotFoundError(absl::StrCat("attempt ", attempt, " has no rank ", rank));
  return RankOf(query);
}

absl::StatusOr<std::vector<Seal>> ReadSeals(Query query) {
  std::vector<Seal> list;
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&]() -> absl::Status {
    GRADELINE_ASSIGN_OR_RETURN(Seal seal, Decode<Seal>(query.View(0)));
    list.push_back(std::move(seal));
    return absl::OkStatus();
  }));
  return list;
}

namespace {

// Columns: step, rank, head, part, seq, digest, code, items, vals, metrics, refusal.
absl::Status ReadRecord(const Query& query, PhaseOfEpoch phase, RecordRow& row) {
  Record& record = row.record;
  record.key = {phase.phase, phase.epoch, query.Number(0), static_cast<int32_t>(query.Number(2)),
                static_cast<int32_t>(query.Number(3))};
  row.rank = static_cast<int32_t>(query.Number(1));
  record.seq = query.Number(4);
  const std::string_view digest = query.View(5);
  std::copy_n(digest.begin(), std::min(digest.size(), record.digest.size()), record.digest.begin());
  record.code = static_cast<int32_t>(query.Number(6));
  record.items = query.Number(7);
  record.values = UnpackValues(query.View(8));
  record.metrics = std::string(query.View(9));
  record.refusal = {};
  if (query.View(10).empty()) return absl::OkStatus();
  GRADELINE_ASSIGN_OR_RETURN(record.refusal, Decode<Refusal>(query.View(10)));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<PhaseEndRow>> ReadPhaseEnds(Connection& connection, int64_t no, int32_t attempt,
                                                       PhaseOfEpoch phase) {
  Query query = connection.Prepare(
      "SELECT rank, seq, records FROM phase_ends WHERE experiment = ?1 AND attempt = ?2 AND phase = ?3 AND epoch = ?4 "
      "ORDER BY rank");
  query.Bind(no, attempt, phase.phase, phase.epoch);
  std::vector<PhaseEndRow> list;
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
    list.push_back({phase.phase, phase.epoch, static_cast<int32_t>(query.Number(0)), query.Number(1), query.Number(2)});
    return absl::OkStatus();
  }));
  return list;
}

absl::Status ReadRecords(Connection& connection, int64_t no, int32_t attempt, PhaseOfEpoch phase,
                         const std::function<void(const RecordRow&)>& row) {
  // In pages: a database may answer a query with all its rows at once.
  RecordRow read;
  Record& record = read.record;
  record.key.step = -1;
  for (int rows = kScanPage; rows == kScanPage;) {
    Query query = connection.Prepare(
        "SELECT step, rank, head, part, seq, digest, code, items, vals, metrics, refusal FROM records WHERE "
        "experiment = ?1 AND attempt = ?2 AND phase = ?3 AND epoch = ?4 AND (step, rank, head, part) > (?5, ?6, ?7, "
        "?8) ORDER BY step, rank, head, part LIMIT ?9");
    query.Bind(no, attempt, phase.phase, phase.epoch, record.key.step, read.rank, record.key.head, record.key.part,
               kScanPage);
    rows = 0;
    const absl::Status scanned = ForRows(query, [&] {
      ++rows;
      absl::Status status = ReadRecord(query, phase, read);
      if (status.ok()) row(read);
      return status;
    });
    if (!scanned.ok()) return scanned;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PhaseOfEpoch>> ReadPhases(Query query) {
  std::vector<PhaseOfEpoch> list;
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
    list.push_back({static_cast<Phase>(query.Number(0)), query.Number(1)});
    return absl::OkStatus();
  }));
  return list;
}

absl::StatusOr<std::vector<PhaseOfEpoch>> ReadOpenPhases(Connection& connection, int64_t no, int32_t attempt) {
  // Distinct phases of records by skipping through the primary key: as many steps as there are phases, not records.
  Query query = connection.Prepare(
      "WITH RECURSIVE seen(phase, epoch) AS ("
      "  SELECT * FROM (SELECT phase, epoch FROM records WHERE experiment = ?1 AND attempt = ?2"
      "                 ORDER BY phase, epoch LIMIT 1) AS lowest"
      "  UNION ALL"
      "  SELECT (SELECT phase FROM records WHERE experiment = ?1 AND attempt = ?2 AND (phase, epoch) > (seen.phase, "
      "seen.epoch) ORDER BY phase, epoch LIMIT 1),"
      "         (SELECT epoch FROM records WHERE experiment = ?1 AND attempt = ?2 AND (phase, epoch) > (seen.phase, "
      "seen.epoch) ORDER BY phase, epoch LIMIT 1) FROM seen WHERE seen.phase IS NOT NULL) "
      "SELECT phase, epoch FROM (SELECT phase, epoch FROM seen WHERE phase IS NOT NULL UNION "
      "                          SELECT phase, epoch FROM phase_ends WHERE experiment = ?1 AND attempt = ?2) AS found "
      "WHERE NOT EXISTS (SELECT 1 FROM seals WHERE seals.experiment = ?1 AND seals.attempt = ?2 AND seals.phase = "
      "found.phase AND seals.epoch = found.epoch) ORDER BY phase, epoch");
  query.Bind(no, attempt);
  return ReadPhases(std::move(query));
}

}  // namespace gradeline

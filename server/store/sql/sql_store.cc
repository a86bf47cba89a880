#include "server/store/sql/sql_store.h"

#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/store/sql/experiment_list.h"
#include "server/store/sql/reads.h"

namespace gradeline {

std::unique_ptr<Connection> SqlStore::TakeReader() {
  absl::MutexLock lock(&mutex_);
  const auto room = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return taken_ < most_readers_; };
  mutex_.Await(absl::Condition(&room));
  ++taken_;
  if (idle_.empty()) return nullptr;
  std::unique_ptr<Connection> reader = std::move(idle_.back());
  idle_.pop_back();
  return reader;
}

void SqlStore::GiveBack(std::unique_ptr<Connection> reader) {
  absl::MutexLock lock(&mutex_);
  --taken_;
  if (reader != nullptr && !reader->lost() && reader->failure().ok()) idle_.push_back(std::move(reader));
}

void SqlStore::CloseReaders() {
  absl::MutexLock lock(&mutex_);
  idle_.clear();
}

absl::Status SqlStore::CheckReads() {
  return Read([](Connection& connection) -> absl::Status { return connection.QueryNumber("SELECT 1").status(); });
}

absl::StatusOr<std::shared_ptr<void>> SqlStore::HoldSnapshot() {
  absl::MutexLock lock(&mutex_);
  if (!snapshot_.expired()) {
    return WithReason(absl::FailedPreconditionError("another backup or check is under way; wait until it is done"),
                      "SNAPSHOT_TAKEN");
  }
  std::shared_ptr<void> hold = std::make_shared<char>();
  snapshot_ = hold;
  return hold;
}

absl::StatusOr<Dataset> SqlStore::GetDataset(const std::string& id) {
  return Read([&](Connection& connection) -> absl::StatusOr<Dataset> {
    GRADELINE_ASSIGN_OR_RETURN(auto found, ReadDataset(connection, id));
    return std::move(found.second);
  });
}

absl::StatusOr<std::vector<Dataset>> SqlStore::ListDatasets(int limit, const std::string& after,
                                                            const DatasetFilter& filter) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<Dataset>> {
    Query query = connection.Prepare(
        "SELECT spec, delete_ms FROM datasets WHERE name > ?1 AND (delete_ms = 0 OR ?3 = 1) AND (fingerprint = ?4 OR "
        "?5 = 1) ORDER BY name LIMIT ?2");
    query.Bind(after, limit, filter.show_deleted, filter.fingerprint, filter.fingerprint.empty());
    std::vector<Dataset> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&]() -> absl::Status {
      GRADELINE_ASSIGN_OR_RETURN(Dataset dataset, DatasetOf(query, 0));
      list.push_back(std::move(dataset));
      return absl::OkStatus();
    }));
    return list;
  });
}

absl::Status SqlStore::ScanItems(const std::string& dataset, const std::function<void(const Item&)>& row) {
  int64_t last = -1;  // given out; another connection begins anew
  return Read([&](Connection& connection) -> absl::Status {
    GRADELINE_ASSIGN_OR_RETURN(const auto found, ReadDataset(connection, dataset));
    return ReadItems(connection, found.first, [&](const Item& item) {
      if (item.index <= last) return;
      last = item.index;
      row(item);
    });
  });
}

absl::StatusOr<Split> SqlStore::GetSplit(const std::string& id) {
  return Read([&](Connection& connection) -> absl::StatusOr<Split> {
    GRADELINE_ASSIGN_OR_RETURN(auto found, ReadSplit(connection, id));
    return std::move(found.second);
  });
}

absl::StatusOr<std::vector<std::string>> SqlStore::ListDeletedDatasets(const std::string& split) {
  return Read([&](Connection& connection) { return ReadDeletedDatasets(connection, split); });
}

absl::StatusOr<std::vector<Split>> SqlStore::ListSplits(int limit, const std::string& after, bool deleted) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<Split>> {
    Query query = connection.Prepare(
        "SELECT spec FROM splits WHERE name > ?1 AND (delete_ms = 0 OR ?3 = 1) ORDER BY name LIMIT ?2");
    query.Bind(after, limit, deleted ? 1 : 0);
    std::vector<Split> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&]() -> absl::Status {
      GRADELINE_ASSIGN_OR_RETURN(Split split, Decode<Split>(query.View(0)));
      list.push_back(std::move(split));
      return absl::OkStatus();
    }));
    return list;
  });
}

absl::StatusOr<std::vector<PlacedItem>> SqlStore::ListItems(const std::string& id, Phase part, int32_t rank,
                                                            int32_t world_size, int limit, int64_t after) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<PlacedItem>> {
    GRADELINE_ASSIGN_OR_RETURN(const auto split, ReadSplit(connection, id));
    Query query = connection.Prepare(
        "SELECT i.item, i.uri, i.label, i.more, c.position, c.source FROM split_items AS c JOIN split_datasets AS d ON "
        "d.split = c.split AND d.source = c.source JOIN items AS i ON i.dataset = d.dataset AND i.item = c.item WHERE "
        "c.split = ?1 AND c.part = ?2 AND c.position > ?6 AND c.position % ?4 = ?3 ORDER BY c.position LIMIT ?5");
    query.Bind(split.first, part, rank, world_size, limit, after);
    std::vector<PlacedItem> items;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&]() -> absl::Status {
      PlacedItem& placed = items.emplace_back();
      placed.position = query.Number(4);
      placed.item.dataset = split.second.datasets[static_cast<size_t>(query.Number(5))];
      return ReadItem(query, placed.item);
    }));
    return items;
  });
}

absl::StatusOr<std::pair<int64_t, Experiment>> SqlStore::GetExperiment(const std::string& id) {
  return Read([&](Connection& connection) { return ReadExperiment(connection, id); });
}

absl::StatusOr<Experiment> SqlStore::GetExperiment(int64_t no) {
  return Read([&](Connection& connection) { return ReadExperiment(connection, no); });
}

absl::StatusOr<std::vector<Experiment>> SqlStore::ListExperiments(const ListQuery& query, int limit,
                                                                  const std::string& after) {
  return Read([&](Connection& connection) { return ReadExperiments(connection, query, limit, after); });
}

absl::StatusOr<AttemptRow> SqlStore::GetAttempt(int64_t no, int32_t attempt) {
  return Read([&](Connection& connection) { return ReadAttempt(connection, no, attempt); });
}

absl::StatusOr<std::vector<RankRow>> SqlStore::ListRanks(int64_t no, int32_t attempt) {
  return Read([&](Connection& connection) { return ReadRanks(connection, no, attempt); });
}

absl::StatusOr<std::vector<ExpectedRank>> SqlStore::ListExpectedRanks() {
  return Read([](Connection& connection) -> absl::StatusOr<std::vector<ExpectedRank>> {
    Query query = connection.Prepare(
        "SELECT ranks.experiment, ranks.attempt, ranks.rank, ranks.fence, CASE ranks.state WHEN 'HELD' THEN 1 ELSE 0 "
        "END "
        "FROM experiments JOIN ranks ON ranks.experiment = experiments.no AND ranks.attempt = experiments.attempt "
        "WHERE experiments.state = 'RUNNING' AND ranks.state IN ('HELD', 'FREE') ORDER BY 1, 2, 3");
    std::vector<ExpectedRank> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      list.push_back({query.Number(0), static_cast<int32_t>(query.Number(1)), static_cast<int32_t>(query.Number(2)),
                      query.Number(3), query.Number(4) != 0});
      return absl::OkStatus();
    }));
    return list;
  });
}

absl::StatusOr<std::vector<Seal>> SqlStore::ListSeals(int64_t no, int limit, int64_t after_revision) {
  return Read([&](Connection& connection) {
    Query query = connection.Prepare(
        "SELECT result FROM seals WHERE experiment = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3");
    query.Bind(no, after_revision, limit);
    return ReadSeals(std::move(query));
  });
}

absl::StatusOr<std::vector<StoredEvent>> SqlStore::ListEvents(int64_t no, int limit, int64_t after_revision) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<StoredEvent>> {
    Query query = connection.Prepare(
        "SELECT revision, kind, body FROM events WHERE experiment = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3");
    query.Bind(no, after_revision, limit);
    std::vector<StoredEvent> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&]() -> absl::Status {
      StoredEvent event;
      event.revision = query.Number(0);
      if (query.View(1) == "seal") {
        GRADELINE_ASSIGN_OR_RETURN(event.body, Decode<Seal>(query.View(2)));
      } else {
        GRADELINE_ASSIGN_OR_RETURN(event.body, Decode<Experiment>(query.View(2)));
      }
      list.push_back(std::move(event));
      return absl::OkStatus();
    }));
    return list;
  });
}

absl::StatusOr<std::vector<Incident>> SqlStore::ListIncidents(int64_t no) {
  return Read([&](Connection& connection) -> absl::StatusOr<std::vector<Incident>> {
    Query query =
        connection.Prepare("SELECT attempt, rank, kind, body, at_ms FROM incidents WHERE experiment = ?1 ORDER BY no");
    query.Bind(no);
    std::vector<Incident> list;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      list.push_back({static_cast<int32_t>(query.Number(0)), static_cast<int32_t>(query.Number(1)), query.Bytes(2),
                      query.Bytes(3), query.Number(4)});
      return absl::OkStatus();
    }));
    return list;
  });
}

absl::StatusOr<std::vector<PhaseOfEpoch>> SqlStore::ListOpenPhases(int64_t no, int32_t attempt) {
  return Read([&](Connection& connection) { return ReadOpenPhases(connection, no, attempt); });
}

absl::StatusOr<std::vector<PhaseEndRow>> SqlStore::ListPhaseEnds(int64_t no, int32_t attempt, PhaseOfEpoch phase) {
  return Read([&](Connection& connection) { return ReadPhaseEnds(connection, no, attempt, phase); });
}

absl::Status SqlStore::ScanRecords(int64_t no, int32_t attempt, PhaseOfEpoch phase,
                                   const std::function<void(const RecordRow&)>& row) {
  return Read([&](Connection& connection) { return ReadRecords(connection, no, attempt, phase, row); });
}

}  // namespace gradeline

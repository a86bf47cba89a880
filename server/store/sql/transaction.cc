#include "server/store/sql/transaction.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/core/experiment/item_codec.h"
#include "server/core/experiment/names.h"
#include "server/store/sql/reads.h"

namespace gradeline {
namespace {

constexpr int64_t kRequestAgeMs = int64_t{24} * 3600 * 1000;

constexpr char kItemColumns[] = "items(dataset, item, uri, label, more)";
constexpr char kPartColumns[] = "split_items(split, part, position, item, source)";
constexpr int kItemValues = 5, kPartValues = 5;
constexpr size_t kRowsAtOnce = 100;  // saves most of what a statement costs

// "INSERT INTO t(a, b) VALUES(?1, ?2), (?3, ?4)" of (t(a, b), 2, 2).
std::string InsertSql(const char* into, int values, size_t rows) {
  std::string sql = absl::StrCat("INSERT INTO ", into, " VALUES");
  for (size_t i = 1; i <= rows * static_cast<size_t>(values); ++i) {
    const bool first = (i - 1) % static_cast<size_t>(values) == 0, last = i % static_cast<size_t>(values) == 0;
    absl::StrAppend(&sql, first ? (i == 1 ? "(" : ", (") : ", ", "?", i, last ? ")" : "");
  }
  return sql;
}

// An INSERT that did nothing.
absl::Status Taken(const std::string& what) { return absl::AlreadyExistsError(absl::StrCat(what, " exists")); }

}  // namespace

absl::Status SqlTransaction::Nested(const std::function<absl::Status()>& work) {
  GRADELINE_RETURN_IF_ERROR(connection_->Prepare("SAVEPOINT nested").Run());
  absl::Status status = work();
  if (!failure().ok()) return failure();
  if (!status.ok()) GRADELINE_RETURN_IF_ERROR(connection_->Prepare("ROLLBACK TO nested").Run());
  GRADELINE_RETURN_IF_ERROR(connection_->Prepare("RELEASE nested").Run());
  return status;
}

absl::Status SqlTransaction::Commit() {
  // A failure may have ended the transaction already (disk full does); what would be committed now is not all.
  if (!failure().ok()) return failure();
  return connection_->Prepare("COMMIT").Run();
}

absl::StatusOr<std::optional<std::string>> SqlTransaction::FindRequest(const std::string& request_id,
                                                                       const Digest& digest) {
  Query query = connection_->Prepare("SELECT digest, response FROM requests WHERE caller = '' AND request_id = ?1");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Bind(request_id).Step());
  if (!found) return std::nullopt;
  if (query.View(0) != BytesOf(digest)) {
    return WithReason(
        absl::AlreadyExistsError(absl::StrCat("request id ", request_id, " was used for another request")),
        "REQUEST_ID_USED", {{"request_id", request_id}});
  }
  return query.Bytes(1);
}

absl::Status SqlTransaction::PutRequest(const std::string& request_id, const Digest& digest,
                                        const std::string& response, int64_t at_ms) {
  GRADELINE_RETURN_IF_ERROR(
      connection_->Prepare("DELETE FROM requests WHERE at_ms < ?1").Bind(at_ms - kRequestAgeMs).Run());
  GRADELINE_ASSIGN_OR_RETURN(
      const bool inserted,
      connection_
          ->Prepare("INSERT INTO requests(caller, request_id, digest, response, at_ms) VALUES('', ?1, ?2, ?3, ?4) "
                    "ON CONFLICT DO NOTHING")
          .Bind(request_id, Blob{BytesOf(digest)}, Blob{response}, at_ms)
          .Insert());
  return inserted ? absl::OkStatus() : Taken(absl::StrCat("request id ", request_id));
}

absl::Status SqlTransaction::InsertDataset(const Dataset& dataset, const std::vector<Item>& items) {
  Query insert = connection_->Prepare(
      "INSERT INTO datasets(name, spec, fingerprint) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING RETURNING no");
  GRADELINE_ASSIGN_OR_RETURN(const bool inserted,
                             insert.Bind(dataset.id, Blob{Encode(dataset)}, dataset.fingerprint).Step());
  if (!inserted) return Taken(absl::StrCat("dataset ", dataset.id));
  const int64_t no = insert.Number(0);
  static const std::string& many = *new std::string(InsertSql(kItemColumns, kItemValues, kRowsAtOnce));
  static const std::string& one = *new std::string(InsertSql(kItemColumns, kItemValues, 1));
  for (size_t i = 0; i < items.size();) {
    const size_t rows = items.size() - i < kRowsAtOnce ? 1 : kRowsAtOnce;
    Query statement = connection_->Prepare((rows == 1 ? one : many).c_str());
    for (size_t row = 0; row < rows; ++row, ++i) {
      const Item& item = items[i];
      statement.BindFrom(static_cast<int>(row) * kItemValues + 1, no, item.index, item.uri, item.label,
                         Blob{EncodeMore(item)});
    }
    statement.Send();
    GRADELINE_RETURN_IF_ERROR(failure());
  }
  return absl::OkStatus();
}

absl::StatusOr<Dataset> SqlTransaction::GetDataset(const std::string& id) {
  GRADELINE_ASSIGN_OR_RETURN(auto dataset, ReadDataset(*connection_, id, lock_));
  return std::move(dataset.second);
}

absl::StatusOr<std::vector<std::string>> SqlTransaction::ListSplitsOf(const std::string& dataset) {
  GRADELINE_ASSIGN_OR_RETURN(const auto found, ReadDataset(*connection_, dataset, lock_));
  Query query = connection_->Prepare(
      "SELECT DISTINCT s.name FROM splits AS s JOIN split_datasets AS d ON d.split = s.no WHERE d.dataset = ?1 ORDER "
      "BY s.name");
  query.Bind(found.first);
  return ReadIds(std::move(query));
}

absl::StatusOr<std::vector<std::string>> SqlTransaction::ListExperimentsOver(const std::string& dataset) {
  GRADELINE_ASSIGN_OR_RETURN(const auto found, ReadDataset(*connection_, dataset, lock_));
  Query query = connection_->Prepare(
      "SELECT name FROM experiments WHERE split IN (SELECT s.name FROM split_datasets AS d JOIN splits AS s ON s.no = "
      "d.split WHERE d.dataset = ?1) ORDER BY name");
  query.Bind(found.first);
  return ReadIds(std::move(query));
}

absl::Status SqlTransaction::MarkDataset(const std::string& id, int64_t delete_ms) {
  GRADELINE_ASSIGN_OR_RETURN(const auto dataset, ReadDataset(*connection_, id, lock_));
  return connection_->Prepare("UPDATE datasets SET delete_ms = ?2 WHERE no = ?1").Bind(dataset.first, delete_ms).Run();
}

absl::Status SqlTransaction::RemoveDataset(const std::string& id) {
  GRADELINE_ASSIGN_OR_RETURN(const auto dataset, ReadDataset(*connection_, id, lock_));
  GRADELINE_RETURN_IF_ERROR(connection_->Prepare("DELETE FROM items WHERE dataset = ?1").Bind(dataset.first).Run());
  return connection_->Prepare("DELETE FROM datasets WHERE no = ?1").Bind(dataset.first).Run();
}

absl::Status SqlTransaction::InsertSplit(const Split& split, const std::vector<Dataset>& datasets,
                                         const std::vector<PartedItem>& items) {
  std::map<std::string, const Dataset*> by_id;  // locked in this order, so that no two wait for one another
  for (const Dataset& dataset : datasets) by_id.emplace(dataset.id, &dataset);
  std::map<std::string, int64_t> numbers;
  for (const auto& [id, dataset] : by_id) {
    GRADELINE_ASSIGN_OR_RETURN(const auto now, ReadDataset(*connection_, id, lock_));
    if (now.second.create_ms != dataset->create_ms || now.second.delete_ms != 0) {
      return absl::FailedPreconditionError(absl::StrCat("dataset ", id, " has changed meanwhile"));
    }
    numbers.emplace(id, now.first);
  }
  Query insert =
      connection_->Prepare("INSERT INTO splits(name, spec) VALUES(?1, ?2) ON CONFLICT DO NOTHING RETURNING no");
  GRADELINE_ASSIGN_OR_RETURN(const bool inserted, insert.Bind(split.id, Blob{Encode(split)}).Step());
  if (!inserted) return Taken(absl::StrCat("split ", split.id));
  const int64_t no = insert.Number(0);
  for (size_t source = 0; source < datasets.size(); ++source) {
    connection_->Prepare("INSERT INTO split_datasets(split, source, dataset) VALUES(?1, ?2, ?3)")
        .Bind(no, source, numbers[datasets[source].id])
        .Send();
  }
  static const std::string& many = *new std::string(InsertSql(kPartColumns, kPartValues, kRowsAtOnce));
  static const std::string& one = *new std::string(InsertSql(kPartColumns, kPartValues, 1));
  int64_t position[4] = {};
  for (size_t i = 0; i < items.size();) {
    const size_t rows = items.size() - i < kRowsAtOnce ? 1 : kRowsAtOnce;
    Query statement = connection_->Prepare((rows == 1 ? one : many).c_str());
    for (size_t row = 0; row < rows; ++row, ++i) {
      const PartedItem& item = items[i];
      statement.BindFrom(static_cast<int>(row) * kPartValues + 1, no, item.part, position[item.part & 3]++, item.index,
                         item.source);
    }
    statement.Send();
    GRADELINE_RETURN_IF_ERROR(failure());
  }
  return absl::OkStatus();
}

absl::StatusOr<Split> SqlTransaction::GetSplit(const std::string& id) {
  GRADELINE_ASSIGN_OR_RETURN(auto found, ReadSplit(*connection_, id, lock_));
  return std::move(found.second);
}

absl::StatusOr<Split> SqlTransaction::HoldSplit(const std::string& id) {
  GRADELINE_ASSIGN_OR_RETURN(
      auto found, ReadSplit(*connection_, id, lock_ == RowLock::kNone ? RowLock::kNone : RowLock::kForShare));
  return std::move(found.second);
}

absl::StatusOr<std::vector<std::string>> SqlTransaction::ListDeletedDatasets(const std::string& split) {
  return ReadDeletedDatasets(*connection_, split);
}

absl::StatusOr<std::vector<std::string>> SqlTransaction::ListExperimentsOf(const std::string& split) {
  Query query = connection_->Prepare("SELECT name FROM experiments WHERE split = ?1 ORDER BY name");
  query.Bind(split);
  return ReadIds(std::move(query));
}

absl::Status SqlTransaction::UpdateSplit(const Split& split) {
  GRADELINE_ASSIGN_OR_RETURN(const auto found, ReadSplit(*connection_, split.id, lock_));
  return connection_->Prepare("UPDATE splits SET spec = ?2, delete_ms = ?3 WHERE no = ?1")
      .Bind(found.first, Blob{Encode(split)}, split.delete_ms)
      .Run();
}

absl::Status SqlTransaction::RemoveSplit(const std::string& id) {
  GRADELINE_ASSIGN_OR_RETURN(const auto found, ReadSplit(*connection_, id, lock_));
  for (const char* statement : {"DELETE FROM split_items WHERE split = ?1",
                                "DELETE FROM split_datasets WHERE split = ?1", "DELETE FROM splits WHERE no = ?1"}) {
    GRADELINE_RETURN_IF_ERROR(connection_->Prepare(statement).Bind(found.first).Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::pair<int64_t, Experiment>> SqlTransaction::GetExperiment(const std::string& id) {
  return ReadExperiment(*connection_, id, lock_);
}

absl::StatusOr<Experiment> SqlTransaction::GetExperiment(int64_t no) { return ReadExperiment(*connection_, no, lock_); }

absl::Status SqlTransaction::InsertEvent(int64_t no, const StoredEvent& event) {
  const bool seal = std::holds_alternative<Seal>(event.body);
  const std::string body = std::visit([](const auto& what) { return Encode(what); }, event.body);
  GRADELINE_ASSIGN_OR_RETURN(
      const bool inserted,
      connection_
          ->Prepare(
              "INSERT INTO events(experiment, revision, kind, body) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")
          .Bind(no, event.revision, seal ? "seal" : "experiment", Blob{body})
          .Insert());
  return inserted ? absl::OkStatus() : Taken(absl::StrCat("revision ", event.revision));
}

absl::Status SqlTransaction::InsertAttempt(const AttemptRow& attempt) {
  GRADELINE_ASSIGN_OR_RETURN(
      const bool inserted,
      connection_
          ->Prepare(
              "INSERT INTO attempts(experiment, attempt, token, world_size, first_epoch, numerics, state, reason) "
              "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING")
          .Bind(attempt.experiment_no, attempt.attempt, Blob{attempt.token}, attempt.world_size, attempt.first_epoch,
                attempt.numerics, attempt.ended ? NameOf(*attempt.ended) : "OPEN", attempt.reason)
          .Insert());
  if (!inserted) return Taken(absl::StrCat("attempt ", attempt.attempt));
  for (int32_t rank = 0; rank < attempt.world_size; ++rank) {
    RankRow row;
    row.rank = rank;
    GRADELINE_RETURN_IF_ERROR(PutRank(attempt.experiment_no, attempt.attempt, row));
  }
  return absl::OkStatus();
}

absl::StatusOr<AttemptRow> SqlTransaction::GetAttempt(int64_t no, int32_t attempt) {
  return ReadAttempt(*connection_, no, attempt);
}

absl::Status SqlTransaction::CloseAttempt(int64_t no, int32_t attempt, ExperimentState ended,
                                          const std::string& reason) {
  GRADELINE_RETURN_IF_ERROR(
      connection_->Prepare("UPDATE attempts SET state = ?3, reason = ?4 WHERE experiment = ?1 AND attempt = ?2")
          .Bind(no, attempt, NameOf(ended), reason)
          .Run());
  return connection_->Prepare("UPDATE ranks SET fence = fence + 1 WHERE experiment = ?1 AND attempt = ?2")
      .Bind(no, attempt)
      .Run();
}

absl::Status SqlTransaction::CountLate(int64_t no, int32_t attempt) {
  connection_->Prepare("UPDATE attempts SET late = late + 1 WHERE experiment = ?1 AND attempt = ?2")
      .Bind(no, attempt)
      .Send();
  return failure();
}

absl::StatusOr<RankRow> SqlTransaction::GetRank(int64_t no, int32_t attempt, int32_t rank) {
  return ReadRank(*connection_, no, attempt, rank);
}

absl::StatusOr<std::vector<RankRow>> SqlTransaction::ListRanks(int64_t no, int32_t attempt) {
  return ReadRanks(*connection_, no, attempt);
}

absl::Status SqlTransaction::PutRank(int64_t no, int32_t attempt, const RankRow& rank) {
  connection_
      ->Prepare(
          "INSERT INTO ranks(experiment, attempt, rank, instance, fence, state, committed_seq) VALUES(?1, ?2, "
          "?3, ?4, ?5, ?6, ?7) ON CONFLICT(experiment, attempt, rank) DO UPDATE SET instance = ?4, fence = ?5, state = "
          "?6, committed_seq = "
          "?7")
      .Bind(no, attempt, rank.rank, Blob{rank.instance}, rank.fence, NameOf(rank.state), rank.committed_seq)
      .Send();
  return failure();
}

}  // namespace gradeline

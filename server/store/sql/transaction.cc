#include "server/store/sql/transaction.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/core/experiment/names.h"
#include "server/store/sql/reads.h"

namespace gradeline {
namespace {

constexpr int64_t kRequestAgeMs = int64_t{24} * 3600 * 1000;

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
  Query insert =
      connection_->Prepare("INSERT INTO datasets(name, spec) VALUES(?1, ?2) ON CONFLICT DO NOTHING RETURNING no");
  GRADELINE_ASSIGN_OR_RETURN(const bool inserted, insert.Bind(dataset.id, Blob{Encode(dataset)}).Step());
  if (!inserted) return Taken(absl::StrCat("dataset ", dataset.id));
  const int64_t no = insert.Number(0);
  for (const Item& item : items) {
    connection_->Prepare("INSERT INTO items(dataset, item, uri, label) VALUES(?1, ?2, ?3, ?4)")
        .Bind(no, item.index, item.uri, item.label)
        .Send();
    GRADELINE_RETURN_IF_ERROR(failure());
  }
  return absl::OkStatus();
}

absl::Status SqlTransaction::DeleteDataset(const std::string& id) {
  GRADELINE_ASSIGN_OR_RETURN(const auto dataset, ReadDataset(*connection_, id, lock_));
  {
    Query query = connection_->Prepare("SELECT name FROM splits WHERE dataset = ?1 ORDER BY name LIMIT 3");
    query.Bind(dataset.first);
    std::vector<std::string> users;
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      users.push_back(query.Bytes(0));
      return absl::OkStatus();
    }));
    if (!users.empty()) {
      return WithReason(absl::FailedPreconditionError(
                            absl::StrCat("dataset ", id, " is used by the splits ", absl::StrJoin(users, ", "))),
                        "DATASET_IN_USE", {{"dataset", id}});
    }
  }
  GRADELINE_RETURN_IF_ERROR(connection_->Prepare("DELETE FROM items WHERE dataset = ?1").Bind(dataset.first).Run());
  return connection_->Prepare("DELETE FROM datasets WHERE no = ?1").Bind(dataset.first).Run();
}

absl::Status SqlTransaction::InsertSplit(const Split& split, const std::vector<uint8_t>& part_of_item) {
  GRADELINE_ASSIGN_OR_RETURN(const auto dataset, ReadDataset(*connection_, split.dataset, lock_));
  if (dataset.second.item_count != static_cast<int64_t>(part_of_item.size())) {
    return absl::FailedPreconditionError(absl::StrCat("dataset ", split.dataset, " has changed meanwhile"));
  }
  Query insert = connection_->Prepare(
      "INSERT INTO splits(name, dataset, spec) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING RETURNING no");
  GRADELINE_ASSIGN_OR_RETURN(const bool inserted, insert.Bind(split.id, dataset.first, Blob{Encode(split)}).Step());
  if (!inserted) return Taken(absl::StrCat("split ", split.id));
  const int64_t no = insert.Number(0);
  int64_t position[4] = {};
  for (size_t item = 0; item < part_of_item.size(); ++item) {
    const uint8_t part = part_of_item[item];
    connection_->Prepare("INSERT INTO split_items(split, part, position, item) VALUES(?1, ?2, ?3, ?4)")
        .Bind(no, part, position[part & 3]++, item)
        .Send();
    GRADELINE_RETURN_IF_ERROR(failure());
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> SqlTransaction::InsertExperiment(const Experiment& experiment) {
  Query insert = connection_->Prepare(
      "INSERT INTO experiments(name, state, reason, state_ms, attempt, revision, etag, numerics, spec) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING RETURNING no");
  insert.Bind(experiment.id, NameOf(experiment.state), experiment.reason, experiment.state_ms, experiment.attempt,
              experiment.revision, experiment.etag, experiment.numerics, Blob{Encode(experiment)});
  GRADELINE_ASSIGN_OR_RETURN(const bool inserted, insert.Step());
  if (!inserted) return Taken(absl::StrCat("experiment ", experiment.id));
  return insert.Number(0);
}

absl::StatusOr<std::pair<int64_t, Experiment>> SqlTransaction::GetExperiment(const std::string& id) {
  return ReadExperiment(*connection_, id, lock_);
}

absl::StatusOr<Experiment> SqlTransaction::GetExperiment(int64_t no) { return ReadExperiment(*connection_, no, lock_); }

absl::Status SqlTransaction::UpdateExperiment(int64_t no, const Experiment& experiment) {
  connection_
      ->Prepare(
          "UPDATE experiments SET state = ?2, reason = ?3, state_ms = ?4, attempt = ?5, revision = ?6, etag = ?7, "
          "numerics = ?8 WHERE no = ?1")
      .Bind(no, NameOf(experiment.state), experiment.reason, experiment.state_ms, experiment.attempt,
            experiment.revision, experiment.etag, experiment.numerics)
      .Send();
  return failure();
}

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

#include "server/store/postgres/transaction.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/store/sql/reads.h"

namespace gradeline {
namespace {

// The columns of many places, each as a list with commas.
struct Columns {
  explicit Columns(const std::vector<RecordPlace>& places) {
    const auto join = [&places](auto column) {
      return absl::StrJoin(places, ",", [&column](std::string* out, const RecordPlace& place) {
        absl::StrAppend(out, static_cast<int64_t>(column(place)));
      });
    };
    experiment = join([](const RecordPlace& place) { return place.experiment_no; });
    attempt = join([](const RecordPlace& place) { return place.attempt; });
    phase = join([](const RecordPlace& place) { return place.key.phase; });
    epoch = join([](const RecordPlace& place) { return place.key.epoch; });
    step = join([](const RecordPlace& place) { return place.key.step; });
    rank = join([](const RecordPlace& place) { return place.rank; });
    head = join([](const RecordPlace& place) { return place.key.head; });
    part = join([](const RecordPlace& place) { return place.key.part; });
  }
  std::string experiment, attempt, phase, epoch, step, rank, head, part;
};

}  // namespace

PostgresTransaction::~PostgresTransaction() {
  if (!failure().ok()) end_ = failure();
  connection().Rollback();
  ended_(end_);  // others may use the connection now
}

absl::Status PostgresTransaction::Nested(const std::function<absl::Status()>& work) {
  const absl::Status status = SqlTransaction::Nested(work);
  if (!status.ok()) digests_.clear();
  return status;
}

absl::Status PostgresTransaction::Commit() {
  absl::Status status = SqlTransaction::Commit();
  if (status.ok()) end_ = status;
  return status;
}

absl::StatusOr<std::optional<std::string>> PostgresTransaction::FindRequest(const std::string& request_id,
                                                                            const Digest& digest) {
  GRADELINE_RETURN_IF_ERROR(
      connection()
          .Prepare("SELECT pg_advisory_xact_lock(hashtextextended('gradeline request ' || encode(?1, 'hex'), 0))")
          .Bind(Blob{request_id})
          .Run());
  return SqlTransaction::FindRequest(request_id, digest);
}

absl::StatusOr<bool> PostgresTransaction::IsOwnerless(const std::string& id) {
  Query query = connection().Prepare(
      "SELECT owner, CASE WHEN replicas.no IS NULL THEN 0 ELSE 1 END, coalesce(address, '') FROM experiments LEFT JOIN "
      "replicas ON replicas.no = owner WHERE name = ?1");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Step());
  if (!found || query.Number(0) == replica_) return false;
  if (query.Number(1) == 0) return true;
  const std::string address = query.Bytes(2);
  return WithReason(absl::UnavailableError(absl::StrCat("experiment ", id, " is run by another server, at ", address)),
                    "NOT_OWNER", {{"experiment", id}, {"address", address}});
}

absl::StatusOr<std::pair<int64_t, Experiment>> PostgresTransaction::OwnExperiment(const std::string& id) {
  GRADELINE_RETURN_IF_ERROR(IsOwnerless(id).status());
  GRADELINE_ASSIGN_OR_RETURN(auto experiment, GetExperiment(id));
  GRADELINE_ASSIGN_OR_RETURN(const bool ownerless, IsOwnerless(id));
  if (ownerless) {
    GRADELINE_RETURN_IF_ERROR(
        connection().Prepare("UPDATE experiments SET owner = ?2 WHERE no = ?1").Bind(experiment.first, replica_).Run());
  }
  return experiment;
}

absl::Status PostgresTransaction::Foresee(const std::vector<RecordPlace>& places) {
  const Columns columns(places);
  // LATERAL: by key for each place, however many rows the planner believes there are.
  Query query = connection().Prepare(
      "SELECT place.*, digest FROM unnest(string_to_array(?1, ',')::bigint[], string_to_array(?2, ',')::integer[], "
      "string_to_array(?3, ',')::smallint[], string_to_array(?4, ',')::bigint[], string_to_array(?5, ',')::bigint[], "
      "string_to_array(?6, ',')::integer[], string_to_array(?7, ',')::integer[], string_to_array(?8, ',')::integer[]) "
      "AS place(experiment, attempt, phase, epoch, step, rank, head, part), LATERAL (SELECT digest FROM records WHERE "
      "records.experiment = place.experiment AND records.attempt = place.attempt AND records.phase = place.phase AND "
      "records.epoch = place.epoch AND records.step = place.step AND records.rank = place.rank AND records.head = "
      "place.head AND records.part = place.part LIMIT 1) AS record");
  query.Bind(columns.experiment, columns.attempt, columns.phase, columns.epoch, columns.step, columns.rank,
             columns.head, columns.part);
  for (const RecordPlace& place : places) digests_[place] = std::nullopt;
  return ForRows(query, [&] {
    const RecordPlace place{query.Number(0),
                            static_cast<int32_t>(query.Number(1)),
                            static_cast<int32_t>(query.Number(5)),
                            {static_cast<Phase>(query.Number(2)), query.Number(3), query.Number(4),
                             static_cast<int32_t>(query.Number(6)), static_cast<int32_t>(query.Number(7))}};
    digests_[place] = query.Bytes(8);
    return absl::OkStatus();
  });
}

absl::StatusOr<InsertOutcome> PostgresTransaction::InsertRecord(int64_t no, int32_t attempt, int32_t rank,
                                                                const Record& record) {
  const RecordPlace place{no, attempt, rank, record.key};
  auto found = digests_.find(place);
  if (found == digests_.end()) {
    GRADELINE_ASSIGN_OR_RETURN(auto digest, FindDigest(no, attempt, rank, record.key));
    found = digests_.emplace(place, std::move(digest)).first;
  }
  if (found->second) {
    return *found->second == BytesOf(record.digest) ? InsertOutcome::kSame : InsertOutcome::kDifferent;
  }
  Query insert = connection().Prepare(
      "INSERT INTO records(experiment, attempt, phase, epoch, step, rank, head, part, seq, digest, code, items, vals, "
      "metrics, refusal) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)");
  BindRecord(insert, no, attempt, rank, record).Send();
  GRADELINE_RETURN_IF_ERROR(failure());
  found->second = BytesOf(record.digest);
  return InsertOutcome::kInserted;
}

}  // namespace gradeline

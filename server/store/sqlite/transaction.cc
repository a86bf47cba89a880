#include "server/store/sqlite/transaction.h"

#include "server/core/base/status.h"

namespace gradeline {

absl::StatusOr<std::unique_ptr<Transaction>> SqliteTransaction::Begin(Connection* connection) {
  connection->ForgetFailure();
  GRADELINE_RETURN_IF_ERROR(connection->Prepare("BEGIN IMMEDIATE").Run());
  return std::unique_ptr<Transaction>(new SqliteTransaction(connection));
}

absl::StatusOr<InsertOutcome> SqliteTransaction::InsertRecord(int64_t no, int32_t attempt, int32_t rank,
                                                              const Record& record) {
  Query insert = connection().Prepare(
      "INSERT INTO records(experiment, attempt, phase, epoch, step, rank, head, part, seq, digest, code, items, vals, "
      "metrics, refusal) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, nullif(?14, x''), "
      "nullif(?15, x'')) ON CONFLICT(experiment, attempt, phase, epoch, step, rank, head, part) DO NOTHING");
  GRADELINE_ASSIGN_OR_RETURN(const bool inserted, BindRecord(insert, no, attempt, rank, record).Insert());
  if (inserted) return InsertOutcome::kInserted;
  GRADELINE_ASSIGN_OR_RETURN(const auto digest, FindDigest(no, attempt, rank, record.key));
  return digest == BytesOf(record.digest) ? InsertOutcome::kSame : InsertOutcome::kDifferent;
}

}  // namespace gradeline

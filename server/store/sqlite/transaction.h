// The write transaction over the one writing connection.
#ifndef GRADELINE_SERVER_STORE_SQLITE_TRANSACTION_H_
#define GRADELINE_SERVER_STORE_SQLITE_TRANSACTION_H_

#include <memory>

#include "server/store/sql/transaction.h"

namespace gradeline {

class SqliteTransaction : public SqlTransaction {
 public:
  /// `connection` outlives it and has no transaction open.
  static absl::StatusOr<std::unique_ptr<Transaction>> Begin(Connection* connection);
  ~SqliteTransaction() override { connection().Rollback(); }
  absl::StatusOr<InsertOutcome> InsertRecord(int64_t no, int32_t attempt, int32_t rank, const Record& record) override;

 private:
  explicit SqliteTransaction(Connection* connection) : SqlTransaction(connection, RowLock::kNone) {}
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_TRANSACTION_H_

// The write transaction over the writing connection.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_TRANSACTION_H_
#define GRADELINE_SERVER_STORE_POSTGRES_TRANSACTION_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/store/postgres/connection.h"
#include "server/store/sql/transaction.h"

namespace gradeline {

class PostgresTransaction : public SqlTransaction {
 public:
  /// Has begun on `connection`, which outlives it and is replica `replica`'s. `ended` runs last, with how it ended: OK
  /// if it is committed, and ABORTED if nobody wanted to.
  PostgresTransaction(PostgresConnection* connection, int64_t replica, std::function<void(const absl::Status&)> ended)
      : SqlTransaction(connection, RowLock::kForUpdate), replica_(replica), ended_(std::move(ended)) {}
  ~PostgresTransaction() override;

  absl::Status Nested(const std::function<absl::Status()>& work) override;
  absl::Status Commit() override;
  /// One at a time for each id, so that a request which came through two replicas is done by one.
  absl::StatusOr<std::optional<std::string>> FindRequest(const std::string& request_id, const Digest& digest) override;
  /// Waits for no other server: looks at the owner before it asks for the row's lock, and again with it.
  absl::StatusOr<std::pair<int64_t, Experiment>> OwnExperiment(const std::string& id) override;
  /// One round trip for all; records that were foreseen then need none each.
  absl::Status Foresee(const std::vector<RecordPlace>& places) override;
  absl::StatusOr<InsertOutcome> InsertRecord(int64_t no, int32_t attempt, int32_t rank, const Record& record) override;

 private:
  /// Whether the experiment, if there is one, has no owner; NOT_OWNER if that is another replica.
  absl::StatusOr<bool> IsOwnerless(const std::string& id);

  const int64_t replica_;
  const std::function<void(const absl::Status&)> ended_;
  absl::Status end_ = absl::AbortedError("not committed");
  std::map<RecordPlace, std::optional<std::string>> digests_;  // of keys looked for; nullopt: free
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_TRANSACTION_H_

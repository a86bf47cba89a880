#include "server/store/postgres/snapshot.h"

#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/store/postgres/connection.h"
#include "server/store/sql/orphans.h"
#include "server/store/sql/sql_store.h"

namespace gradeline {
namespace {

// The check reads whole tables and thinks about what it read: neither is to be cut off.
constexpr char kBegin[] =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0; "
    "SET LOCAL statement_timeout = 0";

absl::Status ReadOnly() { return absl::FailedPreconditionError("a snapshot is only read"); }

/// The store of one moment. Every connection that it opens sees the same.
class MomentStore : public SqlStore {
 public:
  /// `moment`: what pg_export_snapshot said.
  MomentStore(std::string conninfo, std::string moment)
      : SqlStore(/*most_readers=*/1), conninfo_(std::move(conninfo)), moment_(std::move(moment)) {}

  absl::StatusOr<std::unique_ptr<Transaction>> Begin() override { return ReadOnly(); }
  absl::Status Maintain(bool) override { return absl::OkStatus(); }
  absl::Status Check() override { return CheckReads(); }
  absl::StatusOr<std::vector<std::string>> CheckIntegrity(const std::function<bool()>& go_on) override {
    GRADELINE_ASSIGN_OR_RETURN(const auto reader, OpenReader());
    // Each question is about the whole of a table.
    GRADELINE_RETURN_IF_ERROR(reader->Execute("SET LOCAL enable_seqscan = on"));
    return FindOrphans(*reader, go_on);
  }
  absl::StatusOr<std::unique_ptr<Snapshot>> TakeSnapshot(const std::function<bool()>&) override { return ReadOnly(); }

 protected:
  absl::StatusOr<std::unique_ptr<Connection>> OpenReader() override {
    GRADELINE_ASSIGN_OR_RETURN(auto reader, PostgresConnection::Open(conninfo_));
    GRADELINE_RETURN_IF_ERROR(reader->Execute(kBegin));
    const absl::Status set = reader->Execute(absl::StrCat("SET TRANSACTION SNAPSHOT '", moment_, "'"));
    if (set.ok()) return reader;
    return absl::UnavailableError(absl::StrCat("the moment that is looked at was lost: ", set.message()));
  }

 private:
  const std::string conninfo_, moment_;
};

class PostgresSnapshot : public Snapshot {
 public:
  PostgresSnapshot(std::string conninfo, std::string moment, std::unique_ptr<PostgresConnection> keeper,
                   std::shared_ptr<void> hold)
      : conninfo_(std::move(conninfo)),
        moment_(std::move(moment)),
        hold_(std::move(hold)),
        keeper_(std::move(keeper)) {}

  int64_t bytes() const override { return 0; }
  absl::StatusOr<std::string> Read(int64_t, size_t) override {
    return absl::UnimplementedError("the database is PostgreSQL's: back it up with pg_dump");
  }
  absl::StatusOr<std::shared_ptr<Store>> Open() override { return std::make_shared<MomentStore>(conninfo_, moment_); }

 private:
  const std::string conninfo_, moment_;
  const std::shared_ptr<void> hold_;
  const std::unique_ptr<PostgresConnection> keeper_;  // its transaction lasts as long as the moment
};

}  // namespace

absl::StatusOr<std::unique_ptr<Snapshot>> TakePostgresSnapshot(const std::string& conninfo,
                                                               std::shared_ptr<void> hold) {
  GRADELINE_ASSIGN_OR_RETURN(auto keeper, PostgresConnection::Open(conninfo));
  GRADELINE_RETURN_IF_ERROR(keeper->Execute(kBegin));
  std::string moment;
  {
    Query query = keeper->Prepare("SELECT pg_export_snapshot()");
    GRADELINE_RETURN_IF_ERROR(query.Step().status());
    moment = query.Bytes(0);
  }
  return std::make_unique<PostgresSnapshot>(conninfo, std::move(moment), std::move(keeper), std::move(hold));
}

}  // namespace gradeline

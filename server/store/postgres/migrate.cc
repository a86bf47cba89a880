#include "server/store/postgres/migrate.h"

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

absl::Status Apply(PostgresConnection& connection, const Migration& migration) {
  // Several statements in one message are one transaction.
  absl::Status status = connection.Execute(
      absl::StrCat(migration.sql, ";\nDELETE FROM gradeline_schema; INSERT INTO gradeline_schema(version) VALUES(",
                   migration.number, ")"));
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("migration ", migration.name, ": ", status.message()));
}

// Until the session ends or it is given back. Another server may be starting on the same schema.
constexpr char kLock[] =
    "SELECT pg_advisory_lock(hashtextextended('gradeline schema ' || current_schema()::regnamespace::oid, 0))";
constexpr char kUnlock[] =
    "SELECT pg_advisory_unlock(hashtextextended('gradeline schema ' || current_schema()::regnamespace::oid, 0))";

absl::Status MigrateLocked(PostgresConnection& connection, const std::vector<Migration>& migrations) {
  GRADELINE_ASSIGN_OR_RETURN(const int64_t ours,
                             connection.QueryNumber("SELECT count(*) FROM pg_class WHERE relnamespace = "
                                                    "current_schema()::regnamespace AND relname = 'gradeline_schema'"));
  GRADELINE_ASSIGN_OR_RETURN(const int64_t tables,
                             connection.QueryNumber("SELECT count(*) FROM pg_class WHERE relnamespace = "
                                                    "current_schema()::regnamespace AND relkind IN ('r', 'p')"));
  if (ours == 0 && tables != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(connection.name(),
                     " has tables of another program in the first schema of its search_path; name "
                     "another database, or another schema with options=-csearch_path=NAME"));
  }
  GRADELINE_RETURN_IF_ERROR(
      connection.Execute("CREATE TABLE IF NOT EXISTS gradeline_schema(version INTEGER NOT NULL)"));
  GRADELINE_ASSIGN_OR_RETURN(const int64_t version,
                             connection.QueryNumber("SELECT coalesce(max(version), 0) FROM gradeline_schema"));
  GRADELINE_RETURN_IF_ERROR(CheckNotNewer(connection.name(), version, migrations));
  for (const Migration& migration : migrations) {
    if (migration.number > version) GRADELINE_RETURN_IF_ERROR(Apply(connection, migration));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Migrate(PostgresConnection& connection, const std::vector<Migration>& migrations) {
  // As long as a migration may take; whoever stands still in one must not keep others from starting for ever.
  GRADELINE_RETURN_IF_ERROR(connection.Execute("SET lock_timeout = '10min'"));
  GRADELINE_RETURN_IF_ERROR(connection.Execute(kLock));
  GRADELINE_RETURN_IF_ERROR(MigrateLocked(connection, migrations));
  GRADELINE_RETURN_IF_ERROR(connection.Execute("SET lock_timeout = DEFAULT"));
  return connection.Execute(kUnlock);
}

}  // namespace gradeline

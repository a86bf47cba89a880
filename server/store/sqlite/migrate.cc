#include "server/store/sqlite/migrate.h"

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

absl::Status Apply(SqliteConnection& connection, const Migration& migration) {
  GRADELINE_RETURN_IF_ERROR(connection.Execute("BEGIN EXCLUSIVE"));
  absl::Status status = connection.Execute(migration.sql);
  if (status.ok()) status = connection.Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId));
  if (status.ok()) status = connection.Execute(absl::StrCat("PRAGMA user_version = ", migration.number));
  if (status.ok()) status = connection.Execute("COMMIT");
  if (status.ok()) return status;
  connection.Rollback();
  return absl::Status(status.code(), absl::StrCat("migration ", migration.name, ": ", status.message()));
}

}  // namespace

absl::Status Migrate(SqliteConnection& connection, const std::vector<Migration>& migrations) {
  GRADELINE_ASSIGN_OR_RETURN(const int64_t application, connection.QueryNumber("PRAGMA application_id"));
  GRADELINE_ASSIGN_OR_RETURN(const int64_t version, connection.QueryNumber("PRAGMA user_version"));
  GRADELINE_ASSIGN_OR_RETURN(const int64_t tables, connection.QueryNumber("SELECT count(*) FROM sqlite_schema"));
  if (application != kApplicationId && (application != 0 || version != 0 || tables != 0)) {
    return absl::FailedPreconditionError(
        absl::StrCat(connection.path(), " is an SQLite database of another program; name another store.path"));
  }
  GRADELINE_RETURN_IF_ERROR(CheckNotNewer(connection.path(), version, migrations));
  for (const Migration& migration : migrations) {
    if (migration.number > version) GRADELINE_RETURN_IF_ERROR(Apply(connection, migration));
  }
  return absl::OkStatus();
}

}  // namespace gradeline

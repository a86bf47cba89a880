#include "server/store/postgres/owner_lock.h"

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

// The lock's first number is "GRDL", the second the schema's.
#define GRADELINE_LOCK_NUMBERS "1196573772, current_schema()::regnamespace::oid::bigint::bit(32)::integer"
#define GRADELINE_SESSION_COLUMNS \
  "pid, coalesce((extract(epoch FROM backend_start) * 1000000)::bigint, 0), coalesce(host(client_addr), 'local')"

absl::Status HeldByAnother(PostgresConnection& connection, const PostgresSession& before) {
  Query query = connection.Prepare(
      "SELECT " GRADELINE_SESSION_COLUMNS
      " FROM pg_locks JOIN pg_stat_activity USING(pid) WHERE locktype = 'advisory' AND database = (SELECT oid FROM "
      "pg_database WHERE datname = current_database()) AND classid = 1196573772 AND objid = "
      "current_schema()::regnamespace::oid AND objsubid = 2 AND granted");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return absl::UnavailableError(absl::StrCat(connection.name(), ": its lock has just changed hands"));
  const PostgresSession holder{query.Number(0), query.Number(1)};
  if (holder == before) {
    GRADELINE_RETURN_IF_ERROR(
        connection.Prepare("SELECT pg_terminate_backend(?1::integer)").Bind(before.process).Run());
    return absl::UnavailableError(absl::StrCat(connection.name(), ": the session before has not ended yet"));
  }
  return absl::FailedPreconditionError(absl::StrCat(connection.name(),
                                                    " is locked: another gradelined (server process ", holder.process,
                                                    ", client ", query.Bytes(2), ") uses this schema"));
}

}  // namespace

absl::StatusOr<PostgresSession> TakeOwnerLock(PostgresConnection& connection, const PostgresSession& before) {
  {
    Query schema = connection.Prepare("SELECT coalesce(current_schema()::text, '')");
    GRADELINE_RETURN_IF_ERROR(schema.Step().status());
    if (schema.View(0).empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(connection.name(), ": no schema of its search_path exists; make one, or name another"));
    }
  }
  GRADELINE_ASSIGN_OR_RETURN(
      const int64_t locked, connection.QueryNumber("SELECT pg_try_advisory_lock(" GRADELINE_LOCK_NUMBERS ")::integer"));
  if (locked == 0) return HeldByAnother(connection, before);
  Query own =
      connection.Prepare("SELECT " GRADELINE_SESSION_COLUMNS " FROM pg_stat_activity WHERE pid = pg_backend_pid()");
  GRADELINE_RETURN_IF_ERROR(own.Step().status());
  return PostgresSession{own.Number(0), own.Number(1)};
}

}  // namespace gradeline

#include "server/store/postgres/owner_lock.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

// The lock's first number is "GRDL", the second the schema's.
#define GRADELINE_LOCK_NUMBERS "1196573772, current_schema()::regnamespace::oid::bigint::bit(32)::integer"
#define GRADELINE_SESSION_COLUMNS \
  "pid, coalesce((extract(epoch FROM backend_start) * 1000000)::bigint, 0), coalesce(host(client_addr), 'local')"

struct Holder {
  PostgresSession session;
  std::string client;
};

// Process 0: nobody has the lock.
absl::StatusOr<Holder> FindHolder(PostgresConnection& connection) {
  Query query = connection.Prepare(
      "SELECT " GRADELINE_SESSION_COLUMNS
      " FROM pg_locks JOIN pg_stat_activity USING(pid) WHERE locktype = 'advisory' AND database = (SELECT oid FROM "
      "pg_database WHERE datname = current_database()) AND classid = 1196573772 AND objid = "
      "current_schema()::regnamespace::oid AND objsubid = 2 AND granted");
  GRADELINE_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return Holder{};
  return Holder{{query.Number(0), query.Number(1)}, query.Bytes(2)};
}

// OK once the lock is ours.
absl::Status WaitForLock(PostgresConnection& connection, const PostgresSession& before) {
  GRADELINE_ASSIGN_OR_RETURN(const Holder holder, FindHolder(connection));
  const bool own = holder.session == before && before.process != 0;
  if (own) {
    GRADELINE_RETURN_IF_ERROR(
        connection.Prepare("SELECT pg_terminate_backend(?1::integer)").Bind(before.process).Run());
  }
  // A server that has just ended leaves a session that is about to.
  GRADELINE_RETURN_IF_ERROR(connection.Execute("SET lock_timeout = '1s'"));
  absl::Status waited = connection.Execute("SELECT pg_advisory_lock(" GRADELINE_LOCK_NUMBERS ")");
  if (waited.ok()) return connection.Execute("SET lock_timeout = DEFAULT");
  if (own || connection.lost()) return waited;
  return absl::FailedPreconditionError(
      absl::StrCat(connection.name(), " is locked: another gradelined (server process ", holder.session.process,
                   ", client ", holder.client, ") uses this schema"));
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
  if (locked == 0) GRADELINE_RETURN_IF_ERROR(WaitForLock(connection, before));
  Query own =
      connection.Prepare("SELECT " GRADELINE_SESSION_COLUMNS " FROM pg_stat_activity WHERE pid = pg_backend_pid()");
  GRADELINE_RETURN_IF_ERROR(own.Step().status());
  return PostgresSession{own.Number(0), own.Number(1)};
}

}  // namespace gradeline

// One gradelined per schema of a database: an advisory lock of the writing connection's session, so that it ends with
// the session and no transaction can outlive it.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_OWNER_LOCK_H_
#define GRADELINE_SERVER_STORE_POSTGRES_OWNER_LOCK_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "server/store/postgres/connection.h"

namespace gradeline {

/// A session of the database's server, for as long as that knows it.
struct PostgresSession {
  int64_t process = 0, start_us = 0;
  bool operator==(const PostgresSession&) const = default;
};

/// Takes the lock for the session of `connection` and names the session. FAILED_PRECONDITION, naming who has it, if it
/// is another's. UNAVAILABLE while `before`, our own lost session, still has it: the database has not noticed yet, and
/// is told to end it.
absl::StatusOr<PostgresSession> TakeOwnerLock(PostgresConnection& connection, const PostgresSession& before);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_OWNER_LOCK_H_

// Brings a database file to the newest schema, one numbered migration at a time. Never goes back, never touches a file
// of somebody else.
#ifndef GRADELINE_SERVER_STORE_SQLITE_MIGRATE_H_
#define GRADELINE_SERVER_STORE_SQLITE_MIGRATE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "server/store/sql/migration.h"
#include "server/store/sqlite/connection.h"

namespace gradeline {

/// "GRDL", as SQLite's application_id: marks the file as Gradeline's.
inline constexpr int64_t kApplicationId = 0x4752444C;

/// server/store/migrations/sqlite, by number: 1, 2, 3 ...
const std::vector<Migration>& SqliteMigrations();

/// Applies what is missing of `migrations`, each in a transaction of its own under an exclusive lock.
/// FAILED_PRECONDITION for a schema newer than the last of them (both numbers named) and for a database that is not
/// Gradeline's.
absl::Status Migrate(SqliteConnection& connection, const std::vector<Migration>& migrations);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_MIGRATE_H_

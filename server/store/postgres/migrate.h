// Brings a schema of a database to the newest tables, one numbered migration at a time. Never goes back, never touches
// tables of somebody else.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_MIGRATE_H_
#define GRADELINE_SERVER_STORE_POSTGRES_MIGRATE_H_

#include <vector>

#include "absl/status/status.h"
#include "server/store/postgres/connection.h"
#include "server/store/sql/migration.h"

namespace gradeline {

/// server/store/migrations/postgres, by number: 1, 2, 3 ...
const std::vector<Migration>& PostgresMigrations();

/// Applies what is missing of `migrations`, each in a transaction of its own; one server at a time.
/// FAILED_PRECONDITION for tables newer than the last of them (both numbers named) and for a schema with tables that
/// are not Gradeline's.
absl::Status Migrate(PostgresConnection& connection, const std::vector<Migration>& migrations);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_MIGRATE_H_

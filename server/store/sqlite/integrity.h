// Whether a database file is whole: SQLite's own check, and rows that lead nowhere.
#ifndef GRADELINE_SERVER_STORE_SQLITE_INTEGRITY_H_
#define GRADELINE_SERVER_STORE_SQLITE_INTEGRITY_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/store/sqlite/connection.h"

namespace gradeline {

/// See Store::CheckIntegrity.
absl::StatusOr<std::vector<std::string>> CheckIntegrity(SqliteConnection& connection,
                                                        const std::function<bool()>& go_on);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_INTEGRITY_H_

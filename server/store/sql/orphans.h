// Rows that lead nowhere. The schemas declare no foreign keys, since inserting a record must not look up its parents:
// what they would say is asked here.
#ifndef GRADELINE_SERVER_STORE_SQL_ORPHANS_H_
#define GRADELINE_SERVER_STORE_SQL_ORPHANS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/store/sql/connection.h"

namespace gradeline {

/// A line for each table that has rows without what they belong to. CANCELLED if `go_on`, asked before each table, is
/// false.
absl::StatusOr<std::vector<std::string>> FindOrphans(Connection& connection, const std::function<bool()>& go_on);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQL_ORPHANS_H_

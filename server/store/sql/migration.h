// A step of a schema. Each store generates its list from a folder of server/store/migrations.
#ifndef GRADELINE_SERVER_STORE_SQL_MIGRATION_H_
#define GRADELINE_SERVER_STORE_SQL_MIGRATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace gradeline {

struct Migration {
  int number = 0;
  const char* name = nullptr;
  const char* sql = nullptr;
};

/// FAILED_PRECONDITION, naming the database and both numbers, if its `version` is above the last of `migrations`.
absl::Status CheckNotNewer(const std::string& database, int64_t version, const std::vector<Migration>& migrations);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQL_MIGRATION_H_

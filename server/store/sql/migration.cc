#include "server/store/sql/migration.h"

#include "absl/strings/str_cat.h"

namespace gradeline {

absl::Status CheckNotNewer(const std::string& database, int64_t version, const std::vector<Migration>& migrations) {
  const int newest = migrations.back().number;
  if (version <= newest) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(database, " has schema version ", version,
                                                    ", this gradelined knows ", newest,
                                                    " at most: use a newer gradelined"));
}

}  // namespace gradeline

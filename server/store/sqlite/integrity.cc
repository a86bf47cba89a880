#include "server/store/sqlite/integrity.h"

#include "server/core/base/status.h"
#include "server/store/sql/orphans.h"
#include "server/store/sql/reads.h"

namespace gradeline {
namespace {

constexpr int kStepsPerQuestion = 100'000;

absl::StatusOr<std::vector<std::string>> FindFlaws(SqliteConnection& connection, const std::function<bool()>& go_on) {
  std::vector<std::string> flaws;
  Query query = connection.Prepare("PRAGMA integrity_check(1000)");
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
    if (query.View(0) != "ok") flaws.push_back(query.Bytes(0));
    return absl::OkStatus();
  }));
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<std::string> orphans, FindOrphans(connection, go_on));
  flaws.insert(flaws.end(), orphans.begin(), orphans.end());
  return flaws;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> CheckIntegrity(SqliteConnection& connection,
                                                        const std::function<bool()>& go_on) {
  const auto stop = [](void* asked) { return (*static_cast<const std::function<bool()>*>(asked))() ? 0 : 1; };
  sqlite3_progress_handler(connection.handle(), kStepsPerQuestion, stop, const_cast<std::function<bool()>*>(&go_on));
  absl::StatusOr<std::vector<std::string>> flaws = FindFlaws(connection, go_on);
  sqlite3_progress_handler(connection.handle(), 0, nullptr, nullptr);
  if (!flaws.ok() && !go_on()) return absl::CancelledError("the check was cancelled");
  return flaws;
}

}  // namespace gradeline

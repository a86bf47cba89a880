#include "server/store/sqlite/integrity.h"

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/store/sql/reads.h"

namespace gradeline {
namespace {

constexpr int kStepsPerQuestion = 100'000;

// The schema declares no foreign keys, since inserting a record must not look up its parents: what they would say is
// asked here.
struct Orphans {
  const char* what;
  const char* count;
};

#define GRADELINE_WITHOUT(child, parent, on)                                                                \
  {                                                                                                         \
    "rows of " child " without their " parent,                                                              \
        "SELECT count(*) FROM " child " AS c WHERE NOT EXISTS (SELECT 1 FROM " parent " AS p WHERE " on ")" \
  }

constexpr Orphans kOrphans[] = {
    GRADELINE_WITHOUT("items", "datasets", "p.no = c.dataset"),
    GRADELINE_WITHOUT("splits", "datasets", "p.no = c.dataset"),
    GRADELINE_WITHOUT("split_items", "splits", "p.no = c.split"),
    {"rows of split_items without their items",
     "SELECT count(*) FROM split_items AS c JOIN splits AS s ON s.no = c.split WHERE NOT EXISTS (SELECT 1 FROM items "
     "AS "
     "p WHERE p.dataset = s.dataset AND p.item = c.item)"},
    GRADELINE_WITHOUT("attempts", "experiments", "p.no = c.experiment"),
    GRADELINE_WITHOUT("ranks", "attempts", "p.experiment = c.experiment AND p.attempt = c.attempt"),
    GRADELINE_WITHOUT("records", "attempts", "p.experiment = c.experiment AND p.attempt = c.attempt"),
    GRADELINE_WITHOUT("phase_ends", "attempts", "p.experiment = c.experiment AND p.attempt = c.attempt"),
    GRADELINE_WITHOUT("seals", "attempts", "p.experiment = c.experiment AND p.attempt = c.attempt"),
    GRADELINE_WITHOUT("events", "experiments", "p.no = c.experiment"),
    GRADELINE_WITHOUT("incidents", "experiments", "p.no = c.experiment"),
};

absl::StatusOr<std::vector<std::string>> FindFlaws(SqliteConnection& connection) {
  std::vector<std::string> flaws;
  Query query = connection.Prepare("PRAGMA integrity_check(1000)");
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
    if (query.View(0) != "ok") flaws.push_back(query.Bytes(0));
    return absl::OkStatus();
  }));
  for (const Orphans& orphans : kOrphans) {
    GRADELINE_ASSIGN_OR_RETURN(const int64_t count, connection.QueryNumber(orphans.count));
    if (count > 0) flaws.push_back(absl::StrCat(count, " ", orphans.what));
  }
  return flaws;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> CheckIntegrity(SqliteConnection& connection,
                                                        const std::function<bool()>& go_on) {
  const auto stop = [](void* asked) { return (*static_cast<const std::function<bool()>*>(asked))() ? 0 : 1; };
  sqlite3_progress_handler(connection.handle(), kStepsPerQuestion, stop, const_cast<std::function<bool()>*>(&go_on));
  absl::StatusOr<std::vector<std::string>> flaws = FindFlaws(connection);
  sqlite3_progress_handler(connection.handle(), 0, nullptr, nullptr);
  if (!flaws.ok() && !go_on()) return absl::CancelledError("the check was cancelled");
  return flaws;
}

}  // namespace gradeline

#include "server/store/sql/orphans.h"

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

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
    GRADELINE_WITHOUT("split_datasets", "splits", "p.no = c.split"),
    GRADELINE_WITHOUT("split_datasets", "datasets", "p.no = c.dataset"),
    GRADELINE_WITHOUT("split_items", "split_datasets", "p.split = c.split AND p.source = c.source"),
    {"rows of split_items without their items",
     "SELECT count(*) FROM split_items AS c JOIN split_datasets AS d ON d.split = c.split AND d.source = c.source "
     "WHERE "
     "NOT EXISTS (SELECT 1 FROM items AS p WHERE p.dataset = d.dataset AND p.item = c.item)"},
    {"items in more than one part of a split",
     "SELECT count(*) FROM (SELECT 1 FROM split_items GROUP BY split, source, item HAVING count(*) > 1) AS twice"},
    GRADELINE_WITHOUT("experiment_labels", "experiments", "p.no = c.experiment"),
    GRADELINE_WITHOUT("attempts", "experiments", "p.no = c.experiment"),
    GRADELINE_WITHOUT("ranks", "attempts", "p.experiment = c.experiment AND p.attempt = c.attempt"),
    GRADELINE_WITHOUT("records", "attempts", "p.experiment = c.experiment AND p.attempt = c.attempt"),
    GRADELINE_WITHOUT("phase_ends", "attempts", "p.experiment = c.experiment AND p.attempt = c.attempt"),
    GRADELINE_WITHOUT("seals", "attempts", "p.experiment = c.experiment AND p.attempt = c.attempt"),
    GRADELINE_WITHOUT("events", "experiments", "p.no = c.experiment"),
    GRADELINE_WITHOUT("incidents", "experiments", "p.no = c.experiment"),
};

}  // namespace

absl::StatusOr<std::vector<std::string>> FindOrphans(Connection& connection, const std::function<bool()>& go_on) {
  std::vector<std::string> flaws;
  for (const Orphans& orphans : kOrphans) {
    if (!go_on()) return absl::CancelledError("the check was cancelled");
    GRADELINE_ASSIGN_OR_RETURN(const int64_t count, connection.QueryNumber(orphans.count));
    if (count > 0) flaws.push_back(absl::StrCat(count, " ", orphans.what));
  }
  return flaws;
}

}  // namespace gradeline

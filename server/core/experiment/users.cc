#include "server/core/experiment/users.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

constexpr size_t kMostNamed = 10;
constexpr int kExperimentsPage = 1000;

}  // namespace

std::string Named(const char* kind, const std::vector<std::string>& ids) {
  const size_t named = std::min(ids.size(), kMostNamed);
  std::string text = absl::StrCat(ids.size(), " ", kind, ids.size() == 1 ? " (" : "s (",
                                  absl::StrJoin(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(named), ", "));
  if (named < ids.size()) absl::StrAppend(&text, " and ", ids.size() - named, " more");
  return text + ")";
}

absl::StatusOr<std::vector<std::string>> ExperimentsOver(Store& store, const std::vector<std::string>& splits) {
  std::vector<std::string> ids;
  for (const std::string& split : splits) {
    ListQuery query;
    query.terms.emplace_back();
    query.terms[0].field = ListQuery::Field::kSplit;
    query.terms[0].value = split;
    query.show_deleted = true;
    std::string after;
    for (size_t found = kExperimentsPage; found == kExperimentsPage;) {
      GRADELINE_ASSIGN_OR_RETURN(const auto page, store.ListExperiments(query, kExperimentsPage, after));
      for (const Experiment& experiment : page) ids.push_back(experiment.id);
      if (!page.empty()) after = PlaceOf(query, page.back());
      found = page.size();
    }
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

absl::Status NotDeleted(const char* kind, const std::string& id) {
  return absl::FailedPreconditionError(
      absl::StrCat(kind, " ", id, " is not deleted; only a deleted one can be purged"));
}

}  // namespace gradeline

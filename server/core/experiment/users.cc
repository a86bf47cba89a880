#include "server/core/experiment/users.h"

#include <algorithm>
#include <set>

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
  const std::set<std::string> wanted(splits.begin(), splits.end());
  std::vector<std::string> ids;
  std::string after;
  for (size_t found = kExperimentsPage; found == kExperimentsPage;) {
    GRADELINE_ASSIGN_OR_RETURN(const auto page, store.ListExperiments(kExperimentsPage, after));
    for (const Experiment& experiment : page) {
      if (wanted.contains(experiment.split)) ids.push_back(experiment.id);
      after = experiment.id;
    }
    found = page.size();
  }
  return ids;
}

}  // namespace gradeline

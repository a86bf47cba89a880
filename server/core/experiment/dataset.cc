#include "server/core/experiment/dataset.h"

#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/core/base/ids.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

// In bytes. The proto and the documents name these limits too.
constexpr size_t kLongestSource = 1024;
constexpr size_t kLongestClass = 256;
constexpr size_t kMostClasses = 1'000'000;
constexpr int kMostViolations = 10;

void CheckClasses(const std::vector<std::string>& classes, Violations& violations) {
  if (classes.empty() || classes.size() > kMostClasses) {
    violations.Add("classes", absl::StrCat("has ", classes.size(), " entries; allowed: 1 to ", kMostClasses));
    return;
  }
  std::set<std::string_view> seen;
  int bad = 0;
  for (size_t i = 0; i < classes.size() && bad < kMostViolations; ++i) {
    const std::string& name = classes[i];
    const bool fits = !name.empty() && name.size() <= kLongestClass;
    if (fits && seen.insert(name).second) continue;
    ++bad;
    violations.Add(absl::StrCat("classes[", i, "]"),
                   fits ? absl::StrCat("\"", name, "\" is given twice")
                        : absl::StrCat("has ", name.size(), " bytes; allowed: 1 to ", kLongestClass));
  }
}

}  // namespace

absl::Status CheckDataset(const Dataset& dataset) {
  Violations violations;
  violations.Merge("name", CheckId(dataset.id));
  if (dataset.source.size() > kLongestSource) {
    violations.Add("source", absl::StrCat("has ", dataset.source.size(), " bytes; allowed: at most ", kLongestSource));
  }
  CheckClasses(dataset.classes, violations);
  return violations.ToStatus();
}

}  // namespace gradeline

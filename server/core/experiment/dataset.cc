#include "server/core/experiment/dataset.h"

#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "server/core/base/ids.h"

namespace gradeline {
namespace {

// In bytes. The proto and the documents name these limits too.
constexpr size_t kLongestSource = 1024;
constexpr size_t kLongestClass = 256;
constexpr size_t kLongestUri = 4096;
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

void CheckItem(const Item& item, size_t classes, Violations& violations) {
  const auto field = [&item](const char* of) { return absl::StrCat("items[", item.index, "].", of); };
  if (item.uri.empty() || item.uri.size() > kLongestUri) {
    violations.Add(field("uri"), absl::StrCat("has ", item.uri.size(), " bytes; allowed: 1 to ", kLongestUri));
  }
  if (classes > 0 && (item.label < 0 || static_cast<size_t>(item.label) >= classes)) {
    violations.Add(field("label"), absl::StrCat(item.label, "; allowed: 0 to ", classes - 1, ", the dataset has ",
                                                classes, " classes"));
  }
}

}  // namespace gradeline

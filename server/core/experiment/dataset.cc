#include "server/core/experiment/dataset.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/ids.h"
#include "server/core/base/sha256.h"

namespace gradeline {
namespace {

// In bytes. The proto and the documents name these limits too.
constexpr size_t kLongestSource = 1024;
constexpr size_t kLongestClass = 256;
constexpr size_t kLongestUri = 4096;
constexpr size_t kLongestGroup = 256;
constexpr size_t kLongestTag = 64;
constexpr size_t kLongestSubset = 64;
constexpr size_t kMostClasses = 1'000'000;
constexpr size_t kMostLabels = 100'000;
constexpr size_t kMostTags = 32;
constexpr size_t kMostSubsets = 1'000;
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

std::string BytesAllowed(size_t bytes, size_t least, size_t most) {
  return absl::StrCat("has ", bytes, " bytes; allowed: ", least, " to ", most);
}

// The violations of one item; each field is told once.
class ItemCheck {
 public:
  ItemCheck(const Item& item, const Dataset& dataset, Violations& violations)
      : item_(item), dataset_(dataset), violations_(violations) {}

  void Labels() {
    if (!dataset_.multi_label) {
      if (!Known(item_.label)) Add("label", Unknown(item_.label));
      if (!item_.labels.empty()) {
        Add("labels", absl::StrCat("has ", item_.labels.size(),
                                   " entries; the dataset is not multi-label: an item has "
                                   "one class, its label"));
      }
      return;
    }
    if (item_.label != 0) Add("label", absl::StrCat(item_.label, "; an item of a multi-label dataset has labels"));
    if (item_.labels.size() > kMostLabels) {
      Add("labels", absl::StrCat("has ", item_.labels.size(), " entries; allowed: at most ", kMostLabels));
      return;
    }
    const auto wrong =
        std::find_if_not(item_.labels.begin(), item_.labels.end(), [this](int32_t l) { return Known(l); });
    if (wrong != item_.labels.end()) Add(At("labels", wrong - item_.labels.begin()), Unknown(*wrong));
  }

  void Text(const char* field, const std::string& text, size_t least, size_t most) {
    if (text.size() < least || text.size() > most) Add(field, BytesAllowed(text.size(), least, most));
  }

  void Tags() {
    if (item_.tags.size() > kMostTags) {
      Add("tags", absl::StrCat("has ", item_.tags.size(), " entries; allowed: at most ", kMostTags));
      return;
    }
    const auto wrong = std::find_if(item_.tags.begin(), item_.tags.end(),
                                    [](const std::string& tag) { return tag.empty() || tag.size() > kLongestTag; });
    if (wrong != item_.tags.end()) {
      Add(At("tags", wrong - item_.tags.begin()), BytesAllowed(wrong->size(), 1, kLongestTag));
    }
  }

 private:
  // Where the classes themselves are wrong, nothing is said of labels.
  bool Known(int32_t label) const {
    const std::vector<std::string>& classes = dataset_.classes;
    return classes.empty() || (label >= 0 && static_cast<size_t>(label) < classes.size());
  }
  std::string Unknown(int32_t label) const {
    const size_t classes = dataset_.classes.size();
    return absl::StrCat(label, "; allowed: 0 to ", classes - 1, ", the dataset has ", classes, " classes");
  }
  static std::string At(const char* field, ptrdiff_t index) { return absl::StrCat(field, "[", index, "]"); }
  void Add(const std::string& field, std::string what) {
    violations_.Add(absl::StrCat("items[", item_.index, "].", field), std::move(what));
  }

  const Item& item_;
  const Dataset& dataset_;
  Violations& violations_;
};

// Texts and lists with their length before them, so that no two contents give the same bytes.
class ContentHash {
 public:
  void Add(uint64_t number) { bytes_.append(reinterpret_cast<const char*>(&number), sizeof(number)); }
  void Add(std::string_view text) {
    Add(uint64_t{text.size()});
    bytes_.append(text);
    if (bytes_.size() >= kPiece) Flush();
  }
  void Add(const std::vector<std::string>& texts) {
    Add(uint64_t{texts.size()});
    for (const std::string& text : texts) Add(text);
  }
  void Add(const std::vector<int32_t>& labels) {
    Add(uint64_t{labels.size()});
    for (const int32_t label : labels) Add(static_cast<uint64_t>(label));
  }
  std::string Finish() {
    Flush();
    return absl::BytesToHexString(hash_.Finish());
  }

 private:
  static constexpr size_t kPiece = size_t{1} << 16;
  void Flush() {
    hash_.Add(bytes_);
    bytes_.clear();
  }
  Sha256 hash_;
  std::string bytes_;
};

void Count(const Item& item, bool multi_label, std::vector<ClassCount>& counts) {
  if (!multi_label) {
    ++counts[item.label].items;
    ++counts[item.label].annotations;
    return;
  }
  for (size_t i = 0; i < item.labels.size(); ++i) {
    ClassCount& count = counts[item.labels[i]];
    ++count.annotations;
    if (i == 0 || item.labels[i] != item.labels[i - 1]) ++count.items;
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

void CheckItem(const Item& item, const Dataset& dataset, Violations& violations) {
  ItemCheck check(item, dataset, violations);
  check.Text("uri", item.uri, 1, kLongestUri);
  check.Labels();
  check.Text("group", item.group, 0, kLongestGroup);
  check.Tags();
  check.Text("subset", item.subset, 0, kLongestSubset);
}

absl::Status DescribeItems(std::vector<Item>& items, Dataset& dataset) {
  dataset.item_count = static_cast<int64_t>(items.size());
  dataset.class_counts.assign(dataset.classes.size(), {});
  ContentHash hash;
  hash.Add(uint64_t{dataset.multi_label});
  hash.Add(dataset.classes);
  std::map<std::string, int64_t> subsets;
  int64_t index = 0;
  for (Item& item : items) {
    item.index = index++;
    std::sort(item.labels.begin(), item.labels.end());
    std::sort(item.tags.begin(), item.tags.end());
    item.tags.erase(std::unique(item.tags.begin(), item.tags.end()), item.tags.end());
    Count(item, dataset.multi_label, dataset.class_counts);
    ++subsets[item.subset];
    hash.Add(item.uri);
    hash.Add(static_cast<uint64_t>(item.label));
    hash.Add(item.labels);
    hash.Add(item.group);
    hash.Add(item.tags);
    hash.Add(item.subset);
  }
  dataset.fingerprint = hash.Finish();
  dataset.subset_counts.clear();
  if (subsets.size() == 1 && subsets.begin()->first.empty()) return absl::OkStatus();
  for (const auto& [subset, count] : subsets) dataset.subset_counts.push_back({subset, count});
  if (subsets.size() <= kMostSubsets) return absl::OkStatus();
  Violations violations;
  violations.Add("items", absl::StrCat("have ", subsets.size(), " different subsets; allowed: at most ", kMostSubsets));
  return violations.ToStatus();
}

}  // namespace gradeline

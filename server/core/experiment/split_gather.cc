#include "server/core/experiment/split_gather.h"

#include <xxhash.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gradeline {
namespace {

constexpr size_t kMostDatasets = 100, kMostFilterWords = 10'000;

using ClassNumbers = absl::flat_hash_map<std::string, int32_t>;

std::string DatasetField(const Split& split, size_t i) {
  return split.datasets.size() == 1 ? "dataset" : absl::StrCat("datasets[", i, "]");
}

absl::Status ReadDatasets(Store& store, const Split& split, SplitSource& source, Violations& violations) {
  if (split.datasets.empty() || split.datasets.size() > kMostDatasets) {
    violations.Add("datasets", absl::StrCat("has ", split.datasets.size(), " entries; allowed: 1 to ", kMostDatasets));
    return absl::OkStatus();
  }
  std::set<std::string_view> seen;
  for (size_t i = 0; i < split.datasets.size(); ++i) {
    const std::string& id = split.datasets[i];
    if (id.empty()) continue;  // its form is wrong
    if (!seen.insert(id).second) violations.Add(DatasetField(split, i), absl::StrCat(id, " is given twice"));
    absl::StatusOr<Dataset> dataset = store.GetDataset(id);
    if (absl::IsNotFound(dataset.status())) {
      violations.Add(DatasetField(split, i), std::string(dataset.status().message()));
      continue;
    }
    GRADELINE_RETURN_IF_ERROR(dataset.status());
    if (dataset->delete_ms != 0) violations.Add(DatasetField(split, i), absl::StrCat("dataset ", id, " is deleted"));
    source.datasets.push_back(*std::move(dataset));
  }
  return absl::OkStatus();
}

// Numbers classes by name; gives for each dataset the numbers of its classes.
std::vector<std::vector<int32_t>> NumberClasses(SplitSource& source, ClassNumbers& numbers) {
  std::vector<std::vector<int32_t>> of_dataset;
  for (const Dataset& dataset : source.datasets) {
    of_dataset.emplace_back();
    for (const std::string& name : dataset.classes) {
      const auto [known, added] = numbers.emplace(name, static_cast<int32_t>(source.classes.size()));
      if (added) source.classes.push_back(name);
      of_dataset.back().push_back(known->second);
    }
  }
  return of_dataset;
}

void CheckFilters(const Split& split, const SplitSource& source, const ClassNumbers& numbers, Violations& violations) {
  const std::pair<const char*, const std::vector<std::string>*> filters[] = {
      {"classes", &split.classes}, {"tags", &split.tags}, {"subsets", &split.subsets}};
  for (const auto& [field, words] : filters) {
    if (words->size() > kMostFilterWords) {
      violations.Add(field, absl::StrCat("has ", words->size(), " entries; allowed: at most ", kMostFilterWords));
    }
  }
  if (source.datasets.empty()) return;
  for (size_t i = 0; i < split.classes.size() && i < kMostFilterWords; ++i) {
    if (numbers.contains(split.classes[i])) continue;
    const auto near =
        source.classes.size() <= 10'000 ? NearNames(split.classes[i], source.classes) : std::vector<std::string>();
    violations.Add(absl::StrCat("classes[", i, "]"),
                   absl::StrCat("no dataset of the split has a class \"", split.classes[i], "\"",
                                near.empty() ? "" : absl::StrCat("; near: ", absl::StrJoin(near, ", "))));
  }
}

void CheckShares(const Split& split, Violations& violations) {
  if (!split.shares.empty() && split.strategy != SplitStrategy::kDataset) {
    violations.Add("datasetShares", "are allowed with the strategy DATASET only");
    return;
  }
  if (split.shares.empty() && split.strategy == SplitStrategy::kDataset) {
    violations.Add("datasetShares", "is empty; the strategy DATASET needs one for at least one dataset");
  }
  std::set<std::string_view> seen;
  for (size_t i = 0; i < split.shares.size(); ++i) {
    const DatasetShare& share = split.shares[i];
    const std::string field = absl::StrCat("datasetShares[", i, "]");
    if (std::find(split.datasets.begin(), split.datasets.end(), share.dataset) == split.datasets.end()) {
      violations.Add(
          field + ".dataset",
          absl::StrCat("\"", share.dataset, "\" is not one of the split's: ", absl::StrJoin(split.datasets, ", ")));
    } else if (!seen.insert(share.dataset).second) {
      violations.Add(field + ".dataset", absl::StrCat(share.dataset, " is given twice"));
    }
    if (!(share.percent > 0 && share.percent <= 100)) {
      violations.Add(field + ".percent", absl::StrCat(share.percent, "; allowed: above 0, up to 100"));
    }
  }
}

class Gatherer {
 public:
  Gatherer(const Split& split, SplitSource& source, const ClassNumbers& numbers)
      : source_(source),
        tags_(split.tags.begin(), split.tags.end()),
        subsets_(split.subsets.begin(), split.subsets.end()) {
    for (const std::string& name : split.classes) {
      if (const auto known = numbers.find(name); known != numbers.end()) classes_.insert(known->second);
    }
  }

  void Add(int32_t dataset, const std::vector<int32_t>& class_numbers, const Item& item) {
    const Dataset& of = source_.datasets[static_cast<size_t>(dataset)];
    labels_.clear();
    if (of.multi_label) {
      for (const int32_t label : item.labels) labels_.push_back(class_numbers[static_cast<size_t>(label)]);
      std::sort(labels_.begin(), labels_.end());
      labels_.erase(std::unique(labels_.begin(), labels_.end()), labels_.end());
    } else {
      labels_.push_back(class_numbers[static_cast<size_t>(item.label)]);
    }
    if (!Takes(item)) return;
    source_.items.Add(labels_);
    source_.items.source.push_back(dataset);
    source_.items.group.push_back(
        item.group.empty() ? -1 : groups_.emplace(item.group, static_cast<int32_t>(groups_.size())).first->second);
    source_.places.push_back({dataset, item.index, 0});
    source_.content.push_back(
        XXH3_64bits_withSeed(item.uri.data(), item.uri.size(), XXH3_64bits(of.source.data(), of.source.size())));
  }
  bool has_groups() const { return !groups_.empty(); }

 private:
  bool Takes(const Item& item) const {
    const auto any = [](const auto& list, const auto& wanted) {
      return wanted.empty() ||
             std::any_of(list.begin(), list.end(), [&](const auto& word) { return wanted.contains(word); });
    };
    return any(labels_, classes_) && any(item.tags, tags_) && (subsets_.empty() || subsets_.contains(item.subset));
  }

  SplitSource& source_;
  absl::flat_hash_set<std::string> tags_, subsets_;
  absl::flat_hash_set<int32_t> classes_;
  absl::flat_hash_map<std::string, int32_t> groups_;
  std::vector<int32_t> labels_;
};

}  // namespace

absl::StatusOr<SplitSource> GatherItems(Store& store, const Split& split, Violations& violations) {
  SplitSource source;
  ClassNumbers numbers;
  const size_t wrong = violations.list().size();
  GRADELINE_RETURN_IF_ERROR(ReadDatasets(store, split, source, violations));
  const auto class_numbers = NumberClasses(source, numbers);
  CheckFilters(split, source, numbers, violations);
  CheckShares(split, violations);
  if (violations.list().size() > wrong || source.datasets.size() != split.datasets.size()) return source;
  Gatherer gatherer(split, source, numbers);
  for (size_t s = 0; s < source.datasets.size(); ++s) {
    GRADELINE_RETURN_IF_ERROR(store.ScanItems(source.datasets[s].id, [&](const Item& item) {
      gatherer.Add(static_cast<int32_t>(s), class_numbers[s], item);
    }));
  }
  if (split.strategy == SplitStrategy::kGroup && !gatherer.has_groups()) {
    violations.Add("strategy", "GROUP needs items with a group; none has one");
  }
  return source;
}

}  // namespace gradeline

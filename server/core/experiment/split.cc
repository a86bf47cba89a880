#include "server/core/experiment/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/split_strategy.h"

namespace gradeline {
namespace {

std::vector<int64_t> AllItems(const SplitItems& items) {
  std::vector<int64_t> all(static_cast<size_t>(items.size()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void PartByClass(const SplitRules& rules, const SplitItems& items, std::vector<uint8_t>& part_of_item) {
  const bool one_class_each = items.labels.size() == static_cast<size_t>(items.size()) &&
                              std::is_sorted(items.label_begin.begin(), items.label_begin.end(), std::less_equal<>());
  if (!one_class_each) return PartByLabels(rules, items, part_of_item);
  std::map<int32_t, std::vector<int64_t>> by_class;
  for (int64_t i = 0; i < items.size(); ++i) by_class[items.LabelsOf(i)[0]].push_back(i);
  std::vector<std::vector<int64_t>> strata;
  for (auto& [label, list] : by_class) strata.push_back(std::move(list));
  PartStrata(rules, std::move(strata), part_of_item);
}

}  // namespace

absl::Status CheckPercent(const std::array<double, 3>& percent) {
  static constexpr std::array<std::string_view, 3> kFields = {"trainPercent", "validationPercent", "testPercent"};
  Violations violations;
  for (int p = 0; p < 3; ++p) {
    if (!(percent[p] >= 0 && percent[p] <= 100)) {
      violations.Add(std::string(kFields[p]), absl::StrCat(percent[p], " is not between 0 and 100"));
    }
  }
  const double sum = percent[0] + percent[1] + percent[2];
  if (violations.empty() && std::abs(sum - 100) > 1e-6) {
    violations.Add("trainPercent", absl::StrCat("trainPercent ", percent[0], ", validationPercent ", percent[1],
                                                " and testPercent ", percent[2], " add up to ", sum, ", not to 100"));
  }
  return violations.ToStatus();
}

absl::StatusOr<std::vector<uint8_t>> PartItems(const SplitRules& rules, const SplitItems& items) {
  Violations violations;
  violations.Merge("", CheckPercent(rules.percent));
  const int64_t parts = std::count_if(rules.percent.begin(), rules.percent.end(), [](double p) { return p > 0; });
  if (items.size() < parts) {
    violations.Add("dataset", absl::StrCat("has ", items.size(), " items, too few for ", parts, " parts above 0 %"));
  }
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  std::vector<uint8_t> part_of_item(static_cast<size_t>(items.size()));
  switch (rules.strategy) {
    case SplitStrategy::kRandom:
      PartStrata(rules, {AllItems(items)}, part_of_item);
      break;
    case SplitStrategy::kStratified:
      PartByClass(rules, items, part_of_item);
      break;
    case SplitStrategy::kGroup:
      GRADELINE_RETURN_IF_ERROR(PartGroups(rules, items, part_of_item));
      break;
    case SplitStrategy::kDataset:
      GRADELINE_RETURN_IF_ERROR(PartSources(rules, items, part_of_item));
      break;
  }
  return part_of_item;
}

}  // namespace gradeline

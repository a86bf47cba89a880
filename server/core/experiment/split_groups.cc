// Parts of whole groups, and of whole datasets.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/shuffle.h"
#include "server/core/experiment/split_strategy.h"

namespace gradeline {
namespace {

// Number of each item's group; an item on its own is one. Returns how many there are.
int64_t NumberGroups(const SplitItems& items, std::vector<int64_t>& group_of_item) {
  int64_t groups = 0;
  for (const int32_t group : items.group) groups = std::max<int64_t>(groups, group + 1);
  group_of_item.resize(static_cast<size_t>(items.size()));
  for (int64_t i = 0; i < items.size(); ++i) {
    group_of_item[i] = items.group.empty() || items.group[i] < 0 ? groups++ : items.group[i];
  }
  return groups;
}

// The part that lacks most of what it should have.
int PartThatLacks(const PartPercent& percent, int64_t n, const PartCounts& counts) {
  int best = -1;
  double most = 0;
  for (int p = 0; p < 3; ++p) {
    if (percent[p] <= 0) continue;
    const double lacks = static_cast<double>(n) * percent[p] / 100 - static_cast<double>(counts[p]);
    if (best < 0 || lacks > most) {
      best = p;
      most = lacks;
    }
  }
  return best;
}

// A part above 0 % without a group gets the smallest of those of the part that has most.
void FillEmptyParts(const PartPercent& percent, const std::vector<int64_t>& by_size,
                    std::vector<uint8_t>& part_of_group) {
  for (int p = 0; p < 3; ++p) {
    PartCounts groups{};
    for (const int64_t group : by_size) ++groups[part_of_group[group] - 1];
    if (percent[p] <= 0 || groups[p] > 0) continue;
    const auto largest = static_cast<uint8_t>(std::max_element(groups.begin(), groups.end()) - groups.begin() + 1);
    const auto smallest =
        std::find_if(by_size.rbegin(), by_size.rend(), [&](int64_t group) { return part_of_group[group] == largest; });
    part_of_group[*smallest] = static_cast<uint8_t>(p + 1);
  }
}

}  // namespace

absl::Status PartGroups(const SplitRules& rules, const SplitItems& items, std::vector<uint8_t>& part_of_item) {
  std::vector<int64_t> group_of_item;
  std::vector<int64_t> size(static_cast<size_t>(NumberGroups(items, group_of_item)));
  for (const int64_t group : group_of_item) ++size[group];
  std::vector<int64_t> by_size;
  for (size_t group = 0; group < size.size(); ++group) {
    if (size[group] > 0) by_size.push_back(static_cast<int64_t>(group));
  }
  const auto parts = std::count_if(rules.percent.begin(), rules.percent.end(), [](double p) { return p > 0; });
  if (static_cast<int64_t>(by_size.size()) < parts) {
    Violations violations;
    violations.Add("dataset", absl::StrCat("has ", by_size.size(), " groups, too few for ", parts, " parts above 0 %"));
    return violations.ToStatus();
  }
  Generator generator(rules.seed);
  Shuffle(by_size, generator);
  std::stable_sort(by_size.begin(), by_size.end(), [&](int64_t a, int64_t b) { return size[a] > size[b]; });
  std::vector<uint8_t> part_of_group(size.size());
  PartCounts counts{};
  for (const int64_t group : by_size) {
    const int part = PartThatLacks(rules.percent, items.size(), counts);
    counts[part] += size[group];
    part_of_group[group] = static_cast<uint8_t>(part + 1);
  }
  FillEmptyParts(rules.percent, by_size, part_of_group);
  for (size_t i = 0; i < part_of_item.size(); ++i) part_of_item[i] = part_of_group[group_of_item[i]];
  return absl::OkStatus();
}

absl::Status PartSources(const SplitRules& rules, const SplitItems& items, std::vector<uint8_t>& part_of_item) {
  Generator generator(rules.seed);
  std::vector<std::vector<int64_t>> of_source(std::max<size_t>(1, rules.sources.size()));
  for (int64_t i = 0; i < items.size(); ++i) of_source[items.source.empty() ? 0 : items.source[i]].push_back(i);
  PartCounts counts{};
  std::vector<int64_t> rest;
  for (size_t s = 0; s < of_source.size(); ++s) {
    std::vector<int64_t>& list = of_source[s];
    int64_t taken = 0;
    if (s < rules.sources.size() && rules.sources[s]) {
      Shuffle(list, generator);
      taken = std::llround(static_cast<double>(list.size()) * rules.sources[s]->percent / 100);
      const auto part = static_cast<uint8_t>(rules.sources[s]->part);
      for (int64_t i = 0; i < taken; ++i) part_of_item[list[i]] = part;
      counts[part - 1] += taken;
    }
    rest.insert(rest.end(), list.begin() + taken, list.end());
  }
  std::sort(rest.begin(), rest.end());
  SplitRules of_rest = rules;
  of_rest.seed = generator.Next();
  PartStrata(of_rest, {rest}, part_of_item);
  for (const int64_t item : rest) ++counts[part_of_item[item] - 1];
  Violations violations;
  for (int p = 0; p < 3; ++p) {
    if (rules.percent[p] <= 0 || counts[p] > 0) continue;
    static constexpr std::array<const char*, 3> kParts = {"train", "validation", "test"};
    violations.Add("dataset", absl::StrCat("leaves no item for ", kParts[p], ", which has ", rules.percent[p],
                                           " %; give it a dataset, or 0 %"));
  }
  return violations.ToStatus();
}

}  // namespace gradeline

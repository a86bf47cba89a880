#include "server/core/experiment/split_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gradeline {
namespace {

constexpr std::array<const char*, 3> kParts = {"train", "validation", "test"};
constexpr size_t kMostClasses = 10'000, kNamedClasses = 5;
constexpr int64_t kFewItems = 10;
constexpr double kUnevenPoints = 5;

void CountClasses(const SplitItems& items, absl::Span<const std::string> classes,
                  absl::Span<const uint8_t> part_of_item, Split& split) {
  std::vector<std::array<int64_t, 3>> counts(classes.size());
  for (int64_t i = 0; i < items.size(); ++i) {
    ++split.count[part_of_item[i] - 1];
    for (const int32_t label : items.LabelsOf(i)) ++counts[label][part_of_item[i] - 1];
  }
  std::array<std::vector<std::string>, 3> missing;
  for (size_t c = 0; c < classes.size(); ++c) {
    if (counts[c][0] + counts[c][1] + counts[c][2] == 0) continue;
    if (split.class_balance.size() < kMostClasses) split.class_balance.push_back({classes[c], counts[c]});
    for (int p = 0; p < 3; ++p) {
      if (split.percent[p] > 0 && counts[c][p] == 0) missing[p].push_back(classes[c]);
    }
  }
  for (int p = 0; p < 3; ++p) {
    if (missing[p].empty()) continue;
    const auto named = absl::MakeConstSpan(missing[p]).subspan(0, kNamedClasses);
    const size_t more = missing[p].size() - named.size();
    split.warnings.push_back(
        {"CLASS_MISSING", absl::StrCat(kParts[p], " has no item of ", absl::StrJoin(named, ", "),
                                       more > 0 ? absl::StrCat(" and ", more, " more classes") : "")});
  }
}

// Contents that lie in more than one part; the items of each that are not in the part of its first one.
void WarnOfDuplicates(absl::Span<const uint64_t> content, absl::Span<const uint8_t> part_of_item, Split& split) {
  std::vector<int64_t> order(content.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return std::pair(content[a], a) < std::pair(content[b], b); });
  int64_t astray = 0;
  for (size_t i = 1, first = 0; i < order.size(); ++i) {
    if (content[order[i]] != content[order[first]]) first = i;
    if (part_of_item[order[i]] != part_of_item[order[first]]) ++astray;
  }
  if (astray > 0) {
    split.warnings.push_back({"DUPLICATE_ITEMS", absl::StrCat(astray, " items are in another part than an equal one")});
  }
}

}  // namespace

void ReportSplit(const SplitItems& items, absl::Span<const std::string> classes, absl::Span<const uint64_t> content,
                 absl::Span<const uint8_t> part_of_item, Split& split) {
  split.count = {};
  split.class_balance.clear();
  split.warnings.clear();
  CountClasses(items, classes, part_of_item, split);
  if (split.percent[1] > 0 && split.count[1] < kFewItems) {
    split.warnings.push_back({"FEW_VALIDATION_ITEMS", absl::StrCat("validation has ", split.count[1],
                                                                   " items, too few to tell one model from another")});
  }
  WarnOfDuplicates(content, part_of_item, split);
  if (split.strategy != SplitStrategy::kGroup && split.strategy != SplitStrategy::kDataset) return;
  for (int p = 0; p < 3; ++p) {
    const double percent = 100.0 * static_cast<double>(split.count[p]) / static_cast<double>(items.size());
    if (std::abs(percent - split.percent[p]) <= kUnevenPoints) continue;
    split.warnings.push_back({"UNEVEN_PARTS", absl::StrCat(kParts[p], " has ", std::round(percent * 10) / 10,
                                                           " % of the items instead of ", split.percent[p], " %")});
  }
}

}  // namespace gradeline

// Parts of lists of items: all of them, or one list per class.
#include <algorithm>

#include "server/core/experiment/shuffle.h"
#include "server/core/experiment/split_strategy.h"

namespace gradeline {
namespace {

// Rounds the sums of quotas, kept in `owed` beside what is given out, so that neither one class nor the running totals
// go astray.
PartCounts Share(int64_t n, const PartPercent& percent, std::array<double, 3>& owed) {
  PartCounts counts{};
  std::array<double, 3> fraction{};
  int64_t left = n;
  for (int p = 0; p < 3; ++p) {
    const double quota = static_cast<double>(n) * percent[p] / 100.0;
    counts[p] = std::min(static_cast<int64_t>(quota), left);
    fraction[p] = quota - static_cast<double>(counts[p]);
    left -= counts[p];
    owed[p] += fraction[p];
  }
  while (left > 0) {
    int best = -1;
    for (int p = 0; p < 3; ++p) {
      if (fraction[p] > 0 && (best < 0 || owed[p] > owed[best])) best = p;
    }
    // Percentages that miss 100 by a rounding error can leave one item without a fraction: train, or the first part
    // that is used.
    if (best < 0) best = percent[0] > 0 ? 0 : percent[1] > 0 ? 1 : 2;
    ++counts[best];
    owed[best] -= 1;
    fraction[best] = 0;
    --left;
  }
  return counts;
}

// Every part above 0 % gets an item: from the stratum that gives the largest part the most.
void FillEmptyParts(const PartPercent& percent, std::vector<PartCounts>& strata) {
  for (int p = 0; p < 3; ++p) {
    PartCounts total{};
    for (const PartCounts& counts : strata) {
      for (int q = 0; q < 3; ++q) total[q] += counts[q];
    }
    if (percent[p] <= 0 || total[p] > 0) continue;
    const int largest = static_cast<int>(std::max_element(total.begin(), total.end()) - total.begin());
    if (total[largest] < 2) continue;  // fewer items than parts: DATASET fills them otherwise
    const auto giver =
        std::max_element(strata.begin(), strata.end(),
                         [largest](const PartCounts& a, const PartCounts& b) { return a[largest] < b[largest]; });
    --(*giver)[largest];
    ++(*giver)[p];
  }
}

}  // namespace

PartCounts PartSizes(int64_t n, const PartPercent& percent) {
  std::array<double, 3> owed{};
  std::vector<PartCounts> whole = {Share(n, percent, owed)};
  FillEmptyParts(percent, whole);
  return whole[0];
}

void PartStrata(const SplitRules& rules, std::vector<std::vector<int64_t>> strata, std::vector<uint8_t>& part_of_item) {
  Generator generator(rules.seed);
  std::vector<PartCounts> counts;
  std::array<double, 3> owed{};
  for (std::vector<int64_t>& items : strata) {
    Shuffle(items, generator);
    counts.push_back(Share(static_cast<int64_t>(items.size()), rules.percent, owed));
  }
  FillEmptyParts(rules.percent, counts);
  for (size_t s = 0; s < strata.size(); ++s) {
    auto item = strata[s].begin();
    for (int p = 0; p < 3; ++p) {
      for (int64_t i = 0; i < counts[s][p]; ++i) part_of_item[*item++] = static_cast<uint8_t>(p + 1);
    }
  }
}

}  // namespace gradeline

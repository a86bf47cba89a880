// For tests of Lovász losses: the extension of one set, written plainly.
#ifndef GRADELINE_PLUGINS_LOSSES_GOLDEN_LOVASZ_H_
#define GRADELINE_PLUGINS_LOSSES_GOLDEN_LOVASZ_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace gradeline::conformance {

struct LovaszItem {
  int64_t number;
  long double error;
  bool positive;
};

struct LovaszReference {
  long double loss = 0;
  std::vector<long double> slope;  ///< by the error of each item, by number
  bool has_positives = false;
};

/// Jaccard loss when the first `n` of `items` are misjudged.
inline long double JaccardLoss(const std::vector<LovaszItem>& items, size_t n) {
  long double intersection = 0, all = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const bool wrong = i < n;
    intersection += items[i].positive && !wrong ? 1 : 0;
    all += items[i].positive || wrong ? 1 : 0;
  }
  return all == 0 ? 0 : 1 - intersection / all;
}

inline LovaszReference PlainLovasz(std::vector<LovaszItem> items, int64_t count) {
  LovaszReference set;
  set.slope.resize(static_cast<size_t>(count));
  std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.error > b.error; });
  for (size_t i = 0; i < items.size(); ++i) {
    const long double growth = JaccardLoss(items, i + 1) - JaccardLoss(items, i);
    set.loss += items[i].error * growth;
    set.slope[static_cast<size_t>(items[i].number)] = growth;
    set.has_positives |= items[i].positive;
  }
  return set;
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_LOSSES_GOLDEN_LOVASZ_H_

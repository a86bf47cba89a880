#include "server/core/experiment/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

using Counts = std::array<int64_t, 3>;

// SplitMix64 (Steele, Lea, Flood 2014) with Lemire's unbiased choice below a bound.
class Generator {
 public:
  explicit Generator(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    const uint64_t rejected_below = -bound % bound;
    while (true) {
      const Wide product = static_cast<Wide>(Next()) * bound;
      if (static_cast<uint64_t>(product) >= rejected_below) return static_cast<uint64_t>(product >> 64);
    }
  }

 private:
  uint64_t state_;
};

void Shuffle(std::vector<int64_t>& items, Generator& generator) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[generator.Below(i)]);
}

// Rounds the sums of quotas, kept in `owed` beside what is given out, so that neither one class nor the running totals
// go astray.
Counts Share(int64_t n, const std::array<double, 3>& percent, std::array<double, 3>& owed) {
  Counts counts{};
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
void FillEmptyParts(const std::array<double, 3>& percent, std::vector<Counts>& strata) {
  for (int p = 0; p < 3; ++p) {
    Counts total{};
    for (const Counts& counts : strata) {
      for (int q = 0; q < 3; ++q) total[q] += counts[q];
    }
    if (percent[p] <= 0 || total[p] > 0) continue;
    const int largest = static_cast<int>(std::max_element(total.begin(), total.end()) - total.begin());
    const auto giver = std::max_element(
        strata.begin(), strata.end(), [largest](const Counts& a, const Counts& b) { return a[largest] < b[largest]; });
    --(*giver)[largest];
    ++(*giver)[p];
  }
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

absl::StatusOr<std::vector<uint8_t>> PartItems(SplitStrategy strategy, const std::array<double, 3>& percent,
                                               uint64_t seed, absl::Span<const int32_t> labels) {
  Violations violations;
  violations.Merge("", CheckPercent(percent));
  const int64_t parts = std::count_if(percent.begin(), percent.end(), [](double p) { return p > 0; });
  if (static_cast<int64_t>(labels.size()) < parts) {
    violations.Add("dataset", absl::StrCat("has ", labels.size(), " items, too few for ", parts, " parts above 0 %"));
  }
  if (!violations.empty()) return violations.ToStatus();

  std::map<int32_t, std::vector<int64_t>> by_class;
  for (size_t i = 0; i < labels.size(); ++i) {
    by_class[strategy == SplitStrategy::kStratified ? labels[i] : 0].push_back(static_cast<int64_t>(i));
  }
  Generator generator(seed);
  std::vector<Counts> strata;
  std::array<double, 3> owed{};
  for (auto& [label, items] : by_class) {
    Shuffle(items, generator);
    strata.push_back(Share(static_cast<int64_t>(items.size()), percent, owed));
  }
  FillEmptyParts(percent, strata);

  std::vector<uint8_t> part_of_item(labels.size());
  auto counts = strata.begin();
  for (const auto& [label, items] : by_class) {
    auto item = items.begin();
    for (int p = 0; p < 3; ++p) {
      for (int64_t i = 0; i < (*counts)[p]; ++i) part_of_item[*item++] = static_cast<uint8_t>(p + 1);
    }
    ++counts;
  }
  return part_of_item;
}

}  // namespace gradeline

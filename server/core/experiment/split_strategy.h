// The strategies of split.h, each for itself: percentages are right and there are enough items.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_STRATEGY_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_STRATEGY_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "server/core/experiment/split.h"

namespace gradeline {

using PartCounts = std::array<int64_t, 3>;
using PartPercent = std::array<double, 3>;

/// Sizes of the parts of n items: see PartItems.
PartCounts PartSizes(int64_t n, const PartPercent& percent);

/// `strata`: lists of items. Each is shuffled and parted for itself.
void PartStrata(const SplitRules& rules, std::vector<std::vector<int64_t>> strata, std::vector<uint8_t>& part_of_item);
void PartByLabels(const SplitRules& rules, const SplitItems& items, std::vector<uint8_t>& part_of_item);
absl::Status PartGroups(const SplitRules& rules, const SplitItems& items, std::vector<uint8_t>& part_of_item);
absl::Status PartSources(const SplitRules& rules, const SplitItems& items, std::vector<uint8_t>& part_of_item);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_STRATEGY_H_

// How items are parted into train, validation and test. Pure and portable: the same items, percentages, strategy and
// seed give the same parts on every machine and in every version. Stores nothing.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// Percentages in [0, 100] that add up to 100 (to 1e-6); all violations, fields trainPercent, validationPercent,
/// testPercent.
absl::Status CheckPercent(const std::array<double, 3>& percent);

/// What a split looks at of its items.
struct SplitItems {
  std::vector<int32_t> source;             ///< number of each item's dataset; empty: all of one
  std::vector<int32_t> labels;             ///< classes of all items, one item after another; each class once an item
  std::vector<int64_t> label_begin = {0};  ///< where an item's begin; one more at the end
  std::vector<int32_t> group;              ///< number of the group, -1: on its own; empty: all on their own

  int64_t size() const { return static_cast<int64_t>(label_begin.size()) - 1; }
  absl::Span<const int32_t> LabelsOf(int64_t item) const {
    return absl::MakeConstSpan(labels).subspan(static_cast<size_t>(label_begin[item]),
                                               static_cast<size_t>(label_begin[item + 1] - label_begin[item]));
  }
  void Add(absl::Span<const int32_t> of_item) {
    labels.insert(labels.end(), of_item.begin(), of_item.end());
    label_begin.push_back(static_cast<int64_t>(labels.size()));
  }
};

/// Where the items of a dataset go, by DATASET.
struct SourceShare {
  Phase part = Phase::kTrain;
  double percent = 100;
};

struct SplitRules {
  SplitStrategy strategy = SplitStrategy::kRandom;
  std::array<double, 3> percent{};
  uint64_t seed = 0;
  std::vector<std::optional<SourceShare>> sources;  ///< of DATASET, by number of dataset
};

/// The part (a Phase number) of every item.
///
/// Sizes: the largest remainder of n * percent / 100 (ties: train, validation, test); a part above 0 % that came out
/// empty takes one item from the largest.
/// RANDOM: Fisher-Yates over all items by SplitMix64(seed), then train, validation and test are cut off in turn.
/// STRATIFIED, each item of one class: the same within each class, classes in order of label and one generator for all;
/// a class's share of a part is rounded down or up, whichever keeps the running totals nearest to the percentages. Else
/// iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011): the rarest class first, each of its items to the part
/// that lacks most of the item's classes, within the sizes above; items without a class fill up what is left.
/// GROUP: a group is never parted: the largest first (equal ones in the order of a shuffle), each to the part that
/// lacks most. Sizes are as near to the percentages as that comes.
/// DATASET: of each dataset in `sources` its percent, taken at random, go to its part; all others are parted as by
/// RANDOM.
///
/// INVALID_ARGUMENT with all violations: percentages, fields as CheckPercent; fewer items, or groups, than parts above
/// 0 %, or a part above 0 % that DATASET leaves empty, field "dataset".
absl::StatusOr<std::vector<uint8_t>> PartItems(const SplitRules& rules, const SplitItems& items);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_H_

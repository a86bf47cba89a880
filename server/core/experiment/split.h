// How a dataset's items are parted into train, validation and test. Pure and portable: the same dataset, percentages,
// strategy and seed give the same parts on every machine and in every version. Stores nothing.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// Percentages in [0, 100] that add up to 100 (to 1e-6); all violations, fields trainPercent, validationPercent,
/// testPercent.
absl::Status CheckPercent(const std::array<double, 3>& percent);

/// The part (a Phase number) of every item, given its label.
///
/// Sizes: the largest remainder of n * percent / 100 (ties: train, validation, test); a part above 0 % that came out
/// empty takes one item from the largest. RANDOM: Fisher-Yates over all items by SplitMix64(seed), then train,
/// validation and test are cut off in turn. STRATIFIED: the same within each class, classes in order of label and one
/// generator for all; a class's share of a part is rounded down or up, whichever keeps the running totals nearest to
/// the percentages.
///
/// INVALID_ARGUMENT with all violations: percentages, fewer items than parts above 0 %.
absl::StatusOr<std::vector<uint8_t>> PartItems(SplitStrategy strategy, const std::array<double, 3>& percent,
                                               uint64_t seed, absl::Span<const int32_t> labels);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_SPLIT_H_

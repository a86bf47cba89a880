// Counts pairs of classes at about the speed of memory.
#ifndef GRADELINE_SERVER_CORE_METRIC_PAIR_HISTOGRAM_H_
#define GRADELINE_SERVER_CORE_METRIC_PAIR_HISTOGRAM_H_

#include <cstdint>

#include "absl/types/span.h"

namespace gradeline {

/// Adds 1 to cells[wanted[i] * columns + predicted[i]] for every i. All are in range.
void CountPairs(absl::Span<const uint8_t> wanted, absl::Span<const uint8_t> predicted, int64_t columns,
                absl::Span<int64_t> cells);
/// The same, but what is wanted may be -1: then nothing is added.
void CountPairs(absl::Span<const int32_t> wanted, absl::Span<const int32_t> predicted, int64_t columns,
                absl::Span<int64_t> cells);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_PAIR_HISTOGRAM_H_

// Loops that read labels which are there or not, compiled once for each instruction set and chosen at run time. Memory
// may be unaligned.
#ifndef GRADELINE_SERVER_CORE_METRIC_SLOT_LOOPS_H_
#define GRADELINE_SERVER_CORE_METRIC_SLOT_LOOPS_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

/// A slot's state is the sum of what holds of it. One that does not count is kSkippedSlot without the two before.
inline constexpr uint8_t kPredictedSlot = 1, kWantedSlot = 2, kSkippedSlot = 4;
/// The prediction, the target is none: NaN, or a whole number that is not 0, 1 or, of a target, the ignored one.
inline constexpr uint8_t kWrongPrediction = 8, kWrongTarget = 16;

/// Writes the states of as many predictions: a logit above 0, or a whole number 1, is predicted.
void ReadPredicted(DType dtype, const std::byte* data, absl::Span<uint8_t> states);
/// Adds to the states those of as many targets: a whole number 1, or a real above 0.5, is wanted. Returns all their
/// bits.
uint8_t ReadWanted(DType dtype, const std::byte* data, int64_t ignored, absl::Span<uint8_t> states);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_SLOT_LOOPS_H_

// Loops over scores and labels, compiled once for each instruction set and chosen at run time. Memory may be unaligned.
#ifndef GRADELINE_SERVER_CORE_METRIC_DECISION_LOOPS_H_
#define GRADELINE_SERVER_CORE_METRIC_DECISION_LOOPS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "server/core/tensor/tensor.h"

namespace gradeline {

/// Items that HighestOfPlanes looks at together.
inline constexpr int64_t kPlaneBlock = 2048;

/// Writes the class of the highest score of each of `count` <= kPlaneBlock items that lie side by side, the classes of
/// an item `stride` elements apart; among equals the lowest class. `dtype` is real. False if a score is NaN; then what
/// was written means nothing.
bool HighestOfPlanes(DType dtype, const std::byte* scores, int64_t classes, int64_t stride, int64_t count,
                     int32_t* highest);

/// The same for `rows` items one after another, the classes of an item side by side.
bool HighestOfRows(DType dtype, const std::byte* scores, int64_t classes, int64_t rows, int32_t* highest);

/// Which labels are right: those from 0 that are below `end`, and `ignored`.
struct LabelRange {
  uint32_t end = 0;
  std::optional<int64_t> ignored;
};

/// Writes `count` labels of a type of whole numbers as classes, -1 for those that are ignored. False if one is out of
/// range; it is written as -1.
bool ClassesOf(DType dtype, const std::byte* labels, int64_t count, const LabelRange& range, int32_t* classes);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_DECISION_LOOPS_H_

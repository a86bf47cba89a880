// From scores and labels to classes.
#ifndef GRADELINE_SERVER_CORE_METRIC_DECISIONS_H_
#define GRADELINE_SERVER_CORE_METRIC_DECISIONS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

/// What was decided for every item and what is right, both as classes.
struct Decisions {
  int64_t classes = 0;
  int64_t outer = 0, inner = 0;  ///< items are [outer][inner]: rows have inner 1, of pixels outer counts the images
  std::vector<int32_t> predicted = {};  ///< 0 to classes - 1
  std::vector<int32_t> wanted = {};     ///< 0 to classes - 1, or kIgnored
};

/// An item that does not count.
inline constexpr int32_t kIgnored = -1;

/// How the items of a prediction and its target lie: [outer][classes][inner] scores, [outer][inner] classes.
struct DecisionLayout {
  int64_t outer = 0;
  int64_t classes = 0;  ///< 0: the prediction is classes, and how many there are is not known
  int64_t inner = 1;
  int64_t items() const { return outer * inner; }
};

/// INVALID_ARGUMENT with all violations of types and shapes that Decide would name.
absl::StatusOr<DecisionLayout> LayoutOf(const TensorView& prediction, const TensorView& target);

/// Prediction [N, C, B] real scores, of which the highest decides and among equals that of the lowest class; or [N, B]
/// whole numbers, classes that were decided already. Target [N, B] labels, of which those equal to `ignore_index` do
/// not count; or [N, C, B] real, whose highest is the class. B is any axes, none or more. Memory may be unaligned.
/// INVALID_ARGUMENT with all violations of "inputs.prediction" and "inputs.target": types, shapes, a score that is NaN,
/// a label that is no class; the last two name the item.
absl::StatusOr<Decisions> Decide(const TensorView& prediction, const TensorView& target, int64_t ignore_index);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_DECISIONS_H_

// Scores of classes with what is right, each as a question of its own: is this item of this class?
#ifndef GRADELINE_SERVER_CORE_METRIC_SCORED_H_
#define GRADELINE_SERVER_CORE_METRIC_SCORED_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/metric/batch.h"

namespace gradeline {

struct Scored {
  static constexpr int8_t kNo = 0, kYes = 1, kSkipped = -1;
  int64_t classes = 0, items = 0;
  std::vector<double> scores = {};  ///< [classes][items]
  std::vector<int8_t> labels = {};  ///< [classes][items]: kYes, kNo, or kSkipped: does not count
};

/// Of binary and multilabel batches: the logits as they are, whole numbers 0 and 1 as such; binary has one class. Of
/// multiclass batches: the softmax in double of each item's scores; each class against the rest. Infinite scores are as
/// the limit: the softmax is shared by those that are the highest. INVALID_ARGUMENT with all violations: types, shapes,
/// NaN, what is no label.
absl::StatusOr<Scored> ReadScored(const MetricBatch& batch);

/// 1 / (1 + e^-x), without overflow.
double Sigmoid(double x);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_SCORED_H_

// Top-1 accuracy: the share of items whose highest prediction is the target's class. Exact counts; no thresholds, no
// top-k.
#ifndef GRADELINE_SERVER_CORE_METRIC_ACCURACY_H_
#define GRADELINE_SERVER_CORE_METRIC_ACCURACY_H_

#include "server/core/metric/metric.h"

namespace gradeline {

/// Prediction [N, C, ...]; target: labels [N, ...], or reals [N, C, ...] whose highest is the class. Among equals the
/// lowest class is the highest. Delta: items right, items counted.
class Accuracy : public Metric {
 public:
  const MetricInfo& info() const override;
  absl::StatusOr<std::vector<double>> Update(const MetricBatch& batch) const override;
  size_t delta_size() const override { return 2; }
  bool Fits(absl::Span<const double> delta) const override;
  Value Compute(absl::Span<const double> sum) const override;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_ACCURACY_H_

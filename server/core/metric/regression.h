// Sums of targets and of what predictions are off, exact: what regression scores are made of.
#ifndef GRADELINE_SERVER_CORE_METRIC_REGRESSION_H_
#define GRADELINE_SERVER_CORE_METRIC_REGRESSION_H_

#include <string>
#include <string_view>
#include <vector>

#include "server/core/metric/counts.h"
#include "server/core/metric/exact_sum.h"

namespace gradeline {

/// Of one output. A difference is prediction - target, computed in double: exact where both are f16 or bf16 or near
/// each other, otherwise rounded once. Everything after is exact.
struct RegressionSums {
  ExactSum targets, target_squares, differences, difference_squares, magnitudes;
};

/// Of signal value: prediction and target [N, B] real and finite; each place of B is an output.
class Regression : public Counts {
 public:
  explicit Regression(int64_t max_bytes) : max_bytes_(max_bytes) {}

  absl::Status Add(const MetricBatch& batch) override;
  absl::Status Merge(std::string_view bytes) override;
  std::string Bytes() const override;

  int64_t items() const { return items_; }
  const std::vector<RegressionSums>& outputs() const { return outputs_; }

 private:
  absl::Status Fits(int64_t outputs, int64_t items) const;

  const int64_t max_bytes_;
  int64_t items_ = 0;
  std::vector<RegressionSums> outputs_;
};

const CountsKind& RegressionKind(std::string_view signal);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_REGRESSION_H_

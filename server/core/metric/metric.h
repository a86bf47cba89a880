// Metrics: measures computed from the same batches as the loss, streamed as small mergeable deltas.
#ifndef GRADELINE_SERVER_CORE_METRIC_METRIC_H_
#define GRADELINE_SERVER_CORE_METRIC_METRIC_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

struct MetricInfo {
  std::string id, doc;
  std::vector<std::string> signals;  ///< signals it can be computed from
  bool maximise = true;
};

/// What a metric needs of a batch. Labels equal to `ignore_index` do not count.
struct MetricBatch {
  TensorView prediction;
  TensorView target;
  int64_t ignore_index = -100;
};

/// One metric of one head. Stateless and thread-safe: state lives in deltas.
class Metric {
 public:
  virtual ~Metric() = default;
  virtual const MetricInfo& info() const = 0;
  /// The delta of a batch: fixed-length numbers that add up element by element (exactly: counts below 2^53, or sums
  /// whose order the caller keeps). The batch has passed the loss's checks.
  virtual absl::StatusOr<std::vector<double>> Update(const MetricBatch& batch) const = 0;
  /// How many numbers a delta has.
  virtual size_t delta_size() const = 0;
  /// Whether `delta`, of delta_size() numbers that came from outside, may be one: what it counts is whole, at least 0
  /// and below 2^31.
  virtual bool Fits(absl::Span<const double> delta) const = 0;
  /// Value and count of added-up deltas. Value 0 and count 0 when nothing counted.
  struct Value {
    double value = 0;
    int64_t count = 0;
  };
  virtual Value Compute(absl::Span<const double> sum) const = 0;
};

/// All metrics, by id. A fixed list.
absl::Span<const Metric* const> Metrics();
/// NOT_FOUND with near names; FAILED_PRECONDITION when it cannot be computed from `signal` (those it can are named).
absl::StatusOr<const Metric*> FindMetric(std::string_view id, std::string_view signal);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_METRIC_H_

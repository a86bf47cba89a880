// Metrics: measures of a model's quality, computed from what was counted of the same batches as the loss.
#ifndef GRADELINE_SERVER_CORE_METRIC_METRIC_H_
#define GRADELINE_SERVER_CORE_METRIC_METRIC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/loss/params.h"
#include "server/core/metric/counts.h"
#include "server/core/metric/result.h"

namespace gradeline {

/// A tensor that a metric takes.
struct MetricInput {
  std::string name, doc;  ///< doc with shape and units: "[M, 4] boxes, xyxy"
  bool optional = false;
  std::string signal = {};  ///< of which alone it is; empty: of each of the metric's
};

struct Metric {
  std::string id, title, doc;
  std::string reference;             ///< whose definition it is: "scikit-learn f1_score"
  std::vector<std::string> signals;  ///< it can be computed of
  std::vector<ParamSpec> params;
  bool maximise = true;
  std::vector<MetricInput> inputs;  ///< empty: prediction and target, as MetricBatch says
  /// The way to count for a signal of `signals`. Lives for ever.
  const CountsKind& (*counts)(std::string_view signal) = nullptr;
  /// `counts` are of that kind, made with `params` as far as the kind depends on them. Pure.
  MetricResult (*compute)(const Counts& counts, const ParamMap& params) = nullptr;
};

/// What a metric takes of `signal`: its inputs, or prediction and target. Empty: of any, and what some of its signals
/// do without is optional.
std::vector<MetricInput> InputsOf(const Metric& metric, std::string_view signal = "");

/// All metrics, by id. A fixed list.
absl::Span<const Metric> Metrics();
/// NOT_FOUND with near names.
absl::StatusOr<const Metric*> FindMetric(std::string_view id);
/// FAILED_PRECONDITION when it cannot be computed of `signal` (those it can are named).
absl::Status CheckSignal(const Metric& metric, std::string_view signal);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_METRIC_H_

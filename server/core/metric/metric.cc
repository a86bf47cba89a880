#include "server/core/metric/metric.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/metric/families.h"

namespace gradeline {

absl::Span<const Metric> Metrics() {
  static const std::vector<Metric> kAll = [] {
    std::vector<Metric> all;
    for (const auto& family :
         {AccuracyMetrics, BoundaryMetrics, CalibrationMetrics, ClassMetrics, CocoMetrics, CurveMetrics, ExampleMetrics,
          PanopticMetrics, PixelMetrics, RegressionMetrics, VocMetrics}) {
      std::vector<Metric> metrics = family();
      std::move(metrics.begin(), metrics.end(), std::back_inserter(all));
    }
    std::sort(all.begin(), all.end(), [](const Metric& a, const Metric& b) { return a.id < b.id; });
    return all;
  }();
  return kAll;
}

std::vector<MetricInput> InputsOf(const Metric& metric, std::string_view signal) {
  if (metric.inputs.empty()) return {{"prediction", "scores or decisions"}, {"target", "what is right"}};
  std::vector<MetricInput> inputs;
  for (const MetricInput& input : metric.inputs) {
    if (!signal.empty() && !input.signal.empty() && input.signal != signal) continue;
    inputs.push_back(input);
    inputs.back().optional |= signal.empty() && !input.signal.empty() && metric.signals.size() > 1;
  }
  return inputs;
}

absl::StatusOr<const Metric*> FindMetric(std::string_view id) {
  std::vector<std::string> ids;
  for (const Metric& metric : Metrics()) {
    if (metric.id == id) return &metric;
    ids.push_back(metric.id);
  }
  std::vector<std::string> near = NearNames(id, ids);
  return WithReason(
      absl::NotFoundError(absl::StrCat("no metric ", std::string(id), near.empty() ? "; there are " : "; did you mean ",
                                       absl::StrJoin(near.empty() ? ids : near, ", "), near.empty() ? "" : "?")),
      "METRIC_NOT_FOUND", {{"metric", std::string(id)}});
}

absl::Status CheckSignal(const Metric& metric, std::string_view signal) {
  if (std::find(metric.signals.begin(), metric.signals.end(), signal) != metric.signals.end()) return absl::OkStatus();
  return WithReason(absl::FailedPreconditionError(absl::StrCat("metric ", metric.id, " cannot be computed from signal ",
                                                               std::string(signal), "; it can from ",
                                                               absl::StrJoin(metric.signals, ", "))),
                    "METRIC_NOT_VALID", {{"metric", metric.id}, {"signal", std::string(signal)}});
}

}  // namespace gradeline

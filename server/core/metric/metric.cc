#include "server/core/metric/metric.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/metric/accuracy.h"

namespace gradeline {

absl::Span<const Metric* const> Metrics() {
  static const Accuracy kAccuracy;
  static const Metric* const kAll[] = {&kAccuracy};
  return kAll;
}

absl::StatusOr<const Metric*> FindMetric(std::string_view id, std::string_view signal) {
  std::vector<std::string> ids;
  for (const Metric* metric : Metrics()) {
    const MetricInfo& info = metric->info();
    ids.push_back(info.id);
    if (info.id != id) continue;
    if (std::find(info.signals.begin(), info.signals.end(), signal) != info.signals.end()) return metric;
    return WithReason(absl::FailedPreconditionError(absl::StrCat("metric ", info.id, " cannot be computed from signal ",
                                                                 std::string(signal), "; it can from ",
                                                                 absl::StrJoin(info.signals, ", "))),
                      "METRIC_NOT_VALID", {{"metric", info.id}, {"signal", std::string(signal)}});
  }
  std::vector<std::string> near = NearNames(id, ids);
  return WithReason(
      absl::NotFoundError(absl::StrCat("no metric ", std::string(id), near.empty() ? "; there are " : "; did you mean ",
                                       absl::StrJoin(near.empty() ? ids : near, ", "), near.empty() ? "" : "?")),
      "METRIC_NOT_FOUND", {{"metric", std::string(id)}});
}

}  // namespace gradeline

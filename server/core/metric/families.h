// The metrics by what they count, one function for each file that defines some. Metrics() joins them.
#ifndef GRADELINE_SERVER_CORE_METRIC_FAMILIES_H_
#define GRADELINE_SERVER_CORE_METRIC_FAMILIES_H_

#include <vector>

#include "server/core/metric/metric.h"

namespace gradeline {

std::vector<Metric> AccuracyMetrics();
std::vector<Metric> BoundaryMetrics();
std::vector<Metric> CalibrationMetrics();
std::vector<Metric> ClassMetrics();
std::vector<Metric> CocoMetrics();
std::vector<Metric> CurveMetrics();
std::vector<Metric> ExampleMetrics();
std::vector<Metric> PanopticMetrics();
std::vector<Metric> PixelMetrics();
std::vector<Metric> RegressionMetrics();
std::vector<Metric> VocMetrics();

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_FAMILIES_H_

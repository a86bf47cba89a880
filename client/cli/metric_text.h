// A metric's result as people read it: the number, then classes, curves and matrix as tables.
#ifndef GRADELINE_CLIENT_CLI_METRIC_TEXT_H_
#define GRADELINE_CLIENT_CLI_METRIC_TEXT_H_

#include <array>
#include <ostream>
#include <string>
#include <vector>

#include "gradeline/v1/epoch.pb.h"

namespace gradeline::cli {

/// What the inputs of a metric may be.
inline constexpr std::array<const char*, 10> kMetricSignals{
    "multiclass",   "binary",           "multilabel", "value",     "pixel-multiclass",
    "pixel-binary", "pixel-multilabel", "detections", "instances", "panoptic"};

/// `classes`: names by index, as far as they are known; others are shown by their number.
void PrintMetric(const v1::MetricValue& metric, const std::vector<std::string>& classes, std::ostream& out);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_METRIC_TEXT_H_

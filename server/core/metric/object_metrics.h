// What the metrics of objects declare alike.
#ifndef GRADELINE_SERVER_CORE_METRIC_OBJECT_METRICS_H_
#define GRADELINE_SERVER_CORE_METRIC_OBJECT_METRICS_H_

#include <vector>

#include "server/core/metric/metric.h"

namespace gradeline {

/// xyxy, xywh or cxcywh.
ParamSpec BoxFormatParam();

/// The inputs of the signal detections, with those of instances where `masks`. Those of one signal alone are optional;
/// that they are there for theirs is checked with the batch.
std::vector<MetricInput> ObjectInputs(bool masks);

/// Not defined, since an image came in two batches.
MetricResult RepeatedImage(int64_t image);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_OBJECT_METRICS_H_

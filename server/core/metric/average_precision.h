// From detections in order to precision and recall, class by class.
#ifndef GRADELINE_SERVER_CORE_METRIC_AVERAGE_PRECISION_H_
#define GRADELINE_SERVER_CORE_METRIC_AVERAGE_PRECISION_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "server/core/metric/detection_set.h"

namespace gradeline {

/// Of a class with targets.
struct ClassDetections {
  int32_t class_id = 0;
  TargetCounts targets{};
  absl::Span<const ScoredDetection> detections;  ///< by score, the highest first
};

/// Every class of the set that has targets, in order.
std::vector<ClassDetections> ByClass(const DetectionSet& set);

/// For the 1st, 2nd ... detection that finds a target: the highest precision there or at any detection of lower score.
/// Looks at outcome bit `bit`. `extra` is added to the number of detections: what a reference adds against 0 / 0.
void PrecisionsOfHits(absl::Span<const ScoredDetection> detections, size_t bit, double extra,
                      std::vector<double>& precisions);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_AVERAGE_PRECISION_H_

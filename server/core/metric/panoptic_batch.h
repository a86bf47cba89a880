// The segments of a panoptic batch, read and checked: their areas and what they have in common, image by image.
#ifndef GRADELINE_SERVER_CORE_METRIC_PANOPTIC_BATCH_H_
#define GRADELINE_SERVER_CORE_METRIC_PANOPTIC_BATCH_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "server/core/metric/batch.h"

namespace gradeline {

struct Segment {
  int64_t id = 0;  ///< 0: void
  int32_t class_id = 0;
  bool crowd = false;
  int64_t area = 0;  ///< pixels
};

/// Pixels that a target and a predicted segment have in common, both by their place in the lists.
struct Common {
  uint32_t target = 0, predicted = 0;
  int64_t pixels = 0;
};

/// One image. The first segment of either list is void.
struct PanopticImage {
  std::vector<Segment> predicted, targets;  ///< in order of the input
  std::vector<Common> common;               ///< pairs with a pixel, in any order
};

/// The images of prediction, segments, target and target_segments. INVALID_ARGUMENT with all violations: types, shapes,
/// images and classes that are none, an id twice in an image, a pixel whose segment is not listed, a predicted segment
/// without a pixel.
absl::StatusOr<std::vector<PanopticImage>> ReadPanoptic(const MetricBatch& batch);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_PANOPTIC_BATCH_H_

// Detections and targets of a batch, read and checked, and grouped by image and class.
#ifndef GRADELINE_SERVER_CORE_METRIC_OBJECT_BATCH_H_
#define GRADELINE_SERVER_CORE_METRIC_OBJECT_BATCH_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/metric/batch.h"
#include "server/core/metric/rle.h"

namespace gradeline {

/// As COCO has them: the corner with the smallest coordinates, and the size. The size may be 0 or negative.
struct Box {
  double x = 0, y = 0, width = 0, height = 0;
};

/// Objects side by side, in order of the input.
struct ObjectList {
  std::vector<int64_t> images;
  std::vector<int32_t> classes;
  std::vector<double> areas;
  std::vector<Box> boxes;          ///< of the signal detections
  std::vector<int64_t> ends;       ///< of the signal instances: of all masks one after another
  std::vector<size_t> mask_begin;  ///< into ends, one more than there are masks
  size_t size() const { return images.size(); }
  Mask mask(size_t i) const {
    const absl::Span<const int64_t> own(ends.data() + mask_begin[i], mask_begin[i + 1] - mask_begin[i]);
    return {own, MaskArea(own)};
  }
};

struct ObjectBatch {
  ObjectList detections, targets;
  std::vector<double> scores;   ///< of the detections
  std::vector<uint8_t> crowd;   ///< of the targets: 1 for a crowd, or for what is difficult
  std::vector<int64_t> images;  ///< all that occur, in order, each once
};

/// Classes are below it, and so are the detections and the targets of a batch in number.
inline constexpr int64_t kObjectLimit = int64_t{1} << 24;

/// Reads the inputs of the signals detections and instances. `box_format` is xyxy, xywh or cxcywh. INVALID_ARGUMENT
/// with all violations: what is missing, types, shapes, scores that are NaN, coordinates that are not finite, classes,
/// flags, runs that do not add up, masks of two sizes in one image.
absl::StatusOr<ObjectBatch> ReadObjects(const MetricBatch& batch, std::string_view box_format);

/// Detections and targets of one image and class, by their place in the batch: detections by score, the highest first,
/// among equals in order of the input; targets in order of the input.
struct ObjectGroup {
  int64_t image = 0;
  int32_t class_id = 0;
  absl::Span<const uint32_t> detections, targets;
};

/// Goes through the groups that have a detection or a target, by image and class. Borrows the batch.
class ObjectGroups {
 public:
  explicit ObjectGroups(const ObjectBatch& batch);
  /// False after the last one. A group is good until the next.
  bool Next(ObjectGroup& group);

 private:
  struct Key {
    int64_t image;
    int32_t class_id;
    uint32_t index;
    double score;
  };
  static std::vector<Key> Ordered(const ObjectList& list, const std::vector<double>* scores);
  std::vector<Key> detections_, targets_;
  size_t next_detection_ = 0, next_target_ = 0;
  std::vector<uint32_t> indices_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_OBJECT_BATCH_H_

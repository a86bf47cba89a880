#include "server/core/metric/object_iou.h"

#include <algorithm>

namespace gradeline {

double BoxIou(const Box& detection, const Box& target, bool crowd, double offset) {
  const double width =
      std::min(detection.width + detection.x, target.width + target.x) - std::max(detection.x, target.x) + offset;
  if (width <= 0) return 0;
  const double height =
      std::min(detection.height + detection.y, target.height + target.y) - std::max(detection.y, target.y) + offset;
  if (height <= 0) return 0;
  const double both = width * height;
  const double area = (detection.width + offset) * (detection.height + offset);
  return both / (crowd ? area : area + (target.width + offset) * (target.height + offset) - both);
}

void FillIou(const ObjectBatch& batch, const ObjectGroup& group, size_t count, double* iou) {
  for (const uint32_t d : group.detections.first(count)) {
    if (!batch.detections.boxes.empty()) {
      const Box& box = batch.detections.boxes[d];
      for (const uint32_t t : group.targets) *iou++ = BoxIou(box, batch.targets.boxes[t], batch.crowd[t] != 0, 0);
    } else {
      const Mask mask = batch.detections.mask(d);
      for (const uint32_t t : group.targets) *iou++ = MaskIou(mask, batch.targets.mask(t), batch.crowd[t] != 0);
    }
  }
}

}  // namespace gradeline

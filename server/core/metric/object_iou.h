// How much detections and targets overlap.
#ifndef GRADELINE_SERVER_CORE_METRIC_OBJECT_IOU_H_
#define GRADELINE_SERVER_CORE_METRIC_OBJECT_IOU_H_

#include "server/core/metric/object_batch.h"

namespace gradeline {

/// Intersection over union of boxes in double, operation by operation as pycocotools computes it (bbIou), so that both
/// round alike; with a crowd over the area of the detection. `offset` is added to every width and height: 1 where
/// boxes are pixels from the first to the last.
double BoxIou(const Box& detection, const Box& target, bool crowd, double offset);

/// Of the first `count` detections of a group with all its targets into `iou` [count, targets], of boxes or masks as
/// the batch has them.
void FillIou(const ObjectBatch& batch, const ObjectGroup& group, size_t count, double* iou);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_OBJECT_IOU_H_

// What the kernels of iou are told.
#ifndef GRADELINE_PLUGINS_LOSSES_IOU_SETTINGS_H_
#define GRADELINE_PLUGINS_LOSSES_IOU_SETTINGS_H_

#include "plugins/simd/boxes.h"

namespace gradeline::iou {

enum class Mode { kLog, kLinear, kSquare };

struct Settings {
  Mode mode = Mode::kLog;
  simd::BoxFormat format = simd::BoxFormat::kXyxy;
  double eps = 1e-6, most = 0;  ///< least IoU that counts, and -ln of it
};

}  // namespace gradeline::iou

#endif  // GRADELINE_PLUGINS_LOSSES_IOU_SETTINGS_H_

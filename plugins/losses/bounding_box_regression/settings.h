// What the kernels of bounding_box_regression are told.
#ifndef GRADELINE_PLUGINS_LOSSES_BOUNDING_BOX_REGRESSION_SETTINGS_H_
#define GRADELINE_PLUGINS_LOSSES_BOUNDING_BOX_REGRESSION_SETTINGS_H_

#include "plugins/simd/boxes.h"

namespace gradeline::box {

enum class Type { kSmoothL1, kL1, kGiou, kDiou, kCiou };

struct Settings {
  Type type = Type::kSmoothL1;
  simd::BoxFormat format = simd::BoxFormat::kXyxy;
  double beta = 1, eps = 0;
  double aspect_above = -1;  ///< below 0: the aspect term always counts

  bool overlaps() const { return type == Type::kGiou || type == Type::kDiou || type == Type::kCiou; }
};

}  // namespace gradeline::box

#endif  // GRADELINE_PLUGINS_LOSSES_BOUNDING_BOX_REGRESSION_SETTINGS_H_

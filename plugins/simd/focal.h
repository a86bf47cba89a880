// Parameters that focal losses share. Their kernels are in focal-inl.h.
#ifndef GRADELINE_PLUGINS_SIMD_FOCAL_H_
#define GRADELINE_PLUGINS_SIMD_FOCAL_H_

#include <array>

#include "plugins/sdk/loss.h"

namespace gradeline::simd {

inline constexpr GdlParamSpec kFocalGamma =
    sdk::Number("gamma", 2, 0, sdk::kInfinity, "power of what is missing to certainty; 0: cross-entropy");
inline constexpr GdlParamSpec kFocalAlpha =
    sdk::Number("alpha", -1, -1, 1, "weight of yes in [0, 1], of no 1 - alpha; below 0: off");

/// Of the kernel of decisions: gamma, weight of yes, weight of no.
inline std::array<double, 3> FocalNumbers(const sdk::Params& params) {
  const double alpha = params.Number("alpha");
  return {params.Number("gamma"), alpha < 0 ? 1 : alpha, alpha < 0 ? 1 : 1 - alpha};
}

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_FOCAL_H_

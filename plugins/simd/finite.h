// The second look of losses that check by themselves that their inputs are finite (GDL_CHECKS_FINITE).
#ifndef GRADELINE_PLUGINS_SIMD_FINITE_H_
#define GRADELINE_PLUGINS_SIMD_FINITE_H_

#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "plugins/sdk/loss.h"

namespace gradeline::simd {

/// Reports the lowest item of the tile with a value that is NaN or infinite in one of `tensors` (reals; absent ones are
/// passed over); of several tensors the first named.
template <typename Real>
void ReportNonFinite(const sdk::Tile<Real>& tile, std::initializer_list<size_t> tensors) {
  GdlFault& fault = *tile.raw().fault;
  for (const size_t tensor : tensors) {
    const sdk::View<const Real> view = tile.Input(tensor);
    if (!view) continue;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t k = 0; k < view.small; ++k) {
        const Real* run = view.Run(o, k);
        for (int64_t i = 0; i < tile.inner(); ++i) {
          const int64_t item = tile.raw().first_item + o * tile.inner() + i;
          if (std::isfinite(run[i]) || (fault.kind != 0 && item >= fault.item)) continue;
          fault.kind = GDL_FAULT_NONFINITE;
          fault.tensor = static_cast<uint32_t>(tensor);
          fault.item = item;
        }
      }
    }
  }
}

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_FINITE_H_

// Losses whose items are pairs of boxes, on vectors: the base class and what a kernel is given. The kernel's loop and
// the geometry of overlaps are in boxes-inl.h.
#ifndef GRADELINE_PLUGINS_SIMD_BOXES_H_
#define GRADELINE_PLUGINS_SIMD_BOXES_H_

#include <algorithm>
#include <cstdint>

#include "plugins/sdk/ratio.h"
#include "plugins/simd/finite.h"

namespace gradeline::simd {

/// What the four numbers of a box are: corners; a corner and sides; the centre and sides.
enum class BoxFormat { kXyxy, kXywh, kCxcywh };
inline constexpr const char* kBoxFormats[] = {"xyxy", "xywh", "cxcywh", nullptr};  ///< words of a parameter "format"

/// Consecutive boxes, four numbers each. NULL: not wanted or not given. Without predictions only weights are added up.
template <typename Real>
struct BoxRun {
  const Real *prediction, *target, *weights;
  Real* gradient;
  double* item_loss;
  double scale;
  int64_t n;
  bool stream;
};

/// Boxes whose sums are added up by themselves: bits do not depend on how a tile lies in memory.
inline constexpr int64_t kBoxBlock = 64;

struct BoxSums {
  double numerator = 0, denominator = 0;
  bool finite = true, ordered = true;  ///< ordered: no side is negative

  void Add(const BoxSums& other) {
    numerator += other.numerator;
    denominator += other.denominator;
    finite &= other.finite;
    ordered &= other.ordered;
  }
};

/// Of corners and of sides, for x and for y.
inline constexpr const char* kNegativeSides[2][2] = {
    {"x2 < x1; allowed: x1 <= x2", "y2 < y1; allowed: y1 <= y2"},
    {"width < 0; allowed: 0 or more", "height < 0; allowed: 0 or more"}};

/// Reports the lowest box of the tile with a negative side, unless a fault is there for a lower item.
template <typename Real>
void ReportNegativeSide(const sdk::Tile<Real>& tile, BoxFormat format) {
  GdlFault& fault = *tile.raw().fault;
  const bool corners = format == BoxFormat::kXyxy;
  for (int64_t o = 0; o < tile.outer(); ++o) {
    const int64_t item = tile.raw().first_item + o;
    if (fault.kind != 0 && fault.item <= item) return;
    for (uint32_t tensor = 0; tensor < 2; ++tensor) {
      const sdk::View<const Real> view = tile.Input(tensor);
      for (int64_t axis = 0; axis < 2; ++axis) {
        const Real second = *view.Run(o, axis + 2);
        if (!(corners ? second < *view.Run(o, axis) : second < 0)) continue;
        fault.kind = GDL_FAULT_VALUE;
        fault.tensor = tensor;
        fault.item = item;
        fault.what = kNegativeSides[corners ? 0 : 1][axis];
        return;
      }
    }
  }
}

/// Base of a loss with tensors "prediction" and "target" of dims "N 4" and "weight" of dims "N", in this order; checks
/// by itself that they are finite (kFlags has GDL_CHECKS_FINITE). `Loss` has
///   BoxSums Run(const BoxRun<Real>&) const   for both types: the vector loop with its kernel
///   bool has_sides() const                   whether the numbers are boxes, of which no side may be negative
///   BoxFormat format() const                 names negative sides
template <typename Loss>
class Boxes : public sdk::Ratio<Loss> {
 public:
  using Sums = typename sdk::Ratio<Loss>::Sums;

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    return RunTile(tile).denominator;
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    const BoxSums sums = RunTile(tile);
    if (!sums.finite) ReportNonFinite(tile, {0, 1, 2});
    if (!sums.ordered || !sums.finite) {
      if (static_cast<const Loss&>(*this).has_sides()) {
        ReportNegativeSide(tile, static_cast<const Loss&>(*this).format());
      }
    }
    return {sums.numerator, sums.denominator};
  }

 protected:
  Boxes() = default;

 private:
  template <typename Real>
  BoxSums RunTile(const sdk::Tile<Real>& tile) const {
    const Loss& loss = static_cast<const Loss&>(*this);
    const sdk::View<const Real> prediction = tile.Input(0), target = tile.Input(1), weight = tile.Input(2);
    const sdk::View<Real> gradient = tile.Gradient(0);
    const double scale = gradient ? tile.raw().scale[0] : 0;
    if (Dense(prediction, 4) && Dense(target, 4) && Dense(weight, 1) && Dense(gradient, 4)) {
      return loss.Run(BoxRun<Real>{prediction.data, target.data, weight.data, gradient.data, tile.raw().item_loss,
                                   scale, tile.outer(), (tile.raw().flags & GDL_STREAM) != 0});
    }
    BoxSums sums;
    for (int64_t begin = 0; begin < tile.outer(); begin += kBoxBlock) {
      const int64_t n = std::min(kBoxBlock, tile.outer() - begin);
      Real predicted[4 * kBoxBlock], wanted[4 * kBoxBlock], weights[kBoxBlock], slopes[4 * kBoxBlock];
      double* item_loss = tile.raw().item_loss;
      const BoxRun<Real> run{Gather(prediction, begin, n, predicted),
                             Gather(target, begin, n, wanted),
                             Gather(weight, begin, n, weights),
                             gradient ? slopes : nullptr,
                             item_loss == nullptr ? nullptr : item_loss + begin,
                             scale,
                             n,
                             false};
      sums.Add(loss.Run(run));
      for (int64_t o = 0; gradient && o < n; ++o) {
        for (int64_t k = 0; k < 4; ++k) *gradient.Run(begin + o, k) = slopes[4 * o + k];
      }
    }
    return sums;
  }

  template <typename T>
  static bool Dense(const sdk::View<T>& view, int64_t small) {
    return !view || (view.outer_stride == small && (small == 1 || view.small_stride == 1));
  }

  template <typename Real>
  static const Real* Gather(const sdk::View<const Real>& view, int64_t begin, int64_t n, Real* to) {
    for (int64_t o = 0; view && o < n; ++o) {
      for (int64_t k = 0; k < view.small; ++k) to[view.small * o + k] = *view.Run(begin + o, k);
    }
    return view ? to : nullptr;
  }
};

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_BOXES_H_

// Regions of pixels: how far what is predicted of a class covers what is true of it. What the kernels of region.cc take
// and give; the base of the losses is in region_loss.h.
#ifndef GRADELINE_PLUGINS_SIMD_REGION_H_
#define GRADELINE_PLUGINS_SIMD_REGION_H_

#include <cstdint>
#include <vector>

#include "plugins/sdk/loss.h"
#include "plugins/simd/softmax.h"

namespace gradeline::simd {

/// Sums of one class over the pixels that count. p: its probability there, y: 1 if the pixel is of the class, else 0
/// (soft targets: between). 1 - p is never computed by subtraction, so `missed` keeps its digits where p is near 1.
struct Overlap {
  double hit = 0;     ///< p y
  double extra = 0;   ///< p (1 - y)
  double missed = 0;  ///< (1 - p) y
  double pixels = 0;
  double truth() const { return hit + missed; }
};

/// Derivatives of a loss by p, where the pixel is of the class and where it is not.
struct Slopes {
  double in = 0, out = 0;
};

/// Pixels [outer][c][inner]. Softmax: `labels` [outer][1][inner] number the class; sigmoid: labels 0 or 1, or `soft`,
/// [outer][c][inner]. Negative labels count nothing, their gradient is 0.
template <typename Real>
struct RegionPixels {
  sdk::View<const Real> logits;
  sdk::View<const int32_t> labels;
  sdk::View<const Real> soft;
  sdk::View<Real> gradient;
  int64_t outer, inner;
  bool stream;
  void* scratch;  ///< RegionScratch bytes

  RegionPixels(const sdk::Tile<Real>& tile, const sdk::View<const Real>& soft_targets)
      : logits(tile.Input(0)),
        labels(tile.Labels(1)),
        soft(soft_targets),
        gradient(tile.Gradient(0)),
        outer(tile.outer()),
        inner(tile.inner()),
        stream((tile.raw().flags & GDL_STREAM) != 0),
        scratch(tile.raw().scratch) {}

  /// One outer of it.
  RegionPixels One(int64_t o) const {
    RegionPixels one = *this;
    const auto move = [o](auto& view) {
      if (view) view.data += o * view.outer_stride;
    };
    move(one.logits);
    move(one.labels);
    move(one.soft);
    move(one.gradient);
    one.outer = 1;
    return one;
  }
};

/// Cross-entropy of the same pixels: weight of each class (empty: 1).
struct PixelEntropy {
  const std::vector<double>& class_weights;
  double scale = 0;  ///< of its gradient
  double numerator = 0, denominator = 0;
};

/// A multiple of 8.
inline int64_t RegionScratch(int64_t classes, int64_t real_bytes) {
  return BlockBytes(classes, real_bytes) + 2 * classes * real_bytes;
}

/// Adds every pixel to its classes' overlaps, and to `entropy` unless NULL. Returns whether all inputs were finite.
bool AddSoftmaxRegions(const RegionPixels<float>& pixels, Overlap* overlaps, PixelEntropy* entropy);
bool AddSoftmaxRegions(const RegionPixels<double>& pixels, Overlap* overlaps, PixelEntropy* entropy);
bool AddSigmoidRegions(const RegionPixels<float>& pixels, Overlap* overlaps);
bool AddSigmoidRegions(const RegionPixels<double>& pixels, Overlap* overlaps);

/// Stores the gradient by the logits: of a loss with `slopes` (one for each class), times `scale`, and of `entropy`.
void SoftmaxRegionGradient(const RegionPixels<float>& pixels, const Slopes* slopes, double scale,
                           const PixelEntropy* entropy);
void SoftmaxRegionGradient(const RegionPixels<double>& pixels, const Slopes* slopes, double scale,
                           const PixelEntropy* entropy);
void SigmoidRegionGradient(const RegionPixels<float>& pixels, const Slopes* slopes, double scale);
void SigmoidRegionGradient(const RegionPixels<double>& pixels, const Slopes* slopes, double scale);

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_REGION_H_

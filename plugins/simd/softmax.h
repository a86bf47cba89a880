// Losses of a softmax over the axis c: which tensors a tile has, how many items a kernel takes at once, and what the
// items weigh. The vector loops are in softmax-inl.h.
#ifndef GRADELINE_PLUGINS_SIMD_SOFTMAX_H_
#define GRADELINE_PLUGINS_SIMD_SOFTMAX_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "plugins/sdk/loss.h"
#include "plugins/simd/elementwise.h"

namespace gradeline::simd {

inline constexpr int64_t kBlockItems = 1024;  ///< most items of a block
inline constexpr int64_t kBlockPad = 16;      ///< elements behind each class's run: no power of two between classes

/// Items of a block that kernels hold class by class: a multiple of 16 whose reals fit into half of a small L2 cache.
inline int64_t BlockItems(int64_t classes, int64_t real_bytes) {
  constexpr int64_t kBytes = 192 << 10;
  const int64_t items = kBytes / (classes * real_bytes) / kBlockPad * kBlockPad;
  return std::clamp(items, kBlockPad, kBlockItems);
}

/// Bytes of `planes` blocks [classes][items], each class's run padded.
inline int64_t BlockBytes(int64_t classes, int64_t real_bytes, int64_t planes = 1) {
  return planes * classes * (BlockItems(classes, real_bytes) + kBlockPad) * real_bytes;
}

/// Scratch of RunLabels: a block that is computed and, of pixels, the one before it, whose gradient leaves meanwhile.
inline int64_t LabelBytes(const GdlShape& shape, size_t prediction = 0) {
  return BlockBytes(shape.small[prediction], shape.dtype, shape.inner > 1 ? 2 : 1);
}

/// The tensors of a loss of one right class out of C, and what the classes weigh. Without labels (soft targets) every
/// item counts, and classes do not weigh it.
template <typename Real>
struct LabelledItems {
  sdk::View<const Real> logits;
  sdk::View<const int32_t> labels;
  sdk::View<const Real> weights;       ///< empty: 1
  const std::vector<double>& classes;  ///< weight of each class; empty: 1
  sdk::View<Real> gradient;
  double* item_loss;  ///< NULL: not wanted
  double scale;

  LabelledItems(const sdk::Tile<Real>& tile, size_t logits_at, size_t labels_at, size_t weights_at,
                const std::vector<double>& class_weights)
      : logits(tile.Input(logits_at)),
        labels(tile.Labels(labels_at)),
        weights(tile.Input(weights_at)),
        classes(class_weights),
        gradient(tile.Gradient(0)),
        item_loss(tile.raw().item_loss),
        scale(gradient ? tile.raw().scale[0] : 0) {}

  bool Counts(int64_t o, int64_t i) const { return !labels || labels.Run(o)[i] >= 0; }
  double ItemWeight(int64_t o, int64_t i) const { return weights ? static_cast<double>(weights.Run(o)[i]) : 1; }
  double ClassWeight(int64_t o, int64_t i) const {
    return classes.empty() || !labels ? 1 : classes[static_cast<size_t>(labels.Run(o)[i])];
  }

  /// Whether no weight of the tile is NaN or infinite, of ignored items neither.
  bool WeightsAreFinite(const sdk::Tile<Real>& tile) const {
    Real sum = 0;
    for (int64_t o = 0; weights && o < tile.outer(); ++o) {
      const Real* run = weights.Run(o);
      for (int64_t i = 0; i < tile.inner(); ++i) sum += run[i] * 0;
    }
    return sum == 0;
  }

  /// Sum of the weights of all items of the tile; the same bits in every pass.
  double TotalWeight(const sdk::Tile<Real>& tile) const {
    if (!weights && !labels) return static_cast<double>(tile.outer() * tile.inner());
    if (!weights && classes.empty()) return static_cast<double>(ValidItems(tile));
    double sums[4] = {};
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) {
        if (Counts(o, i)) sums[(o + i) % 4] += ItemWeight(o, i) * ClassWeight(o, i);
      }
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }

 private:
  int64_t ValidItems(const sdk::Tile<Real>& tile) const {
    const auto valid = [](const int32_t* run, int64_t n) {
      int32_t count = 0;  // a tile has fewer items than 2^31
      for (int64_t i = 0; i < n; ++i) count += run[i] >= 0 ? 1 : 0;
      return int64_t{count};
    };
    if (labels.outer_stride == tile.inner()) return valid(labels.Run(0), tile.outer() * tile.inner());
    int64_t count = 0;
    for (int64_t o = 0; o < tile.outer(); ++o) count += valid(labels.Run(o), tile.inner());
    return count;
  }
};

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_SOFTMAX_H_

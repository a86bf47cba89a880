// Losses of one right class out of C: the loop over a tile, and the kernel of cross-entropy.
#if defined(GRADELINE_PLUGINS_SIMD_LABELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_LABELS_INL_H_
#undef GRADELINE_PLUGINS_SIMD_LABELS_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_LABELS_INL_H_
#endif

#include <type_traits>

#include "plugins/simd/label_row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Cross-entropy.
struct RightClass {
  explicit RightClass(const double* = nullptr) {}

  template <class D, class V>
  HWY_INLINE LabelTerm<V> At(D d, V minus_log_p, V, V) const {
    return {minus_log_p, hn::Set(d, hn::TFromD<D>{1})};
  }
};

/// Runs `kernel.At(d, minus_log_p, p, q)` (of the right class: -log p, p, and q = 1 - p; gives a LabelTerm) over all
/// items of a tile. Scratch: simd::LabelBytes(shape). Ignored items and those of weight 0 count nothing.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE simd::ElementSums RunLabels(D d, const Kernel& kernel, const sdk::Tile<T>& tile,
                                       const simd::LabelledItems<T>& in) {
  auto* const scratch = static_cast<T*>(tile.raw().scratch);
  const bool stream = (tile.raw().flags & GDL_STREAM) != 0;
  const int64_t classes = in.logits.small;
  LabelTotals<D> totals(d);
  double numerator = 0;
  // Rows of the batch, not of this tile: the way decides the last bits.
  const bool rows = tile.raw().shape->inner == 1;
  const bool contiguous = in.logits.small_stride == 1 && (!in.gradient || in.gradient.small_stride == 1);
  const bool long_rows = rows && classes >= kLongRow && contiguous;
  const bool pairs = classes == 2 && !rows, weighted = in.weights || !in.classes.empty();
  const bool decisions = std::is_same_v<Kernel, RightClass> && pairs && !weighted;
  if (long_rows) {
    numerator = RunLabelRows(d, kernel, in, tile.outer(), stream, scratch, totals.finite);
  } else {
    LateBlock<T> late;
    ForEachBlock(tile.outer(), tile.inner(), simd::BlockItems(classes, sizeof(T)),
                 [&](const BlockItems& block) HWY_ATTR {
                   if (decisions) {
                     RunDecisions(d, in, block, stream, totals);
                   } else if (pairs) {
                     RunLabelPairs(d, kernel, in, block, stream, totals);
                   } else {
                     RunLabelBlock(d, kernel, in, block, stream, scratch, totals, late);
                   }
                 });
    late.Rest(d, true);
    numerator = totals.numerator.Total();
  }
  if (stream) hwy::FlushStream();
  const bool counted = !weighted && !long_rows && !decisions;
  return {numerator, counted ? static_cast<double>(totals.counting) : in.TotalWeight(tile),
          !totals.finite.Failed() && in.WeightsAreFinite(tile)};
}

/// Defines the runs of labelled items, of floats and of doubles, with a kernel that is made of an array of numbers.
#define GRADELINE_LABEL_KERNEL(Kernel)                                                                 \
  simd::ElementSums LabelFloats(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in,    \
                                const double* params) {                                                \
    return RunLabels(hn::ScalableTag<float>(), Kernel(params), tile, in);                              \
  }                                                                                                    \
  simd::ElementSums LabelDoubles(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in, \
                                 const double* params) {                                               \
    return RunLabels(hn::ScalableTag<double>(), Kernel(params), tile, in);                             \
  }

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

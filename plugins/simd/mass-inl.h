// Losses of a softmax against a mass on every class: soft targets, smoothed labels.
#if defined(GRADELINE_PLUGINS_SIMD_MASS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_MASS_INL_H_
#undef GRADELINE_PLUGINS_SIMD_MASS_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_MASS_INL_H_
#endif

#include "plugins/simd/right-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// The targets of a block: a plane of numbers, or labels.
template <class T>
struct BlockTargets {
  Plane<T> soft;  ///< data NULL: labels
  const int32_t* label;

  template <class D>
  HWY_INLINE hn::Vec<D> At(D d, int64_t k, int64_t j) const {
    if (soft.data != nullptr) return hn::Load(d, soft.Run(k) + j);
    const auto is = hn::Eq(LoadWhole<D>{d}.Labels(label + j), hn::Set(d, static_cast<T>(k)));
    return hn::IfThenElseZero(is, hn::Set(d, T{1}));
  }
};

/// Loss and, if wanted, gradient of a block: weight * sum over k of (m_k * -log p_k + constant), m_k = kernel.Mass.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE void RunMassBlock(D d, const Kernel& kernel, const simd::LabelledItems<T>& in,
                             const sdk::View<const T>& soft, const BlockItems& block, bool stream, T* scratch,
                             FiniteCheck<D>& finite, SumOf<D>& numerator) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = WholeVectors(d, block.items), classes = in.logits.small;
  const V one = hn::Set(d, T{1}), zero = hn::Zero(d), scale = hn::Set(d, static_cast<T>(in.scale));
  SoftmaxBlock<T> softmax;
  softmax.logits = ScratchPlane(scratch, classes);
  softmax.exponentials = ScratchPlane(scratch, classes, 1);
  LoadBlock(d, in.logits, block, softmax.logits);
  softmax.Fill(d, padded, finite);
  BlockLabels<T> items;
  items.Fill(d, in, block, false);
  BlockTargets<T> target{{}, items.label};
  if (soft) {
    target.soft = ScratchPlane(scratch, classes, 2);
    LoadBlock(d, soft, block, target.soft);
  }
  // The mass of all classes, and what rounding took from it: an item whose mass is nearly all on one class must not
  // lose that of the others when its own is taken away.
  HWY_ALIGN T mass[simd::kBlockItems];
  HWY_ALIGN T lost[simd::kBlockItems];
  for (int64_t j = 0; j < padded; j += lanes) {
    const V top = hn::Load(d, softmax.top + j), weight = hn::Load(d, items.weight + j);
    CompensatedSum<D> masses(d), costs(d);
    for (int64_t k = 0; k < classes; ++k) {
      const V y = target.At(d, k, j);
      finite.See(y);
      const V part = kernel.Mass(d, y, k);
      masses.Add(part);
      costs.Add(hn::MulAdd(part, hn::Sub(top, hn::Load(d, softmax.logits.Run(k) + j)), kernel.Constant(d, y)));
    }
    hn::Store(masses.sum, d, mass + j);
    hn::Store(masses.lost, d, lost + j);
    const V log = LogOnePlus(d, hn::Load(d, softmax.rest + j));
    V loss = hn::Add(hn::MulAdd(masses.sum, log, costs.sum), hn::MulAdd(masses.lost, log, costs.lost));
    loss = hn::IfThenElseZero(hn::Ne(weight, zero), hn::Mul(loss, weight));
    numerator.Add(loss);
    if (in.item_loss != nullptr) StoreItems(d, loss, block.items - j, in.item_loss + block.number + j);
  }
  if (!in.gradient) return;
  for (int64_t k = 0; k < classes; ++k) {
    T* const run = softmax.exponentials.Run(k);
    for (int64_t j = 0; j < padded; j += lanes) {
      const V e = hn::Load(d, run + j), rest = hn::Load(d, softmax.rest + j), weight = hn::Load(d, items.weight + j);
      const V inverse = hn::Div(one, hn::Add(rest, one)), p = hn::Mul(e, inverse);
      const V q = hn::IfThenElse(hn::Ge(e, one), hn::Mul(rest, inverse), hn::Sub(one, p));
      const V part = kernel.Mass(d, target.At(d, k, j), k);
      const V others = hn::Add(hn::Sub(hn::Load(d, mass + j), part), hn::Load(d, lost + j));
      const V slope = hn::NegMulAdd(q, part, hn::Mul(p, others));
      hn::Store(hn::IfThenElseZero(hn::Ne(weight, zero), hn::Mul(slope, hn::Mul(weight, scale))), d, run + j);
    }
    if (!block.rows) CopyRun(d, run, block.items, in.gradient.Run(block.outer, k) + block.first, stream);
  }
  if (block.rows) StoreBlock(d, softmax.exponentials, block, in.gradient, stream);
}

/// Runs a loss of weight * sum over k of (kernel.Mass(d, y_k, k) * -log p_k + kernel.Constant(d, y_k)) over all items
/// of a tile; y is `soft`, or, if that is empty, 1 for the item's label and 0 for the other classes. Scratch:
/// simd::BlockBytes(classes, real_bytes, 3).
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE simd::ElementSums RunMass(D d, const Kernel& kernel, const sdk::Tile<T>& tile,
                                     const simd::LabelledItems<T>& in, const sdk::View<const T>& soft) {
  auto* const scratch = static_cast<T*>(tile.raw().scratch);
  const bool stream = (tile.raw().flags & GDL_STREAM) != 0;
  FiniteCheck<D> finite(d);
  SumOf<D> numerator(d);
  ForEachBlock(tile.outer(), tile.inner(), simd::BlockItems(in.logits.small, sizeof(T)),
               [&](const BlockItems& block)
                   HWY_ATTR { RunMassBlock(d, kernel, in, soft, block, stream, scratch, finite, numerator); });
  if (stream) hwy::FlushStream();
  return {numerator.Total(), in.TotalWeight(tile), !finite.Failed() && in.WeightsAreFinite(tile)};
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

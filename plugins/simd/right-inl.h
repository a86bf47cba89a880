// Blocks of items of which each has one right class: labels, weights, and a softmax that keeps the right class apart.
#if defined(GRADELINE_PLUGINS_SIMD_RIGHT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_RIGHT_INL_H_
#undef GRADELINE_PLUGINS_SIMD_RIGHT_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_RIGHT_INL_H_
#endif

#include <limits>

#include "plugins/simd/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Labels of a block's items; padded to whole vectors with -1.
template <class D>
HWY_INLINE void LoadLabels(D d, const sdk::View<const int32_t>& labels, const BlockItems& block, int32_t* to) {
  const int32_t* const from = labels.Run(block.outer) + block.first;
  if (const int64_t step = block.rows ? labels.outer_stride : 1; step == 1) {
    std::copy(from, from + block.items, to);
  } else {
    for (int64_t j = 0; j < block.items; ++j) to[j] = from[j * step];
  }
  std::fill(to + block.items, to + WholeVectors(d, block.items), -1);
}

/// Labels and weights of a block; items that do not count have label 0 and weight 0.
template <class T>
struct BlockLabels {
  HWY_ALIGN int32_t label[simd::kBlockItems];
  HWY_ALIGN T weight[simd::kBlockItems];

  /// `by_class`: the weight of the item's class is part of its own.
  template <class D>
  HWY_INLINE void Fill(D d, const simd::LabelledItems<T>& in, const BlockItems& block, bool by_class) {
    const int64_t padded = WholeVectors(d, block.items);
    if (in.labels) {
      LoadLabels(d, in.labels, block, label);
    } else {
      std::fill(label, label + block.items, 0);
      std::fill(label + block.items, label + padded, -1);
    }
    for (int64_t j = 0; j < padded; ++j) {
      weight[j] = label[j] >= 0 ? T{1} : T{0};
      label[j] = std::max(label[j], 0);
    }
    if (!in.weights && (!by_class || in.classes.empty())) return;
    for (int64_t j = 0; j < block.items; ++j) {
      const int64_t o = block.Outer(j), i = block.Inner(j);
      if (in.Counts(o, i)) weight[j] = static_cast<T>(in.ItemWeight(o, i) * (by_class ? in.ClassWeight(o, i) : 1));
    }
  }
};

/// Of each of `n` items the number of its own class, `label`; and puts another in its place.
template <class T>
HWY_INLINE void TakeRight(const Plane<T>& plane, const int32_t* label, int64_t n, T* right) {
  for (int64_t j = 0; j < n; ++j) right[j] = plane.Run(label[j])[j];
}
template <class T>
HWY_INLINE void PutRight(const Plane<T>& plane, const int32_t* label, int64_t n, const T* right) {
  for (int64_t j = 0; j < n; ++j) plane.Run(label[j])[j] = right[j];
}

/// The right class of a vector of items: its exponential, those of all others, and 1 / all of them; in any unit.
template <class V>
struct RightOf {
  V e, others, inverse;
  HWY_INLINE V Probability() const { return hn::Mul(e, inverse); }
  HWY_INLINE V Missed() const { return hn::Mul(others, inverse); }  ///< 1 - Probability, without cancellation
};

/// Softmax of a block of logits with the right class of each item apart from the others, so that neither end of its
/// probability cancels. `Exponentials` are those below the highest logit.
template <class T, template <class> class Exponentials = ExponentialsBelow>
struct RightBlock {
  Plane<T> plane;  ///< logits, then exponentials, 0 for the right class
  HWY_ALIGN T top[simd::kBlockItems];
  HWY_ALIGN T right[simd::kBlockItems];   ///< logit of the right class
  HWY_ALIGN T others[simd::kBlockItems];  ///< sum of the other exponentials

  /// From the logits of `items`, padded to whole vectors, and their labels. Sees NaN and infinity. Calls
  /// `visit(k, j, x, highest)` with the logits of class k of the items from j on (the lowest number where k is right);
  /// class by class, then vector by vector.
  template <class D, class Visit>
  HWY_INLINE void Fill(D d, const int32_t* label, int64_t items, FiniteCheck<D>& finite, const Visit& visit) {
    using V = hn::Vec<D>;
    FindTop(d, plane, items, finite, top);
    BringNear(d, plane, items, top);
    TakeRight(plane, label, items, right);
    for (int64_t j = 0; j < items; ++j) plane.Run(label[j])[j] = std::numeric_limits<T>::lowest();
    for (int64_t j = 0; j < items; j += static_cast<int64_t>(hn::Lanes(d))) {
      const V highest = hn::Load(d, top + j);
      const Exponentials<D> exponentials(d, highest);
      V sum = hn::Zero(d);
      for (int64_t k = 0; k < plane.classes;) {
        V part = hn::Zero(d);  // two short sums round less than a long one
        for (const int64_t end = std::min(plane.classes, k + 16); k < end; ++k) {
          T* const at = plane.Run(k) + j;
          const V x = hn::Load(d, at);
          const V e = exponentials.Of(x);
          part = hn::Add(part, e);
          hn::Store(e, d, at);
          visit(k, j, x, highest);
        }
        sum = hn::Add(sum, part);
      }
      hn::Store(sum, d, others + j);
    }
  }
  template <class D>
  HWY_INLINE void Fill(D d, const int32_t* label, int64_t items, FiniteCheck<D>& finite) {
    Fill(d, label, items, finite, [](int64_t, int64_t, hn::Vec<D>, hn::Vec<D>) HWY_ATTR {});
  }

  /// Of the items from j on.
  template <class D>
  HWY_INLINE RightOf<hn::Vec<D>> At(D d, int64_t j) const {
    const Exponentials<D> exponentials(d, hn::Load(d, top + j));
    const auto e = exponentials.Of(hn::Load(d, right + j));
    const auto rest = hn::Load(d, others + j);
    return {e, rest, hn::Div(hn::Set(d, T{1}), hn::Add(rest, e))};
  }
  /// -log of the right class's probability. All exponentials less the highest are those below it.
  template <class D>
  HWY_INLINE hn::Vec<D> MinusLog(D d, const RightOf<hn::Vec<D>>& is, int64_t j) const {
    const auto highest = hn::Load(d, top + j), below = hn::Sub(highest, hn::Load(d, right + j));
    const auto unit = Exponentials<D>(d, highest).Unit();
    return hn::Add(below, LogOnePlus(d, hn::Div(hn::Add(is.others, hn::Sub(is.e, unit)), unit)));
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

// Softmax over the axis c of blocks of items, on vectors.
#if defined(GRADELINE_PLUGINS_SIMD_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_SOFTMAX_INL_H_
#undef GRADELINE_PLUGINS_SIMD_SOFTMAX_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_SOFTMAX_INL_H_
#endif

#include "plugins/simd/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// The highest logit of each item of a block, padded to whole vectors. Sees NaN and infinity.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void FindTop(D d, const Plane<T>& logits, int64_t items, FiniteCheck<D>& all_finite, T* top) {
  FiniteCheck<D> finite(d), finite2(d);  // in registers, two of each: neither waits for itself
  for (int64_t j = 0; j < items; j += static_cast<int64_t>(hn::Lanes(d))) {
    const T* const column = logits.data + j;
    auto highest = hn::Load(d, column), highest2 = highest;
    finite.See(highest);
    int64_t k = 1;
    for (; k + 2 <= logits.classes; k += 2) {
      const auto x = hn::Load(d, column + k * logits.stride), y = hn::Load(d, column + (k + 1) * logits.stride);
      finite.See(x);
      finite2.See(y);
      highest = hn::Max(highest, x);
      highest2 = hn::Max(highest2, y);
    }
    if (k < logits.classes) {
      const auto x = hn::Load(d, column + k * logits.stride);
      finite2.See(x);
      highest = hn::Max(highest, x);
    }
    hn::Store(hn::Max(highest, highest2), d, top + j);
  }
  all_finite.See(finite2);
  all_finite.See(finite);
}

/// Takes the highest logit from those of items where it is as large as kMostTop. That is exact for all whose
/// exponential counts, which are within a factor of 2 of it.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void TakeFarTops(D d, const Plane<T>& logits, int64_t items, T* top) {
  for (int64_t j = 0; j < items; j += static_cast<int64_t>(hn::Lanes(d))) {
    const auto highest = hn::Load(d, top + j);
    const auto far = hn::Ge(hn::Abs(highest), hn::Set(d, static_cast<T>(kMostTop)));
    if (hn::AllFalse(d, far)) continue;
    const auto base = hn::IfThenElseZero(far, highest);
    for (int64_t k = 0; k < logits.classes; ++k) {
      T* const at = logits.Run(k) + j;
      hn::Store(hn::Sub(hn::Load(d, at), base), d, at);
    }
    hn::Store(hn::Sub(highest, base), d, top + j);
  }
}

/// Softmax of a block of logits, kept so that neither end of it cancels: class k of item j has the probability
/// exponentials.Run(k)[j] / (1 + rest[j]), where rest sums the exponentials of all classes but one of the highest.
template <class T>
struct SoftmaxBlock {
  Plane<T> logits, exponentials;  ///< may be one and the same memory
  HWY_ALIGN T top[simd::kBlockItems];
  HWY_ALIGN T rest[simd::kBlockItems];

  /// From the logits of `items`, padded to whole vectors. Sees NaN and infinity.
  template <class D>
  HWY_INLINE void Fill(D d, int64_t items, FiniteCheck<D>& finite) {
    FillAndVisit(d, items, finite, [](int64_t, int64_t, hn::Vec<D>, auto) HWY_ATTR {});
  }

  /// As well calls `visit(k, j, e, below)` with the exponentials of class k of the items from j on, and which of them
  /// are below the highest; class by class, then vector by vector.
  template <class D, class Visit>
  HWY_INLINE void FillAndVisit(D d, int64_t items, FiniteCheck<D>& finite, const Visit& visit) {
    using V = hn::Vec<D>;
    FindTop(d, logits, items, finite, top);
    const V one = hn::Set(d, T{1});
    for (int64_t j = 0; j < items; j += static_cast<int64_t>(hn::Lanes(d))) {
      const V highest = hn::Load(d, top + j);
      V sum = hn::Zero(d), ties = hn::Zero(d);
      for (int64_t k = 0; k < logits.classes;) {
        V part = hn::Zero(d);  // two short sums round less than a long one
        for (const int64_t end = std::min(logits.classes, k + 16); k < end; ++k) {
          const V x = hn::Load(d, logits.Run(k) + j);
          const V e = ExpOfDifference(d, x, highest);
          const auto below = hn::Lt(x, highest);
          part = hn::Add(part, hn::IfThenElseZero(below, e));
          ties = hn::Add(ties, hn::IfThenZeroElse(below, one));
          hn::Store(e, d, exponentials.Run(k) + j);
          visit(k, j, e, below);
        }
        sum = hn::Add(sum, part);
      }
      hn::Store(hn::Add(sum, hn::Sub(ties, one)), d, rest + j);
    }
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

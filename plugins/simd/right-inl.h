// Blocks of items of which each has one right class: labels, weights, and a softmax that keeps the right class apart.
#if defined(GRADELINE_PLUGINS_SIMD_RIGHT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_RIGHT_INL_H_
#undef GRADELINE_PLUGINS_SIMD_RIGHT_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_RIGHT_INL_H_
#endif

#include <algorithm>
#include <limits>
#include <utility>

#include "plugins/simd/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Labels of a block's items, 0 for those that do not count; padded to whole vectors.
template <class T>
struct BlockLabels {
  HWY_ALIGN int32_t label[simd::kBlockItems];
  HWY_ALIGN T weight[simd::kBlockItems];  ///< 1, or 0 where nothing counts
  int64_t counting;                       ///< items

  template <class D>
  HWY_INLINE void Fill(D d, const sdk::View<const int32_t>& labels, const BlockItems& block) {
    const int32_t* const from = labels.Run(block.outer) + block.first;
    int32_t valid = 0;
    const auto take = [&](int64_t j, int32_t value) HWY_ATTR {
      valid += value >= 0 ? 1 : 0;
      weight[j] = value >= 0 ? T{1} : T{0};
      label[j] = std::max(value, 0);
    };
    if (const int64_t step = block.rows ? labels.outer_stride : 1; step == 1) {
      for (int64_t j = 0; j < block.items; ++j) take(j, from[j]);
    } else {
      for (int64_t j = 0; j < block.items; ++j) take(j, from[j * step]);
    }
    for (int64_t j = block.items; j < WholeVectors(d, block.items); ++j) take(j, -1);
    counting = valid;
  }

  /// With weights of the items and, `by_class`, of their classes. Without labels every item has label 0 and counts.
  template <class D>
  HWY_INLINE void Fill(D d, const simd::LabelledItems<T>& in, const BlockItems& block, bool by_class) {
    if (in.labels) {
      Fill(d, in.labels, block);
    } else {
      const int64_t padded = WholeVectors(d, block.items);
      std::fill(label, label + padded, 0);
      std::fill(weight, weight + block.items, T{1});
      std::fill(weight + block.items, weight + padded, T{0});
      counting = block.items;
    }
    if (!in.weights && (!by_class || in.classes.empty())) return;
    for (int64_t j = 0; j < block.items; ++j) {
      const int64_t o = block.Outer(j), i = block.Inner(j);
      if (in.Counts(o, i)) weight[j] = static_cast<T>(in.ItemWeight(o, i) * (by_class ? in.ClassWeight(o, i) : 1));
    }
  }
};

/// Stores the exponentials of a run of near logits, which is padded with zeros to whole vectors; of others anything.
/// Returns whether it saw that all are near. What lies `ahead` is wanted next, and `late` leaves meanwhile.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE bool NearExponentials(D d, const T* from, int64_t n, int64_t ahead, T* to, LateRun<D> late) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  bool near = true;
  const auto step = [&](const auto& load, int64_t i, NearCheck<D>& check) HWY_ATTR __attribute__((always_inline)) {
    const auto x = load(from + i);
    check.See(x);
    hn::Store(NearExponential(d, x), d, to + i);
  };
  for (int64_t i = 0; i < n;) {
    NearCheck<D> first(d), second(d), third(d), last(d);
    const int64_t stop = std::min(n, i + 32 * lanes);
    for (; i + 4 * lanes <= stop; i += 4 * lanes) {
      PrefetchFour(d, from + i + ahead);
      step(LoadWhole<D>{d}, i, first);
      step(LoadWhole<D>{d}, i + lanes, second);
      step(LoadWhole<D>{d}, i + 2 * lanes, third);
      step(LoadWhole<D>{d}, i + 3 * lanes, last);
      late.NextFour();
    }
    for (; i + lanes <= stop; i += lanes) step(LoadWhole<D>{d}, i, first);
    if (i < stop) {
      step(LoadEnd<D>{d, stop - i}, i, second);
      i = stop;
    }
    near &= first.Holds() && second.Holds() && third.Holds() && last.Holds();
  }
  late.Rest(true);
  return near;
}

/// The right class of a vector of items: its exponential, those of all others, and 1 / all of them; in any unit.
template <class V>
struct RightOf {
  V e, others, inverse;
  HWY_INLINE V Probability() const { return hn::Mul(e, inverse); }
  HWY_INLINE V Missed() const { return hn::Mul(others, inverse); }  ///< 1 - Probability, without cancellation
};

/// Softmax of a block of items with the right class of each apart from the others, so that neither end of its
/// probability cancels. `Exponentials` are those below the highest logit.
template <class T, template <class> class Exponentials = ExponentialsBelow>
struct RightBlock {
  Plane<T> plane;  ///< exponentials, each item's in a unit of its own, that of the right class 0
  HWY_ALIGN int64_t place[simd::kBlockItems];  ///< of the right class in the plane
  HWY_ALIGN T right[simd::kBlockItems];        ///< exponential of the right class
  HWY_ALIGN T others[simd::kBlockItems];       ///< sum of the other exponentials
  bool all_near;                               ///< all logits; else of each item what LogBase is
  HWY_ALIGN T below[simd::kBlockItems];
  HWY_ALIGN T unit[simd::kBlockItems];

  /// From logits and labels, padded to whole vectors. Sees NaN and infinity. An item's numbers depend on no other item.
  /// `late()` may be called up to as often as there are classes, for runs that leave meanwhile.
  template <class D, class Late>
  HWY_INLINE void Fill(D d, const sdk::View<const T>& logits, const BlockItems& block, const int32_t* label,
                       FiniteCheck<D>& finite, const Late& late) {
    const int64_t items = WholeVectors(d, block.items);
    for (int64_t j = 0; j < items; ++j) place[j] = label[j] * plane.stride + j;
    all_near = FillNear(d, logits, block, late);
    if (!all_near) FillFar(d, logits, block, finite);
  }

  /// The same, and takes the right classes of all items.
  template <class D>
  HWY_INLINE void FillAndTake(D d, const sdk::View<const T>& logits, const BlockItems& block, const int32_t* label,
                              FiniteCheck<D>& finite) {
    Fill(d, logits, block, label, finite, []() HWY_ATTR { return LateRun<D>(); });
    ForEachPart(block.items, [&](int64_t begin, int64_t end) HWY_ATTR { TakeRight(d, begin, end); });
  }

  /// Calls `body(begin, end)` for parts of the items, so few that their exponentials stay in the nearest cache.
  template <class Body>
  HWY_INLINE void ForEachPart(int64_t items, const Body& body) const {
    constexpr int64_t kBytes = 16 << 10, kLeast = 64;
    const int64_t fit = kBytes / (plane.classes * static_cast<int64_t>(sizeof(T)));
    const int64_t most = std::max(kLeast, fit / kLeast * kLeast);
    for (int64_t j = 0; j < items; j += most) body(j, std::min(items, j + most));
  }

  /// Takes the right class of items from the plane, and adds up the others. `begin` is at a whole vector.
  template <class D>
  HWY_INLINE void TakeRight(D d, int64_t begin, int64_t end) {
    end = WholeVectors(d, end);
    for (int64_t j = begin; j < end; ++j) right[j] = std::exchange(plane.data[place[j]], T{0});
    AddOthers(d, begin, end);
  }

  /// Puts `right` in the place of the right class.
  HWY_INLINE void PutRight(int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) plane.data[place[j]] = right[j];
  }

  /// Of the items from j on.
  template <class D>
  HWY_INLINE RightOf<hn::Vec<D>> At(D d, int64_t j) const {
    const auto e = hn::Load(d, right + j), rest = hn::Load(d, others + j);
    return {e, rest, hn::Div(hn::Set(d, T{1}), hn::Add(rest, e))};
  }
  /// -log of the right class's probability. All exponentials less the highest are those below it.
  template <class D>
  HWY_INLINE hn::Vec<D> MinusLog(D d, const RightOf<hn::Vec<D>>& is, int64_t j) const {
    if (all_near) return LogOnePlus(d, hn::Div(is.others, is.e));
    const auto of = hn::Load(d, unit + j);
    const auto rest = hn::Div(hn::Add(is.others, hn::Sub(is.e, of)), of);
    return hn::Add(hn::Load(d, below + j), LogOnePlus(d, rest));
  }

 private:
  /// Whether all logits were seen to be near: the way of nearly all blocks, which looks at each logit once.
  template <class D, class Late>
  HWY_INLINE bool FillNear(D d, const sdk::View<const T>& logits, const BlockItems& block, const Late& late) {
    if constexpr (!Exponentials<D>::kTakesNear) {
      return false;
    } else {
      bool near = plane.classes <= kMostNearClasses;
      if (near && block.rows) LoadBlock(d, logits, block, plane);
      for (int64_t k = 0; near && k < plane.classes; ++k) {
        const T* const from = block.rows ? plane.Run(k) : logits.Run(block.outer, k) + block.first;
        int64_t ahead = block.rows ? plane.stride : logits.small_stride;
        if (!block.rows && k + 1 == plane.classes) ahead = block.items - k * ahead;  // the next block
        near = NearExponentials(d, from, block.items, ahead, plane.Run(k), late());
      }
      return near;
    }
  }

  template <class D>
  HWY_INLINE void FillFar(D d, const sdk::View<const T>& logits, const BlockItems& block, FiniteCheck<D>& finite) {
    using V = hn::Vec<D>;
    const int64_t items = WholeVectors(d, block.items);
    HWY_ALIGN T top[simd::kBlockItems];
    LoadBlock(d, logits, block, plane);
    FindTop(d, plane, items, finite, top);
    TakeFarTops(d, plane, items, top);
    for (int64_t j = 0; j < items; ++j) right[j] = plane.data[place[j]];
    for (int64_t j = 0; j < items; j += static_cast<int64_t>(hn::Lanes(d))) {
      V reach = hn::Set(d, plane.classes <= kMostNearClasses ? T{0} : std::numeric_limits<T>::infinity());
      for (int64_t k = 0; k < plane.classes; ++k) reach = hn::Max(reach, hn::Abs(hn::Load(d, plane.Run(k) + j)));
      const Exponentials<D> exponentials(d, hn::Load(d, top + j), reach);
      const LogBase<V> base = exponentials.BaseOf(hn::Load(d, right + j));
      hn::Store(base.below, d, below + j);
      hn::Store(base.unit, d, unit + j);
      for (int64_t k = 0; k < plane.classes; ++k) {
        T* const at = plane.Run(k) + j;
        hn::Store(exponentials.Of(hn::Load(d, at)), d, at);
      }
    }
  }

  template <class D>
  HWY_INLINE void AddOthers(D d, int64_t begin, int64_t end) {
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    int64_t j = begin;
    for (; j + 4 * lanes <= end; j += 4 * lanes) AddVectors<4>(d, j);
    for (; j < end; j += lanes) AddVectors<1>(d, j);
  }
  /// Class by class, in short sums, which round less than long ones.
  template <int kVectors, class D>
  HWY_INLINE void AddVectors(D d, int64_t j) {
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    hn::Vec<D> sum[kVectors], part[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = hn::Zero(d);
    for (int64_t k = 0; k < plane.classes;) {
      for (int v = 0; v < kVectors; ++v) part[v] = hn::Zero(d);
      for (const int64_t end = std::min(plane.classes, k + 16); k < end; ++k) {
        const T* const at = plane.Run(k) + j;
        for (int v = 0; v < kVectors; ++v) part[v] = hn::Add(part[v], hn::Load(d, at + v * lanes));
      }
      for (int v = 0; v < kVectors; ++v) sum[v] = hn::Add(sum[v], part[v]);
    }
    for (int v = 0; v < kVectors; ++v) hn::Store(sum[v], d, others + j + v * lanes);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

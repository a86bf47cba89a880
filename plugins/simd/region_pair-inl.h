// Regions of pixels of two classes: the softmax is the logistic function of the right logit less the other.
#if defined(GRADELINE_PLUGINS_SIMD_REGION_PAIR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_REGION_PAIR_INL_H_
#undef GRADELINE_PLUGINS_SIMD_REGION_PAIR_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_REGION_PAIR_INL_H_
#endif

#include "plugins/simd/region-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// The pixels of one outer with two classes.
template <class D, class T = hn::TFromD<D>>
struct RegionPair {
  const T *first, *second;
  const int32_t* labels;

  RegionPair(const simd::RegionPixels<T>& in, int64_t o)
      : first(in.logits.Run(o)), second(in.logits.Run(o, 1)), labels(in.labels.Run(o)) {}
};

/// Logits of a vector of pixels, and what their labels say; `one` is 0 behind the end.
template <class D, class V = hn::Vec<D>>
struct PairAt {
  V a, b;
  hn::Mask<D> is_second;
  V counts;  ///< 1 where the pixel counts

  template <class Load>
  HWY_INLINE PairAt(D d, const RegionPair<D>& in, const Load& load, V one, int64_t i)
      : a(load(in.first + i)), b(load(in.second + i)) {
    const V label = load.Labels(in.labels + i);
    is_second = hn::Gt(label, hn::Zero(d));
    counts = hn::IfThenElseZero(hn::Ge(label, hn::Zero(d)), one);
  }
  HWY_INLINE Logistic<V> Right(D d) const {
    return LogisticOfDifference(d, hn::IfThenElse(is_second, b, a), hn::IfThenElse(is_second, a, b));
  }
};

/// What is extra of a class is what is missed of the other, so two sums of each class are enough.
template <bool kEntropy, class D, class T = hn::TFromD<D>>
HWY_INLINE bool AddRegionPairs(D d, const simd::RegionPixels<T>& in, simd::Overlap* overlaps,
                               simd::PixelEntropy* entropy) {
  using V = hn::Vec<D>;
  const V zero = hn::Zero(d);
  const bool weighted = kEntropy && !entropy->class_weights.empty();
  const V weights[2] = {hn::Set(d, static_cast<T>(weighted ? entropy->class_weights[0] : 1)),
                        hn::Set(d, static_cast<T>(weighted ? entropy->class_weights[1] : 1))};
  FiniteCheck<D> finite(d);
  for (int64_t o = 0; o < in.outer; ++o) {
    const RegionPair<D> pair(in, o);
    SumOf<D> hits(d), missed(d), second_hits(d), second_missed(d), pixels(d), numerator(d), denominator(d);
    V part[5] = {zero, zero, zero, zero, zero};  // few additions in the numbers' own type
    int64_t vectors = 0;
    const auto widen = [&]() HWY_ATTR {
      hits.Add(part[0]);
      missed.Add(part[1]);
      second_hits.Add(part[2]);
      second_missed.Add(part[3]);
      pixels.Add(part[4]);
      std::fill(part, part + 5, zero);
    };
    ForEachVector(d, in.inner, [&](const auto& load, V one, int64_t i) HWY_ATTR {
      const PairAt<D> at(d, pair, load, one, i);
      finite.See(at.a);
      finite.See(at.b);
      const Logistic<V> right = at.Right(d);
      const V yes = hn::Mul(right.yes, at.counts), no = hn::Mul(right.no, at.counts);
      part[0] = hn::Add(part[0], hn::IfThenZeroElse(at.is_second, yes));
      part[1] = hn::Add(part[1], hn::IfThenZeroElse(at.is_second, no));
      part[2] = hn::Add(part[2], hn::IfThenElseZero(at.is_second, yes));
      part[3] = hn::Add(part[3], hn::IfThenElseZero(at.is_second, no));
      part[4] = hn::Add(part[4], at.counts);
      if constexpr (kEntropy) {
        const V weight = hn::Mul(at.counts, hn::IfThenElse(at.is_second, weights[1], weights[0]));
        numerator.Add(hn::IfThenElseZero(hn::Ne(weight, zero), hn::Mul(right.minus_log_yes, weight)));
        denominator.Add(weight);
      }
      if (++vectors % 8 == 0) widen();
    });
    widen();
    const simd::Overlap sums[2] = {{hits.Total(), second_missed.Total(), missed.Total(), pixels.Total()},
                                   {second_hits.Total(), missed.Total(), second_missed.Total(), pixels.Total()}};
    for (int k = 0; k < 2; ++k) {
      overlaps[k].hit += sums[k].hit;
      overlaps[k].extra += sums[k].extra;
      overlaps[k].missed += sums[k].missed;
      overlaps[k].pixels += sums[k].pixels;
    }
    if constexpr (kEntropy) {
      entropy->numerator += numerator.Total();
      entropy->denominator += denominator.Total();
    }
  }
  return !finite.Failed();
}

/// The derivative by the right logit is p q (g_right - g_other), that by the other logit is its opposite.
template <bool kEntropy, class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreRegionPairs(D d, const simd::RegionPixels<T>& in, const SlopeTable<T>& slopes,
                                 const simd::PixelEntropy* entropy) {
  using V = hn::Vec<D>;
  const V rise = hn::Set(d, slopes.in[0] - slopes.out[1]), second_rise = hn::Set(d, slopes.in[1] - slopes.out[0]);
  V pull[2] = {hn::Zero(d), hn::Zero(d)};
  for (size_t k = 0; kEntropy && k < 2; ++k) {
    const double weight = entropy->class_weights.empty() ? 1 : entropy->class_weights[k];
    pull[k] = hn::Set(d, static_cast<T>(weight * entropy->scale));
  }
  // Gradients leave in long runs: streaming stores that alternate between two of them are slow.
  HWY_ALIGN T to_first[simd::kBlockItems];
  HWY_ALIGN T to_second[simd::kBlockItems];
  ForEachBlock(in.outer, in.inner, simd::kBlockItems, [&](const BlockItems& block) HWY_ATTR {
    const RegionPair<D> pair(in, block.outer);
    ForEachVector(d, block.items, [&](const auto& load, V one, int64_t j) HWY_ATTR {
      const PairAt<D> at(d, pair, load, one, block.first + j);
      const Logistic<V> right = at.Right(d);
      V factor = hn::Mul(right.yes, hn::IfThenElse(at.is_second, second_rise, rise));
      if constexpr (kEntropy) factor = hn::Sub(factor, hn::IfThenElse(at.is_second, pull[1], pull[0]));
      const V slope = hn::Mul(hn::Mul(right.no, factor), at.counts), to_other = hn::Neg(slope);
      hn::Store(hn::IfThenElse(at.is_second, to_other, slope), d, to_first + j);
      hn::Store(hn::IfThenElse(at.is_second, slope, to_other), d, to_second + j);
    });
    CopyRun(d, to_first, block.items, in.gradient.Run(block.outer) + block.first, in.stream);
    CopyRun(d, to_second, block.items, in.gradient.Run(block.outer, 1) + block.first, in.stream);
  });
}

/// Two classes take the path of pairs, unless their pixels are rows.
template <bool kEntropy, class D, class T = hn::TFromD<D>>
HWY_INLINE bool AddRegions(D d, const simd::RegionPixels<T>& in, simd::Overlap* overlaps, simd::PixelEntropy* entropy) {
  if (in.logits.small == 2 && in.inner > 1) return AddRegionPairs<kEntropy>(d, in, overlaps, entropy);
  FiniteCheck<D> finite(d);
  ForEachBlock(in.outer, in.inner, simd::BlockItems(in.logits.small, sizeof(T)), [&](const BlockItems& block) HWY_ATTR {
    AddRegionBlock<kEntropy>(d, in, block, overlaps, entropy, finite);
  });
  return !finite.Failed();
}

template <bool kEntropy, class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreRegions(D d, const simd::RegionPixels<T>& in, const simd::Slopes* slopes, double scale,
                             const simd::PixelEntropy* entropy) {
  const int64_t classes = in.logits.small;
  auto* const table = static_cast<T*>(in.scratch) + simd::BlockBytes(classes, sizeof(T)) / sizeof(T);
  const SlopeTable<T> of(table, slopes, classes, scale);
  if (classes == 2 && in.inner > 1) {
    StoreRegionPairs<kEntropy>(d, in, of, entropy);
  } else {
    FiniteCheck<D> finite(d);
    ForEachBlock(in.outer, in.inner, simd::BlockItems(classes, sizeof(T)), [&](const BlockItems& block) HWY_ATTR {
      StoreRegionBlock<kEntropy>(d, in, block, of, entropy, finite);
    });
  }
  if (in.stream) hwy::FlushStream();
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

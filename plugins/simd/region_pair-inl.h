// Regions of pixels of two classes: the softmax is the logistic function of the right logit less the other.
#if defined(GRADELINE_PLUGINS_SIMD_REGION_PAIR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_REGION_PAIR_INL_H_
#undef GRADELINE_PLUGINS_SIMD_REGION_PAIR_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_REGION_PAIR_INL_H_
#endif

#include "plugins/simd/decision-inl.h"
#include "plugins/simd/region-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// A vector of pixels: what their labels say, and the softmax of the right class.
template <class D, class V = hn::Vec<D>>
struct PairAt {
  hn::Mask<D> is_second;
  V counts;  ///< 1 where the pixel counts
  Logistic<V> right;

  /// `one` is 0 behind the end.
  template <class Load, class T = hn::TFromD<D>>
  HWY_INLINE PairAt(D d, const DecisionBlock<T>& decisions, const Load& load, const int32_t* labels, V one, int64_t j) {
    const V label = load.Labels(labels + j), difference = hn::Load(d, decisions.difference + j);
    is_second = hn::Gt(label, hn::Zero(d));
    counts = hn::IfThenElseZero(hn::Ge(label, hn::Zero(d)), one);
    right =
        LogisticOfTail(d, hn::IfThenElse(is_second, difference, hn::Neg(difference)), hn::Load(d, decisions.tail + j));
  }
};

/// What pixels of two classes add up to: of the first class and of the second.
template <class D>
struct PairSums {
  SumOf<D> hit, missed, second_hit, second_missed, pixels, numerator, denominator;

  explicit PairSums(D d)
      : hit(d), missed(d), second_hit(d), second_missed(d), pixels(d), numerator(d), denominator(d) {}

  /// What is extra of a class is what is missed of the other.
  HWY_INLINE void AddTo(simd::Overlap* overlaps, simd::PixelEntropy* entropy) const {
    const simd::Overlap sums[2] = {{hit.Total(), second_missed.Total(), missed.Total(), pixels.Total()},
                                   {second_hit.Total(), missed.Total(), second_missed.Total(), pixels.Total()}};
    for (int k = 0; k < 2; ++k) {
      overlaps[k].hit += sums[k].hit;
      overlaps[k].extra += sums[k].extra;
      overlaps[k].missed += sums[k].missed;
      overlaps[k].pixels += sums[k].pixels;
    }
    if (entropy == nullptr) return;
    entropy->numerator += numerator.Total();
    entropy->denominator += denominator.Total();
  }
};

template <bool kEntropy, class D, class T = hn::TFromD<D>>
HWY_INLINE bool AddRegionPairs(D d, const simd::RegionPixels<T>& in, simd::Overlap* overlaps,
                               simd::PixelEntropy* entropy) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V zero = hn::Zero(d);
  const bool weighted = kEntropy && !entropy->class_weights.empty();
  const V weights[2] = {hn::Set(d, static_cast<T>(weighted ? entropy->class_weights[0] : 1)),
                        hn::Set(d, static_cast<T>(weighted ? entropy->class_weights[1] : 1))};
  FiniteCheck<D> finite(d);
  PairSums<D> sums(d);
  DecisionBlock<T> decisions;
  ForEachBlock(in.outer, in.inner, simd::kBlockItems, [&](const BlockItems& block) HWY_ATTR {
    decisions.Fill(d, in.logits, block, finite);
    const int32_t* const labels = in.labels.Run(block.outer) + block.first;
    for (int64_t begin = 0; begin < block.items; begin += 8 * lanes) {
      V hit = zero, missed = zero, second_hit = zero, second_missed = zero, pixels = zero;  // few additions of T
      ForEachVector(
          d, std::min(8 * lanes, block.items - begin),
          [&](const auto& load, V one, int64_t i) HWY_ATTR __attribute__((always_inline)) {
            const PairAt<D> at(d, decisions, load, labels, one, begin + i);
            const V yes = hn::Mul(at.right.yes, at.counts), no = hn::Mul(at.right.no, at.counts);
            hit = hn::Add(hit, hn::IfThenZeroElse(at.is_second, yes));
            missed = hn::Add(missed, hn::IfThenZeroElse(at.is_second, no));
            second_hit = hn::Add(second_hit, hn::IfThenElseZero(at.is_second, yes));
            second_missed = hn::Add(second_missed, hn::IfThenElseZero(at.is_second, no));
            pixels = hn::Add(pixels, at.counts);
            if constexpr (kEntropy) {
              const V weight = hn::Mul(at.counts, hn::IfThenElse(at.is_second, weights[1], weights[0]));
              sums.numerator.Add(hn::IfThenElseZero(hn::Ne(weight, zero), hn::Mul(at.right.minus_log_yes, weight)));
              sums.denominator.Add(weight);
            }
          });
      sums.hit.Add(hit);
      sums.missed.Add(missed);
      sums.second_hit.Add(second_hit);
      sums.second_missed.Add(second_missed);
      sums.pixels.Add(pixels);
    }
  });
  sums.AddTo(overlaps, kEntropy ? entropy : nullptr);
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
  PairGradient<D> gradient(d, in.gradient, in.stream);
  FiniteCheck<D> unused(d);
  DecisionBlock<T> decisions;
  ForEachBlock(in.outer, in.inner, simd::kBlockItems, [&](const BlockItems& block) HWY_ATTR {
    decisions.Fill(d, in.logits, block, unused);
    const int32_t* const labels = in.labels.Run(block.outer) + block.first;
    gradient.Begin(block);
    ForEachVector(
        d, block.items, [&](const auto& load, V one, int64_t j) HWY_ATTR __attribute__((always_inline)) {
          const PairAt<D> at(d, decisions, load, labels, one, j);
          V factor = hn::Mul(at.right.yes, hn::IfThenElse(at.is_second, second_rise, rise));
          if constexpr (kEntropy) factor = hn::Sub(factor, hn::IfThenElse(at.is_second, pull[1], pull[0]));
          const V slope = hn::Mul(hn::Mul(at.right.no, factor), at.counts);
          gradient.Put(j, hn::IfThenElse(at.is_second, slope, hn::Neg(slope)));
        });
    gradient.End();
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

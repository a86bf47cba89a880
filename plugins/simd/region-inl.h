// Regions of pixels under a softmax: sums of each class, and the gradient from the slopes of each class.
#if defined(GRADELINE_PLUGINS_SIMD_REGION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_REGION_INL_H_
#undef GRADELINE_PLUGINS_SIMD_REGION_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_REGION_INL_H_
#endif

#include <limits>

#include "plugins/simd/region.h"
#include "plugins/simd/right-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Slopes of each class in the type of the numbers, times a scale; what the type cannot hold ends at its largest.
template <class T>
struct SlopeTable {
  T *in, *out;

  SlopeTable(T* memory, const simd::Slopes* slopes, int64_t classes, double scale) : in(memory), out(memory + classes) {
    for (int64_t k = 0; k < classes; ++k) {
      in[k] = Bounded(slopes[k].in * scale);
      out[k] = Bounded(slopes[k].out * scale);
    }
  }
  static T Bounded(double slope) {
    constexpr double kMost = std::numeric_limits<T>::max() / 8;  // differences of two stay finite
    return static_cast<T>(std::clamp(slope, -kMost, kMost));
  }
};

/// Calls `step(load, one, i)` for every vector of a run of `n` values; `one` is 0 behind the end.
template <class D, class Step, class T = hn::TFromD<D>>
HWY_INLINE void ForEachVector(D d, int64_t n, const Step& step) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto one = hn::Set(d, T{1});
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) step(LoadWhole<D>{d}, one, i);
  if (const int64_t left = n - i; left > 0) {
    step(LoadEnd<D>{d, left}, hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(left)), one), i);
  }
}

/// Weights of the pixels' classes times `factor`.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> PixelWeights(D d, const simd::PixelEntropy& entropy, const int32_t* label, double factor) {
  if (entropy.class_weights.empty()) return hn::Set(d, static_cast<T>(factor));
  HWY_ALIGN T weights[hn::MaxLanes(D())];
  for (size_t l = 0; l < hn::Lanes(d); ++l) {
    weights[l] = static_cast<T>(entropy.class_weights[static_cast<size_t>(label[l])] * factor);
  }
  return hn::Load(d, weights);
}

/// Adds each pixel's probability of its own class, and what it lacks to 1, to that class.
template <class T>
HWY_INLINE void AddRight(const int32_t* label, int64_t n, const T* hit, const T* missed, simd::Overlap* overlaps) {
  for (int64_t j = 0; j < n;) {
    const int32_t of = label[j];
    double hits = 0, misses = 0;  // of neighbours of one class, which most are: no waiting for memory
    for (; j < n && label[j] == of; ++j) {
      hits += static_cast<double>(hit[j]);
      misses += static_cast<double>(missed[j]);
    }
    overlaps[of].hit += hits;
    overlaps[of].missed += misses;
  }
}

/// Adds a block's pixels to the overlaps, and to the sums of cross-entropy if there are any.
template <bool kEntropy, class D, class T = hn::TFromD<D>>
HWY_INLINE void AddRegionBlock(D d, const simd::RegionPixels<T>& in, const BlockItems& block, simd::Overlap* overlaps,
                               simd::PixelEntropy* entropy, FiniteCheck<D>& finite) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = WholeVectors(d, block.items);
  BlockLabels<T> labels;
  labels.Fill(d, in.labels, block);
  RightBlock<T> softmax;
  softmax.plane = ScratchPlane(static_cast<T*>(in.scratch), in.logits.small);
  softmax.FillAndTake(d, in.logits, block, labels.label, finite);
  HWY_ALIGN T share[simd::kBlockItems];
  HWY_ALIGN T hit[simd::kBlockItems];
  HWY_ALIGN T missed[simd::kBlockItems];
  SumOf<D> numerator(d), denominator(d);
  for (int64_t j = 0; j < padded; j += lanes) {
    const RightOf<V> is = softmax.At(d, j);
    const V counts = hn::Load(d, labels.weight + j);
    hn::Store(hn::Mul(counts, is.inverse), d, share + j);
    hn::Store(hn::Mul(counts, is.Probability()), d, hit + j);
    hn::Store(hn::Mul(counts, is.Missed()), d, missed + j);
    if constexpr (kEntropy) {
      const V weight = hn::Mul(counts, PixelWeights(d, *entropy, labels.label + j, 1));
      const auto weighs = hn::Ne(weight, hn::Zero(d));
      numerator.Add(hn::IfThenElseZero(weighs, hn::Mul(softmax.MinusLog(d, is, j), weight)));
      denominator.Add(weight);
    }
  }
  AddRight(labels.label, block.items, hit, missed, overlaps);
  for (int64_t k = 0; k < softmax.plane.classes; ++k) {
    const T* const run = softmax.plane.Run(k);
    SumOf<D> extra(d);
    for (int64_t j = 0; j < padded;) {
      V part = hn::Zero(d);  // few additions in the numbers' own type
      for (const int64_t end = std::min(padded, j + 8 * lanes); j < end; j += lanes) {
        part = hn::MulAdd(hn::Load(d, run + j), hn::Load(d, share + j), part);
      }
      extra.Add(part);
    }
    overlaps[k].extra += extra.Total();
    overlaps[k].pixels += static_cast<double>(labels.counting);
  }
  if constexpr (kEntropy) {
    entropy->numerator += numerator.Total();
    entropy->denominator += denominator.Total();
  }
}

/// Stores a block's gradient. With g_k the slope of class k and t a class of the highest logit, the derivative by logit
/// k is p_k ((g_k - g_t) - sum over j of p_j (g_j - g_t)): what belongs to the top class does not cancel against 1.
template <bool kEntropy, class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreRegionBlock(D d, const simd::RegionPixels<T>& in, const BlockItems& block,
                                 const SlopeTable<T>& slopes, const simd::PixelEntropy* entropy,
                                 FiniteCheck<D>& finite) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = WholeVectors(d, block.items), classes = in.logits.small;
  BlockLabels<T> labels;
  labels.Fill(d, in.labels, block);
  RightBlock<T> softmax;
  softmax.plane = ScratchPlane(static_cast<T*>(in.scratch), classes);
  softmax.FillAndTake(d, in.logits, block, labels.label, finite);
  HWY_ALIGN T top_slope[simd::kBlockItems];
  HWY_ALIGN T mean[simd::kBlockItems];    // of the slopes' distances from it
  HWY_ALIGN T pull[simd::kBlockItems];    // what cross-entropy adds to the slopes of the others
  HWY_ALIGN T inside[simd::kBlockItems];  // slope of the right class
  for (int64_t j = 0; j < padded; ++j) inside[j] = slopes.in[labels.label[j]];
  for (int64_t j = 0; j < padded; j += lanes) {
    V most = hn::Load(d, softmax.right + j), top = hn::Load(d, inside + j);
    for (int64_t k = 0; k < classes; ++k) {
      const V e = hn::Load(d, softmax.plane.Run(k) + j);
      top = hn::IfThenElse(hn::Gt(e, most), hn::Set(d, slopes.out[k]), top);
      most = hn::Max(most, e);
    }
    const RightOf<V> is = softmax.At(d, j);
    const V counts = hn::Load(d, labels.weight + j), share = hn::Mul(is.inverse, counts);
    V sum = hn::Zero(d);
    for (int64_t k = 0; k < classes; ++k) {
      T* const at = softmax.plane.Run(k) + j;
      const V p = hn::Mul(hn::Load(d, at), share);  // no exponential times a slope: that may be too large
      hn::Store(p, d, at);
      sum = hn::MulAdd(p, hn::Sub(hn::Set(d, slopes.out[k]), top), sum);
    }
    const V rise = hn::Sub(hn::Load(d, inside + j), top);
    const V away = hn::MulAdd(is.Probability(), rise, sum);
    V mine = hn::Mul(is.Probability(), hn::Sub(rise, away));
    if constexpr (kEntropy) {
      const V factor = PixelWeights(d, *entropy, labels.label + j, entropy->scale);
      hn::Store(factor, d, pull + j);
      mine = hn::NegMulAdd(is.Missed(), factor, mine);
    }
    hn::Store(top, d, top_slope + j);
    hn::Store(away, d, mean + j);
    hn::Store(hn::Mul(counts, mine), d, softmax.right + j);
  }
  for (int64_t k = 0; k < classes; ++k) {
    T* const run = softmax.plane.Run(k);
    const V outside = hn::Set(d, slopes.out[k]);
    for (int64_t j = 0; j < padded; j += lanes) {
      V slope = hn::Sub(hn::Sub(outside, hn::Load(d, top_slope + j)), hn::Load(d, mean + j));
      if constexpr (kEntropy) slope = hn::Add(slope, hn::Load(d, pull + j));
      hn::Store(hn::Mul(hn::Load(d, run + j), slope), d, run + j);
    }
  }
  softmax.PutRight(0, block.items);
  StoreBlock(d, softmax.plane, block, in.gradient, in.stream);
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

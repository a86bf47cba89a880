// Regions of pixels under a softmax: sums of each class, and the gradient from the slopes of each class.
#if defined(GRADELINE_PLUGINS_SIMD_REGION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_REGION_INL_H_
#undef GRADELINE_PLUGINS_SIMD_REGION_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_REGION_INL_H_
#endif

#include <limits>

#include "plugins/simd/region.h"
#include "plugins/simd/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Sums of one class in the type of its numbers, few additions long, then in double.
template <class D, class V = hn::Vec<D>>
class OverlapSum {
 public:
  static constexpr int64_t kVectors = 8;  ///< between two calls of Widen

  explicit OverlapSum(D d) : d_(d), hit_(d), extra_(d), missed_(d) { Clear(); }
  HWY_INLINE void Add(V hit, V extra, V missed) {
    part_hit_ = hn::Add(part_hit_, hit);
    part_extra_ = hn::Add(part_extra_, extra);
    part_missed_ = hn::Add(part_missed_, missed);
  }
  HWY_INLINE void Widen() {
    hit_.Add(part_hit_);
    extra_.Add(part_extra_);
    missed_.Add(part_missed_);
    Clear();
  }
  HWY_INLINE void AddTo(simd::Overlap& overlap) const {
    overlap.hit += hit_.Total();
    overlap.extra += extra_.Total();
    overlap.missed += missed_.Total();
  }

 private:
  HWY_INLINE void Clear() { part_hit_ = part_extra_ = part_missed_ = hn::Zero(d_); }

  D d_;
  V part_hit_, part_extra_, part_missed_;
  SumOf<D> hit_, extra_, missed_;
};

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

/// Sums numbers g_k of an item under the exponentials of its classes: that of the top class apart from the others'.
template <class D, class V = hn::Vec<D>>
struct PartedSum {
  V top, others;

  explicit PartedSum(D d) : top(hn::Zero(d)), others(hn::Zero(d)) {}
  /// A class as high as the top one takes its place, and what was the top becomes one of the others.
  template <class M>
  HWY_INLINE void Add(V e, M below, V number) {
    others = hn::Add(others, hn::IfThenElse(below, hn::Mul(e, number), top));
    top = hn::IfThenElse(below, top, number);
  }
  /// Mean of g_k - g_top over the classes, each with its probability.
  HWY_INLINE V Away(V rest, V inverse) const { return hn::Mul(hn::NegMulAdd(rest, top, others), inverse); }
};

/// Calls `step(load, store, one, i)` for every vector of a run of `n` values; `one` is 0 behind the end.
template <class D, class Step, class T = hn::TFromD<D>>
HWY_INLINE void ForEachVector(D d, int64_t n, const StoreWhole<D>& whole, const Step& step) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto one = hn::Set(d, T{1});
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) step(LoadWhole<D>{d}, whole, one, i);
  if (const int64_t left = n - i; left > 0) {
    step(LoadEnd<D>{d, left}, StoreEnd<D>{d, left}, hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(left)), one),
         i);
  }
}

/// A block of pixels: exponentials of the logits, and labels as reals, negative where nothing counts.
template <class T>
struct RegionBlock {
  SoftmaxBlock<T> softmax;
  HWY_ALIGN T label[simd::kBlockItems];
  int64_t counting = 0;

  template <class D>
  HWY_INLINE void Load(D d, const simd::RegionPixels<T>& in, const BlockItems& block) {
    const int64_t padded = WholeVectors(d, block.items), classes = in.logits.small;
    softmax.logits = softmax.exponentials = {static_cast<T*>(in.scratch),
                                             simd::BlockItems(classes, sizeof(T)) + simd::kBlockPad, classes};
    LoadBlock(d, in.logits, block, softmax.logits);
    counting = 0;
    for (int64_t j = 0; j < padded; j += static_cast<int64_t>(hn::Lanes(d))) {
      const auto is = LoadLabels(d, in.labels, block, j);
      counting += static_cast<int64_t>(hn::CountTrue(d, hn::Ge(is, hn::Zero(d))));
      hn::Store(is, d, label + j);
    }
  }
};

/// Exponentials of all classes but the right one of an item, whose own exponential is e.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V WrongOf(D d, V e, V rest) {
  const V one = hn::Set(d, hn::TFromD<D>{1});
  return hn::IfThenElse(hn::Ge(e, one), rest, hn::Add(rest, hn::Sub(one, e)));
}

/// Weights of the pixels' classes times `factor`; of class 0 where a label is negative.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> PixelWeights(D d, const simd::PixelEntropy& entropy, const T* label, double factor) {
  if (entropy.class_weights.empty()) return hn::Set(d, static_cast<T>(factor));
  HWY_ALIGN T weights[hn::MaxLanes(D())];
  for (size_t l = 0; l < hn::Lanes(d); ++l) {
    weights[l] = static_cast<T>(entropy.class_weights[static_cast<size_t>(std::max(label[l], T{0}))] * factor);
  }
  return hn::Load(d, weights);
}

/// Adds a block's pixels to the overlaps, and to the sums of cross-entropy if there are any.
template <bool kEntropy, class D, class T = hn::TFromD<D>>
HWY_INLINE void AddRegionBlock(D d, const simd::RegionPixels<T>& in, const BlockItems& block, simd::Overlap* overlaps,
                               simd::PixelEntropy* entropy, FiniteCheck<D>& finite) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = WholeVectors(d, block.items), classes = in.logits.small;
  const V one = hn::Set(d, T{1}), zero = hn::Zero(d);
  RegionBlock<T> region;
  region.Load(d, in, block);
  HWY_ALIGN T inverse[simd::kBlockItems];
  HWY_ALIGN T missed[simd::kBlockItems];  // first the right class's logit
  region.softmax.Fill(d, padded, finite, region.label, missed);
  SumOf<D> numerator(d), denominator(d);
  for (int64_t j = 0; j < padded; j += lanes) {
    const V rest = hn::Load(d, region.softmax.rest + j), top = hn::Load(d, region.softmax.top + j);
    const V logit = hn::Load(d, missed + j);
    const auto counts = hn::Ge(hn::Load(d, region.label + j), zero);
    const V share = hn::IfThenElseZero(counts, hn::Div(one, hn::Add(rest, one)));
    hn::Store(share, d, inverse + j);
    hn::Store(hn::Mul(WrongOf(d, ExpOfDifference(d, logit, top), rest), share), d, missed + j);
    if constexpr (kEntropy) {
      const V weight = hn::IfThenElseZero(counts, PixelWeights(d, *entropy, region.label + j, 1));
      const V minus_log = hn::Add(hn::Sub(top, logit), LogOnePlus(d, rest));
      numerator.Add(hn::IfThenElseZero(hn::Ne(weight, zero), hn::Mul(minus_log, weight)));
      denominator.Add(weight);
    }
  }
  for (int64_t k = 0; k < classes; ++k) {
    const T* const run = region.softmax.exponentials.Run(k);
    const V me = hn::Set(d, static_cast<T>(k));
    OverlapSum<D> sum(d);
    for (int64_t j = 0; j < padded;) {
      for (const int64_t end = std::min(padded, j + sum.kVectors * lanes); j < end; j += lanes) {
        const V p = hn::Mul(hn::Load(d, run + j), hn::Load(d, inverse + j));
        const auto is = hn::Eq(hn::Load(d, region.label + j), me);
        sum.Add(hn::IfThenElseZero(is, p), hn::IfThenZeroElse(is, p), hn::IfThenElseZero(is, hn::Load(d, missed + j)));
      }
      sum.Widen();
    }
    sum.AddTo(overlaps[k]);
    overlaps[k].pixels += static_cast<double>(region.counting);
  }
  if constexpr (kEntropy) {
    entropy->numerator += numerator.Total();
    entropy->denominator += denominator.Total();
  }
}

/// Stores a block's gradient. With g_k the slope of class k and t the top class, the derivative by logit k is
/// p_k ((g_k - g_t) - sum over j of p_j (g_j - g_t)): what belongs to the top class does not cancel against 1.
template <bool kEntropy, class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreRegionBlock(D d, const simd::RegionPixels<T>& in, const BlockItems& block,
                                 const SlopeTable<T>& slopes, const simd::PixelEntropy* entropy,
                                 FiniteCheck<D>& finite) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = WholeVectors(d, block.items), classes = in.logits.small;
  const V one = hn::Set(d, T{1}), zero = hn::Zero(d);
  RegionBlock<T> region;
  region.Load(d, in, block);
  SoftmaxBlock<T>& softmax = region.softmax;
  HWY_ALIGN T top_slope[simd::kBlockItems];
  HWY_ALIGN T mean[simd::kBlockItems];   // of the other slopes' distances from it; first their sum
  HWY_ALIGN T right[simd::kBlockItems];  // what cross-entropy takes from the right class; first its logit
  HWY_ALIGN T pull[simd::kBlockItems];   // what it adds to the others
  PartedSum<D> parted(d);
  const auto visit = [&](int64_t k, int64_t j, V e, auto below) HWY_ATTR {
    const auto is = hn::Eq(hn::Load(d, region.label + j), hn::Set(d, static_cast<T>(k)));
    parted.Add(e, below, hn::IfThenElse(is, hn::Set(d, slopes.in[k]), hn::Set(d, slopes.out[k])));
    if (k + 1 < classes) return;
    hn::Store(parted.top, d, top_slope + j);
    hn::Store(parted.others, d, mean + j);
    parted = PartedSum<D>(d);
  };
  softmax.FillAndVisit(d, padded, finite, region.label, kEntropy ? right : nullptr, visit);
  for (int64_t j = 0; j < padded; j += lanes) {
    const V rest = hn::Load(d, softmax.rest + j);
    const auto counts = hn::Ge(hn::Load(d, region.label + j), zero);
    const V share = hn::IfThenElseZero(counts, hn::Div(one, hn::Add(rest, one)));
    parted.top = hn::Load(d, top_slope + j);
    parted.others = hn::Load(d, mean + j);
    hn::Store(parted.Away(rest, share), d, mean + j);
    hn::Store(share, d, softmax.rest + j);
    if constexpr (kEntropy) {
      const V factor = hn::IfThenElseZero(counts, PixelWeights(d, *entropy, region.label + j, entropy->scale));
      const V e = ExpOfDifference(d, hn::Load(d, right + j), hn::Load(d, softmax.top + j));
      hn::Store(factor, d, pull + j);
      hn::Store(hn::Mul(hn::Mul(WrongOf(d, e, rest), share), factor), d, right + j);
    }
  }
  for (int64_t k = 0; k < classes; ++k) {
    T* const run = softmax.exponentials.Run(k);
    const V me = hn::Set(d, static_cast<T>(k)), inside = hn::Set(d, slopes.in[k]), outside = hn::Set(d, slopes.out[k]);
    for (int64_t j = 0; j < padded; j += lanes) {
      const auto is = hn::Eq(hn::Load(d, region.label + j), me);
      const V p = hn::Mul(hn::Load(d, run + j), hn::Load(d, softmax.rest + j));
      V factor =
          hn::Sub(hn::Sub(hn::IfThenElse(is, inside, outside), hn::Load(d, top_slope + j)), hn::Load(d, mean + j));
      if constexpr (kEntropy) factor = hn::Add(factor, hn::IfThenZeroElse(is, hn::Load(d, pull + j)));
      V value = hn::Mul(p, factor);
      if constexpr (kEntropy) value = hn::Sub(value, hn::IfThenElseZero(is, hn::Load(d, right + j)));
      hn::Store(value, d, run + j);
    }
    if (!block.rows) CopyRun(d, run, block.items, in.gradient.Run(block.outer, k) + block.first, in.stream);
  }
  if (block.rows) StoreBlock(d, softmax.exponentials, block, in.gradient, in.stream);
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

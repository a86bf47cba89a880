// Regions of pixels under a sigmoid for each class: sums of each class, and the gradient from the slopes of each class.
#if defined(GRADELINE_PLUGINS_SIMD_REGION_SIGMOID_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_REGION_SIGMOID_INL_H_
#undef GRADELINE_PLUGINS_SIMD_REGION_SIGMOID_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_REGION_SIGMOID_INL_H_
#endif

#include "plugins/simd/region-inl.h"

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

/// Target of one run: y, and 1 where it counts.
template <class D, class T = hn::TFromD<D>>
struct RunTarget {
  const int32_t* labels;
  const T* soft;

  RunTarget(const simd::RegionPixels<T>& in, int64_t o, int64_t k)
      : labels(in.labels ? in.labels.Run(o, k) : nullptr), soft(in.soft ? in.soft.Run(o, k) : nullptr) {}

  template <class Load, class V = hn::Vec<D>>
  HWY_INLINE V At(D d, const Load& load, int64_t i, V& counts) const {
    if (labels == nullptr) return load(soft + i);
    const V y = load.Labels(labels + i);
    counts = hn::IfThenElseZero(hn::Ge(y, hn::Zero(d)), counts);
    return hn::Max(y, hn::Zero(d));
  }
};

template <class D, class T = hn::TFromD<D>>
HWY_INLINE bool AddSigmoids(D d, const simd::RegionPixels<T>& in, simd::Overlap* overlaps) {
  using V = hn::Vec<D>;
  const V unit = hn::Set(d, T{1});
  FiniteCheck<D> finite(d);
  for (int64_t o = 0; o < in.outer; ++o) {
    for (int64_t k = 0; k < in.logits.small; ++k) {
      const T* const logits = in.logits.Run(o, k);
      const RunTarget<D> target(in, o, k);
      OverlapSum<D> sum(d);
      SumOf<D> pixels(d);
      V count = hn::Zero(d);
      int64_t vectors = 0;
      const auto widen = [&]() HWY_ATTR {
        sum.Widen();
        pixels.Add(count);
        count = hn::Zero(d);
      };
      ForEachVector(d, in.inner, [&](const auto& load, V counts, int64_t i) HWY_ATTR {
        const V z = load(logits + i), y = target.At(d, load, i, counts);
        finite.See(z);
        finite.See(y);
        const Logistic<V> is = LogisticOf(d, z);
        const V mine = hn::Mul(counts, y), yes = hn::Mul(counts, is.yes);
        sum.Add(hn::Mul(mine, is.yes), hn::Mul(yes, hn::Sub(unit, y)), hn::Mul(mine, is.no));
        count = hn::Add(count, counts);
        if (++vectors % sum.kVectors == 0) widen();
      });
      widen();
      sum.AddTo(overlaps[k]);
      overlaps[k].pixels += pixels.Total();
    }
  }
  return !finite.Failed();
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void StoreSigmoids(D d, const simd::RegionPixels<T>& in, const simd::Slopes* slopes, double scale) {
  using V = hn::Vec<D>;
  const V unit = hn::Set(d, T{1});
  const int64_t classes = in.logits.small;
  const SlopeTable<T> of(static_cast<T*>(in.scratch), slopes, classes, scale);
  for (int64_t o = 0; o < in.outer; ++o) {
    for (int64_t k = 0; k < classes; ++k) {
      const T* const logits = in.logits.Run(o, k);
      const RunTarget<D> target(in, o, k);
      const V inside = hn::Set(d, of.in[k]), outside = hn::Set(d, of.out[k]);
      HWY_ALIGN T gradient[simd::kBlockItems];
      for (int64_t first = 0; first < in.inner; first += simd::kBlockItems) {
        const int64_t n = std::min(simd::kBlockItems, in.inner - first);
        ForEachVector(d, n, [&](const auto& load, V counts, int64_t j) HWY_ATTR {
          const V z = load(logits + first + j), y = target.At(d, load, first + j, counts);
          const Logistic<V> is = LogisticOf(d, z);
          const V slope = hn::MulAdd(y, inside, hn::Mul(hn::Sub(unit, y), outside));
          hn::Store(hn::Mul(hn::Mul(hn::Mul(is.yes, is.no), slope), counts), d, gradient + j);
        });
        CopyRun(d, gradient, n, in.gradient.Run(o, k) + first, in.stream);
      }
    }
  }
  if (in.stream) hwy::FlushStream();
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

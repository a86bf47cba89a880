// The vector loop of losses whose items are single numbers.
#if defined(GRADELINE_PLUGINS_SIMD_ELEMENTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_ELEMENTWISE_INL_H_
#undef GRADELINE_PLUGINS_SIMD_ELEMENTWISE_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_ELEMENTWISE_INL_H_
#endif

#include <cmath>

#include "plugins/simd/elementwise.h"
#include "plugins/simd/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Loss and derivative by the prediction of a vector of elements, unweighted.
template <class V>
struct Element {
  V loss, slope;
};

/// Elements that are not ignored.
template <class T>
HWY_INLINE int64_t ValidElements(const simd::ElementRun<T>& run) {
  if (run.labels == nullptr) return run.n;
  int32_t valid = 0;  // a run has fewer elements than 2^31
  for (int64_t i = 0; i < run.n; ++i) valid += run.labels[i] >= 0 ? 1 : 0;
  return valid;
}

/// The loop of RunElements. Lanes are a matter of position, never of addresses: equal bits.
template <class D, class Kernel, class T = hn::TFromD<D>>
class ElementLoop {
  using V = hn::Vec<D>;

 public:
  HWY_INLINE ElementLoop(D d, const Kernel& kernel, const simd::ElementRun<T>& run)
      : d_(d),
        kernel_(kernel),
        run_(run),  // its own, which no store can change
        aligned_(reinterpret_cast<uintptr_t>(run.gradient) % (sizeof(T) * hn::Lanes(d)) == 0),
        scale_(hn::Set(d, static_cast<T>(run.scale))),
        numerator_(d),
        denominator_(d),
        finite_(d) {}

  /// Four vectors at a time, without weights and factors. Returns how many elements that were.
  template <bool kLabels>
  HWY_INLINE int64_t RunByFours() {
    const int64_t four = 4 * static_cast<int64_t>(hn::Lanes(d_)), whole = run_.n / four * four;
    // Gradients that do not begin at a whole vector are streamed from here, where vectors are whole.
    HWY_ALIGN T slopes[kVectors * hn::MaxLanes(D())];
    const bool direct = aligned_ || !run_.stream;
    V valid = hn::Zero(d_);  // fewer elements than floats count
    for (int64_t i = 0; i < whole;) {
      const int64_t n = std::min(whole - i, kVectors / 4 * four);
      T* const to = run_.gradient == nullptr ? nullptr : direct ? run_.gradient + i : slopes;
      RunSome<kLabels>(i, n, to, valid);
      if (to == slopes) CopyRun(d_, slopes, n, run_.gradient + i, true);
      i += n;
    }
    if constexpr (kLabels) {
      denominator_.Add(valid);
    } else {
      whole_ = whole;
    }
    return whole;
  }

  /// From element `i` on, vector by vector.
  HWY_INLINE void RunFrom(int64_t i) {
    const auto lanes = static_cast<int64_t>(hn::Lanes(d_));
    const V one = hn::Set(d_, T{1});
    const StoreWhole<D> store{d_, aligned_, aligned_ && run_.stream};
    for (; i + lanes <= run_.n; i += lanes) Step(LoadWhole<D>{d_}, store, one, i);
    if (const int64_t n = run_.n - i; n > 0) {
      const V inside = hn::IfThenElseZero(hn::FirstN(d_, static_cast<size_t>(n)), one);
      Step(LoadEnd<D>{d_, n}, StoreEnd<D>{d_, n}, inside, i);
    }
  }

  HWY_INLINE simd::ElementSums Sums() const {
    if (run_.stream) hwy::FlushStream();
    const double numerator = numerator_.Total();
    const bool finite = !finite_.Failed() && (!kTells || std::isfinite(numerator));
    return {numerator, denominator_.Total() + static_cast<double>(whole_), finite};
  }

 private:
  static constexpr bool kTells = requires { requires Kernel::kTellsNonFinite; };
  /// Whether values are looked at: labels may ignore an element whose loss would tell.
  template <bool kLabels>
  static constexpr bool kLooks = kLabels || !kTells;
  static constexpr bool kTails = requires(const Kernel& kernel, D d, V v) { kernel.Tail(d, v); };
  static constexpr bool kLogs = requires(const Kernel& kernel, D d, V v) { kernel.Plain(d, v, v, v); };
  static_assert(kTails || !kLogs);
  static constexpr int64_t kVectors = LogOfProduct<D>::kFactors;

  /// `n` elements from `begin` on: a multiple of four vectors, at most kVectors. Their slopes go to `to`, if wanted.
  template <bool kLabels>
  HWY_INLINE void RunSome(int64_t begin, int64_t n, T* to, V& valid) {
    const auto lanes = static_cast<int64_t>(hn::Lanes(d_));
    // All tails first: a processor has room for many short chains of operations, for few long ones.
    HWY_ALIGN T tails[kTails ? kVectors * hn::MaxLanes(D()) : 1];
    if constexpr (kTails) {
      for (int64_t i = 0; i < n; i += lanes) {
        hn::Store(kernel_.Tail(d_, hn::LoadU(d_, run_.prediction + begin + i)), d_, tails + i);
      }
    }
    LogOfProduct<D> a(d_), b(d_), c(d_), e(d_);
    for (int64_t i = 0; i < n; i += 4 * lanes) {
      V seen = hn::Zero(d_);
      const auto step = [&](int64_t at, LogOfProduct<D> & odds) HWY_ATTR __attribute__((always_inline)) {
        return Plain<kLabels>(begin + at, to == nullptr ? nullptr : to + at, kTails ? tails + at : nullptr, odds, valid,
                              seen);
      };
      const V first = step(i, a), second = step(i + lanes, b), third = step(i + 2 * lanes, c),
              last = step(i + 3 * lanes, e);
      if constexpr (kLogs) {
        numerator_.Add(hn::Add(hn::Add(first, second), hn::Add(third, last)));
      } else {
        for (const V loss : {first, second, third, last}) numerator_.Add(loss);
      }
      if constexpr (kLooks<kLabels>) finite_.SeeProduct(seen);
    }
    if constexpr (kLogs) {
      a.Multiply(b);
      c.Multiply(e);
      a.Multiply(c);
      numerator_.Add(a.Log());
    }
  }

  /// The loss of a vector, but for what it multiplies `odds` by. `tail`: the kernel's, if it has any.
  template <bool kLabels>
  HWY_INLINE V Plain(int64_t i, T* to, const T* tail, LogOfProduct<D>& odds, V& valid, V& seen) {
    const V zero = hn::Zero(d_), one = hn::Set(d_, T{1});
    const LoadWhole<D> load{d_};
    const V prediction = load(run_.prediction + i);
    const V target = kLabels ? load.Labels(run_.labels + i) : load(run_.real + i);
    if constexpr (kLooks<kLabels>) seen = hn::MulAdd(prediction, zero, seen);
    if constexpr (kLooks<kLabels> && !kLabels) seen = hn::MulAdd(target, zero, seen);
    LogElement<V> element;
    if constexpr (kLogs) {
      element = kernel_.Plain(d_, prediction, hn::Load(d_, tail), target);
    } else if constexpr (kTails) {
      const Element<V> whole = kernel_.AtTail(d_, prediction, hn::Load(d_, tail), target, one);
      element = {whole.loss, whole.slope, zero};
    } else {
      const Element<V> whole = kernel_.At(d_, prediction, target, one);
      element = {whole.loss, whole.slope, zero};
    }
    if constexpr (kLabels) {
      const auto counts = hn::Ge(target, zero);
      element = {hn::IfThenElseZero(counts, element.loss), hn::IfThenElseZero(counts, element.slope),
                 hn::IfThenElseZero(counts, element.odds)};
      valid = hn::Add(valid, hn::IfThenElseZero(counts, one));
    }
    if constexpr (kLogs) odds.Multiply(element.odds);
    if (run_.item_loss != nullptr) {
      const V loss = kLogs ? hn::Add(element.loss, LogOnePlusFraction(d_, element.odds)) : element.loss;
      StoreWhole<D>{d_, false, false}.Doubles(loss, run_.item_loss + i);
    }
    if (to != nullptr) StoreWhole<D>{d_, aligned_, aligned_ && run_.stream}(hn::Mul(element.slope, scale_), to);
    return element.loss;
  }

  template <class Load, class Store>
  HWY_INLINE void Step(const Load& load, const Store& store, V weight, int64_t i) {
    const V zero = hn::Zero(d_);
    V target = zero, factor = hn::Set(d_, T{1});
    if (run_.labels != nullptr) {
      target = load.Labels(run_.labels + i);
      weight = hn::IfThenElseZero(hn::Ge(target, zero), weight);
    }
    if (run_.weights != nullptr) {
      const V own = load(run_.weights + i);
      finite_.See(own);
      weight = hn::Mul(weight, own);
    }
    denominator_.Add(weight);
    if (run_.prediction == nullptr) return;
    if (run_.factors != nullptr) factor = load(run_.factors + i);
    const V prediction = load(run_.prediction + i);
    finite_.See(prediction);
    if (run_.real != nullptr) {
      target = load(run_.real + i);
      finite_.See(target);
    }
    const Element<V> element = kernel_.At(d_, prediction, target, factor);
    const auto counts = hn::Ne(weight, zero);
    const V loss = hn::IfThenElseZero(counts, hn::Mul(element.loss, weight));
    numerator_.Add(loss);
    if (run_.item_loss != nullptr) store.Doubles(loss, run_.item_loss + i);
    const V slope = hn::IfThenElseZero(counts, hn::Mul(hn::Mul(element.slope, weight), scale_));
    if (run_.gradient != nullptr) store(slope, run_.gradient + i);
  }

  D d_;
  const Kernel& kernel_;
  const simd::ElementRun<T> run_;
  const bool aligned_;
  const V scale_;
  SumOf<D> numerator_, denominator_;
  FiniteCheck<D> finite_;
  int64_t whole_ = 0;  // elements that denominator_ does not have
};

/// Runs `kernel.At(d, prediction, target, factor)`, which gives an Element, over all elements. `factor` is 1 where the
/// run has none. Ignored elements and those of weight 0 count nothing, whatever the kernel makes of them.
///
/// A kernel may have more. Tail(d, prediction) is what takes a long chain of operations: it is done first for many
/// elements, which then, without weight and factor, go through AtTail(d, prediction, tail, target, 1) or, for a
/// LogElement, through Plain(d, prediction, tail, target). With kTellsNonFinite no loss is finite where a value is not:
/// without labels and weights the sum tells, and no value is looked at.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE simd::ElementSums RunElements(D d, const Kernel& kernel, const simd::ElementRun<T>& run) {
  if (run.prediction == nullptr && run.weights == nullptr) return {0, static_cast<double>(ValidElements(run)), true};
  ElementLoop<D, Kernel> loop(d, kernel, run);
  const bool weighted = run.weights != nullptr || run.factors != nullptr || run.prediction == nullptr;
  int64_t done = 0;
  if (!weighted) done = run.labels != nullptr ? loop.template RunByFours<true>() : loop.template RunByFours<false>();
  loop.RunFrom(done);
  return loop.Sums();
}

/// Defines Run for floats and for doubles with a kernel that is made of an array of numbers.
#define GRADELINE_ELEMENT_KERNEL(Kernel)                                                    \
  simd::ElementSums RunFloats(const simd::ElementRun<float>& run, const double* params) {   \
    return RunElements(hn::ScalableTag<float>(), Kernel(params), run);                      \
  }                                                                                         \
  simd::ElementSums RunDoubles(const simd::ElementRun<double>& run, const double* params) { \
    return RunElements(hn::ScalableTag<double>(), Kernel(params), run);                     \
  }

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

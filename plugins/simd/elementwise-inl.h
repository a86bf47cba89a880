// The vector loop of losses whose items are single numbers.
#if defined(GRADELINE_PLUGINS_SIMD_ELEMENTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_ELEMENTWISE_INL_H_
#undef GRADELINE_PLUGINS_SIMD_ELEMENTWISE_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_ELEMENTWISE_INL_H_
#endif

#include "plugins/simd/elementwise.h"
#include "plugins/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Loss and derivative by the prediction of a vector of elements, unweighted.
template <class V>
struct Element {
  V loss, slope;
};

/// The loop of RunElements. `kWeighted`: with weights or factors, or without predictions.
template <bool kWeighted, class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE simd::ElementSums RunElementsAs(D d, const Kernel& kernel, const simd::ElementRun<T>& given) {
  const simd::ElementRun<T> run = given;  // its own, which no store can change
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V one = hn::Set(d, T{1}), zero = hn::Zero(d), scale = hn::Set(d, static_cast<T>(run.scale));
  const bool aligned = reinterpret_cast<uintptr_t>(run.gradient) % (sizeof(T) * hn::Lanes(d)) == 0;
  SumOf<D> numerator(d), denominator(d);
  FiniteCheck<D> finite(d);
  V valid = zero;  // a run has fewer elements than floats count
  // Whole vectors and the ragged end share this. Lanes are a matter of position, never of addresses: equal bits.
  const auto step = [&](const auto& load, const auto& store, V weight, int64_t i) HWY_ATTR
      __attribute__((always_inline)) {
    V target = zero, factor = one;
    if (run.labels != nullptr) {
      target = load.Labels(run.labels + i);
      weight = hn::IfThenElseZero(hn::Ge(target, zero), weight);
    }
    if constexpr (kWeighted) {
      if (run.weights != nullptr) {
        const V own = load(run.weights + i);
        finite.See(own);
        weight = hn::Mul(weight, own);
      }
      denominator.Add(weight);
      if (run.prediction == nullptr) return zero;
      if (run.factors != nullptr) factor = load(run.factors + i);
    } else {
      valid = hn::Add(valid, weight);
    }
    const V prediction = load(run.prediction + i);
    finite.See(prediction);
    if (run.real != nullptr) {
      target = load(run.real + i);
      finite.See(target);
    }
    const Element<V> element = kernel.At(d, prediction, target, factor);
    const auto counts = hn::Ne(weight, zero);
    V loss = hn::IfThenElseZero(counts, element.loss);
    V slope = hn::IfThenElseZero(counts, hn::Mul(element.slope, scale));
    if constexpr (kWeighted) {
      loss = hn::Mul(loss, weight);
      slope = hn::Mul(slope, weight);
    }
    if (run.item_loss != nullptr) store.Doubles(loss, run.item_loss + i);
    if (run.gradient != nullptr) store(slope, run.gradient + i);
    return loss;
  };
  const LoadWhole<D> load{d};
  const StoreWhole<D> store{d, aligned, aligned && run.stream};
  int64_t i = 0;
  for (; !kWeighted && i + 4 * lanes <= run.n; i += 4 * lanes) {
    const V a = step(load, store, one, i), b = step(load, store, one, i + lanes);
    const V c = step(load, store, one, i + 2 * lanes), e = step(load, store, one, i + 3 * lanes);
    numerator.Add(hn::Add(hn::Add(a, b), hn::Add(c, e)));
  }
  for (; i + lanes <= run.n; i += lanes) numerator.Add(step(load, store, one, i));
  if (const int64_t n = run.n - i; n > 0) {
    const V inside = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n)), one);
    numerator.Add(step(LoadEnd<D>{d, n}, StoreEnd<D>{d, n}, inside, i));
  }
  denominator.Add(valid);
  if (run.stream) hwy::FlushStream();
  return {numerator.Total(), denominator.Total(), !finite.Failed()};
}

/// Runs `kernel.At(d, prediction, target, factor)`, which gives an Element, over all elements. `factor` is 1 where the
/// run has none. Ignored elements and those of weight 0 count nothing, whatever the kernel makes of them.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE simd::ElementSums RunElements(D d, const Kernel& kernel, const simd::ElementRun<T>& run) {
  const bool weighted = run.weights != nullptr || run.factors != nullptr || run.prediction == nullptr;
  return weighted ? RunElementsAs<true>(d, kernel, run) : RunElementsAs<false>(d, kernel, run);
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

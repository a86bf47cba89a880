// Kernels of losses of one right class out of C, for softmax-inl.h's RunLabels.
#if defined(GRADELINE_PLUGINS_SIMD_LABELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_LABELS_INL_H_
#undef GRADELINE_PLUGINS_SIMD_LABELS_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_LABELS_INL_H_
#endif

#include "plugins/simd/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Cross-entropy.
struct RightClass {
  explicit RightClass(const double* = nullptr) {}

  template <class D, class V>
  HWY_INLINE LabelTerm<V> At(D d, V minus_log_p, V, V) const {
    return {minus_log_p, hn::Set(d, hn::TFromD<D>{1})};
  }
};

/// Defines the runs of labelled items, of floats and of doubles, with a kernel that is made of an array of numbers.
#define GRADELINE_LABEL_KERNEL(Kernel)                                                                 \
  simd::ElementSums LabelFloats(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in,    \
                                const double* params) {                                                \
    return RunLabels(hn::ScalableTag<float>(), Kernel(params), tile, in);                              \
  }                                                                                                    \
  simd::ElementSums LabelDoubles(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in, \
                                 const double* params) {                                               \
    return RunLabels(hn::ScalableTag<double>(), Kernel(params), tile, in);                             \
  }

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

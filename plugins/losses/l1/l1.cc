// Mean absolute error: |prediction - target| per element.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/l1/l1.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/elementwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Distance {
  static constexpr bool kTellsNonFinite = true;
  explicit Distance(const double*) {}

  template <class D, class V>
  HWY_INLINE Element<V> At(D d, V prediction, V target, V) const {
    const V difference = hn::Sub(prediction, target);
    const V sign = hn::CopySign(hn::Set(d, hn::TFromD<D>{1}), difference);
    return {hn::Abs(difference), hn::IfThenElseZero(hn::Ne(difference, hn::Zero(d)), sign)};
  }
};

GRADELINE_ELEMENT_KERNEL(Distance)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class L1 : public simd::Elementwise<L1>, public simd::ValueTensors {
 public:
  static constexpr const char* kId = "l1";
  static constexpr const char* kDoc = "Absolute difference of prediction and target, averaged over elements.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("l1", "absolute differences / elements")};

  explicit L1(const sdk::Params&) {}

  simd::ElementSums Run(const simd::ElementRun<float>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(run, nullptr);
  }
  simd::ElementSums Run(const simd::ElementRun<double>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, nullptr);
  }
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("l1", "Gradeline", "1.0.0", "Apache-2.0", gradeline::L1)
#endif  // HWY_ONCE

// Mean squared error: (prediction - target)^2 per element, without a factor 1/2.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/mse/mse.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/elementwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Squares {
  static constexpr bool kTellsNonFinite = true;
  explicit Squares(const double*) {}

  template <class D, class V>
  HWY_INLINE Element<V> At(D, V prediction, V target, V) const {
    const V difference = hn::Sub(prediction, target);
    return {hn::Mul(difference, difference), hn::Add(difference, difference)};
  }
};

GRADELINE_ELEMENT_KERNEL(Squares)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class Mse : public simd::Elementwise<Mse>, public simd::ValueTensors {
 public:
  static constexpr const char* kId = "mse";
  static constexpr const char* kDoc = "Squared difference of prediction and target, averaged over elements.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("mse", "squared differences / elements")};

  explicit Mse(const sdk::Params&) {}

  simd::ElementSums Run(const simd::ElementRun<float>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(run, nullptr);
  }
  simd::ElementSums Run(const simd::ElementRun<double>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, nullptr);
  }
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("mse", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Mse)
#endif  // HWY_ONCE

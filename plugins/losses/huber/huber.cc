// Huber loss: half the square of the difference up to delta, delta (difference - delta / 2) above.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/huber/huber.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/elementwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Bounded {
  static constexpr bool kTellsNonFinite = true;
  explicit Bounded(const double* numbers) : delta(numbers[0]) {}

  template <class D, class V>
  HWY_INLINE Element<V> At(D d, V prediction, V target, V) const {
    using T = hn::TFromD<D>;
    const V difference = hn::Sub(prediction, target), size = hn::Abs(difference);
    // bounded (size - bounded / 2) is the half square below delta and the line above it.
    const V bounded = hn::Min(size, hn::Set(d, static_cast<T>(delta)));
    return {hn::Mul(bounded, hn::NegMulAdd(hn::Set(d, T{0.5}), bounded, size)), hn::CopySign(bounded, difference)};
  }

  double delta;
};

GRADELINE_ELEMENT_KERNEL(Bounded)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class Huber : public simd::Elementwise<Huber>, public simd::ValueTensors {
 public:
  static constexpr const char* kId = "huber";
  static constexpr const char* kDoc = "Half the squared difference up to delta, linear with slope delta above.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr GdlParamSpec kParams[] = {
      sdk::Number("delta", 1, 0, sdk::kInfinity, "difference at which the square ends", GDL_MIN_OPEN)};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("huber", "bounded squares / elements")};

  explicit Huber(const sdk::Params& params) : delta_(params.Number("delta")) {}

  simd::ElementSums Run(const simd::ElementRun<float>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(run, &delta_);
  }
  simd::ElementSums Run(const simd::ElementRun<double>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, &delta_);
  }

 private:
  double delta_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("huber", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Huber)
#endif  // HWY_ONCE

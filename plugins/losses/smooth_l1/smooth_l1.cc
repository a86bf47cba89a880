// Smooth L1: half the square of the difference over beta below beta, the absolute difference minus beta / 2 above.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/smooth_l1/smooth_l1.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/elementwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Smooth {
  static constexpr bool kTellsNonFinite = true;
  /// `numbers`: beta / 2, 1 / beta.
  explicit Smooth(const double* numbers) : half(numbers[0]), inverse(numbers[1]) {}

  template <class D, class V>
  HWY_INLINE Element<V> At(D d, V prediction, V target, V) const {
    using T = hn::TFromD<D>;
    const V difference = hn::Sub(prediction, target), one = hn::Set(d, T{1});
    const V slope = hn::Min(hn::Max(hn::Mul(difference, hn::Set(d, static_cast<T>(inverse))), hn::Neg(one)), one);
    // Half of slope * difference in the square, |difference| - beta / 2 beyond it.
    return {hn::Mul(slope, hn::NegMulAdd(slope, hn::Set(d, static_cast<T>(half)), difference)), slope};
  }

  double half, inverse;
};

GRADELINE_ELEMENT_KERNEL(Smooth)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <limits>

namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class SmoothL1 : public simd::Elementwise<SmoothL1>, public simd::ValueTensors {
 public:
  static constexpr const char* kId = "smooth_l1";
  static constexpr const char* kDoc =
      "Squared below beta, absolute above: half the square of the difference over beta.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr GdlParamSpec kParams[] = {sdk::Number(
      "beta", 1, 0, sdk::kInfinity, "difference at which the square ends; below 0.00001 nothing is squared")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("smooth_l1", "smoothed absolute differences / elements")};

  explicit SmoothL1(const sdk::Params& params)
      : numbers_{std::min(params.Number("beta") / 2, kMost), 1 / params.Number("beta")} {
    if (params.Number("beta") >= kNoSquare) return;
    numbers_[0] = 0;
    numbers_[1] = kMost;  // of all but the smallest differences the slope is their sign
  }

  simd::ElementSums Run(const simd::ElementRun<float>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(run, numbers_);
  }
  simd::ElementSums Run(const simd::ElementRun<double>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, numbers_);
  }

 private:
  static constexpr double kNoSquare = 1e-5, kMost = std::numeric_limits<float>::max();

  double numbers_[2];  ///< of the kernel
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("smooth_l1", "Gradeline", "1.0.0", "Apache-2.0", gradeline::SmoothL1)
#endif  // HWY_ONCE

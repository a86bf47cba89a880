// Powers of numbers in [0, 1], and kernels of elements that compute floats in double.
#if defined(GRADELINE_PLUGINS_SIMD_POWER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_POWER_INL_H_
#undef GRADELINE_PLUGINS_SIMD_POWER_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_POWER_INL_H_
#endif

#include <cmath>

#include "plugins/simd/elementwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// x to a power of at least 0, for x in [0, 1]; small whole powers by multiplication. 0 to the 0 is 1.
/// A power multiplies what rounding took from log x, so large ones need double for more than a float's digits.
class Power {
 public:
  explicit Power(double exponent)
      : exponent_(exponent),
        whole_(exponent <= 8 && exponent == std::floor(exponent) ? static_cast<int>(exponent) : -1) {}

  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V Of(D d, V x) const {
    using T = hn::TFromD<D>;
    if (whole_ >= 0) {
      V product = hn::Set(d, T{1});
      for (int i = 0; i < whole_; ++i) product = hn::Mul(product, x);
      return product;
    }
    const V log = hn::Min(hn::Log(d, x), hn::Zero(d));
    const V power = ExpOfNegative(d, hn::Mul(hn::Set(d, static_cast<T>(exponent_)), log));
    return hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), power);  // Highway's logarithm of 0 is finite
  }

 private:
  double exponent_;
  int whole_;
};

/// A kernel of elements whose differences of probabilities cancel, or whose powers would lose a float's last digits:
/// At is always called with doubles.
template <class Kernel>
class InDoubles {
 public:
  explicit InDoubles(const double* numbers) : kernel_(numbers) {}

  template <class D, class V>
  HWY_INLINE Element<V> At(D d, V prediction, V target, V factor) const {
    if constexpr (sizeof(hn::TFromD<D>) == 8) {
      return kernel_.At(d, prediction, target, factor);
    } else {
      const hn::Half<D> half;
      const hn::Rebind<double, hn::Half<D>> wide;
      const auto low = kernel_.At(wide, hn::PromoteTo(wide, hn::LowerHalf(half, prediction)),
                                  hn::PromoteTo(wide, hn::LowerHalf(half, target)),
                                  hn::PromoteTo(wide, hn::LowerHalf(half, factor)));
      const auto high = kernel_.At(wide, hn::PromoteTo(wide, hn::UpperHalf(half, prediction)),
                                   hn::PromoteTo(wide, hn::UpperHalf(half, target)),
                                   hn::PromoteTo(wide, hn::UpperHalf(half, factor)));
      return {hn::Combine(d, hn::DemoteTo(half, high.loss), hn::DemoteTo(half, low.loss)),
              hn::Combine(d, hn::DemoteTo(half, high.slope), hn::DemoteTo(half, low.slope))};
    }
  }

 private:
  Kernel kernel_;
};

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

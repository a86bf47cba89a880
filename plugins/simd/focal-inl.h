// Focal kernels: cross-entropy times a power of what is missing to certainty, of a softmax and of single decisions.
#if defined(GRADELINE_PLUGINS_SIMD_FOCAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_FOCAL_INL_H_
#undef GRADELINE_PLUGINS_SIMD_FOCAL_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_FOCAL_INL_H_
#endif

#include <cmath>
#include <limits>

#include "plugins/simd/elementwise-inl.h"
#include "plugins/simd/labels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// q^gamma for q in [0, 1]; 0^0 is 1. Multiples of 1/2 up to 8 by products and a root; others in double, because a
/// power multiplies what rounding took from a logarithm.
class Modulator {
 public:
  explicit Modulator(double gamma)
      : gamma_(gamma), halves_(gamma <= 8 && 2 * gamma == std::floor(2 * gamma) ? static_cast<int>(2 * gamma) : -1) {}

  double gamma() const { return gamma_; }

  template <class D, class V>
  HWY_INLINE V Of(D d, V q) const {
    if (halves_ == 4) return hn::Mul(q, q);
    if (halves_ < 0) return Power(d, q);
    V power = halves_ % 2 == 1 ? hn::Sqrt(q) : hn::Set(d, hn::TFromD<D>{1});
    for (int i = 0; i < halves_ / 2; ++i) power = hn::Mul(power, q);
    return power;
  }

 private:
  template <class D, class V, hwy::EnableIf<sizeof(hn::TFromD<D>) == 8>* = nullptr>
  HWY_INLINE V Power(D d, V q) const {
    const V exponent = hn::Mul(hn::Set(d, gamma_), hn::Log(d, q));
    return hn::IfThenZeroElse(hn::Eq(q, hn::Zero(d)), ExpOfNegative(d, hn::Min(exponent, hn::Zero(d))));
  }
  template <class D, class V, hwy::EnableIf<sizeof(hn::TFromD<D>) == 4>* = nullptr>
  HWY_INLINE V Power(D d, V q) const {
    const hn::Half<D> half;
    const hn::Rebind<double, hn::Half<D>> wide;
    const auto low = Power(wide, hn::PromoteTo(wide, hn::LowerHalf(half, q)));
    const auto high = Power(wide, hn::PromoteTo(wide, hn::UpperHalf(half, q)));
    return hn::Combine(d, hn::DemoteTo(half, high), hn::DemoteTo(half, low));
  }

  double gamma_;
  int halves_;
};

/// Of the right class of a softmax: (1 - p)^gamma * -log p. Numbers: gamma.
class SoftmaxFocal {
 public:
  explicit SoftmaxFocal(const double* numbers) : modulator_(numbers[0]) {}

  template <class D, class V>
  HWY_INLINE LabelTerm<V> At(D d, V minus_log_p, V p, V q) const {
    using T = hn::TFromD<D>;
    const V one = hn::Set(d, T{1}), power = modulator_.Of(d, q);
    // q^gamma + gamma q^(gamma - 1) p * -log p; -log p / q goes to 1 with q.
    const V ratio = hn::IfThenElse(hn::Gt(q, hn::Zero(d)), hn::Div(minus_log_p, q), one);
    const V growth = hn::Mul(hn::Set(d, static_cast<T>(modulator_.gamma())), hn::Mul(p, ratio));
    return {hn::Mul(power, minus_log_p), hn::Mul(power, hn::Add(growth, one))};
  }

 private:
  Modulator modulator_;
};

/// Of one decision with target y in [0, 1]: a m^gamma * cross-entropy, m = p (1 - y) + (1 - p) y, a = alpha for yes and
/// 1 - alpha for no, or 1. Numbers: gamma, a of yes, a of no. `factor` multiplies both.
class DecisionFocal {
 public:
  explicit DecisionFocal(const double* numbers) : modulator_(numbers[0]), yes_(numbers[1]), no_(numbers[2]) {}

  template <class D, class V>
  HWY_INLINE V Tail(D d, V logit) const {
    return TailOf(d, logit);
  }
  template <class D, class V>
  HWY_INLINE Element<V> At(D d, V logit, V yes, V factor) const {
    return AtTail(d, logit, Tail(d, logit), yes, factor);
  }
  template <class D, class V>
  HWY_INLINE Element<V> AtTail(D d, V logit, V tail, V yes, V factor) const {
    using T = hn::TFromD<D>;
    const V one = hn::Set(d, T{1}), no = hn::Sub(one, yes);
    const Logistic<V> is = LogisticOfTail(d, logit, tail);
    const V missing = hn::MulAdd(is.yes, no, hn::Mul(is.no, yes));
    const V entropy = hn::MulAdd(yes, is.minus_log_yes, hn::Mul(no, is.minus_log_no));
    const V balance = hn::MulAdd(yes, hn::Set(d, static_cast<T>(yes_)), hn::Mul(no, hn::Set(d, static_cast<T>(no_))));
    const V weight = hn::Mul(hn::Mul(balance, factor), modulator_.Of(d, missing));
    // Of the modulator: gamma p (1 - p) (1 - 2 y) / m, at most gamma; of the entropy: p - y in two parts.
    const V spread = hn::Div(hn::Mul(is.yes, is.no), hn::Max(missing, hn::Set(d, std::numeric_limits<T>::min())));
    const V growth = hn::Mul(hn::Mul(hn::Set(d, static_cast<T>(modulator_.gamma())), spread), entropy);
    const V slope = hn::MulAdd(hn::Sub(no, yes), growth, hn::NegMulAdd(is.no, yes, hn::Mul(is.yes, no)));
    return {hn::Mul(weight, entropy), hn::Mul(weight, slope)};
  }

 private:
  Modulator modulator_;
  double yes_, no_;
};

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

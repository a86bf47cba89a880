// Exponentials, logarithms and the logistic function that kernels share. Highway code; see vector-inl.h.
#if defined(GRADELINE_PLUGINS_SIMD_EXPONENTIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_EXPONENTIAL_INL_H_
#undef GRADELINE_PLUGINS_SIMD_EXPONENTIAL_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_EXPONENTIAL_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>

#include <type_traits>

#include "plugins/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

inline constexpr float kLog2E = 1.44269504f;
inline constexpr float kRounder = 12582912.0f;       // added to a number, makes its last bits count ones
inline constexpr float kLeastExponent = -87.33654f;  // exp of it is the smallest normal number

/// Floats p times 2^n; `shifted`: a number whose last bits, as an integer, are n.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V TimesPower(D d, V p, V shifted) {
  static_assert(sizeof(hn::TFromD<D>) == 4);
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

/// exp(r) on |r| <= ln 2 / 2 to 1.1e-7, relative: a minimax polynomial (scripts/polynomials), in an order that waits
/// and rounds little.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpOfRest(D d, V r) {
  const V r2 = hn::Mul(r, r);
  V p = hn::MulAdd(r, hn::Set(d, 0.008312499f), hn::Set(d, 0.04189033f));
  p = hn::MulAdd(r2, p, hn::MulAdd(r, hn::Set(d, 0.16667116f), hn::Set(d, 0.4999923f)));
  return hn::MulAdd(r2, p, hn::Add(r, hn::Set(d, 1.0f)));
}
/// The same to 7.5e-8, times a constant of some 120 for which one number less is needed.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V MultipleOfExpOfRest(D d, V r) {
  V p = hn::MulAdd(r, hn::Add(r, hn::Set(d, 5.0515246f)), hn::Set(d, 20.08718f));
  p = hn::MulAdd(r, p, hn::Set(d, 60.256912f));
  p = hn::MulAdd(r, p, hn::Set(d, 120.51646f));
  return hn::MulAdd(r, p, hn::Set(d, 120.5165f));
}

/// Floats as n ln 2 + r, |r| <= ln 2 / 2; `shifted` as TimesPower takes it. r is off by n 1.9e-9.
template <class D, class V = hn::Vec<D>>
struct Reduced {
  V r, shifted;

  HWY_INLINE Reduced(D d, V x) : shifted(hn::MulAdd(x, hn::Set(d, kLog2E), hn::Set(d, kRounder))) {
    const V n = hn::Sub(shifted, hn::Set(d, kRounder));
#if HWY_NATIVE_FMA
    r = hn::NegMulAdd(n, hn::Set(d, 0.69314718f), x);
#else
    // In two parts, of which the first times n is exact.
    r = hn::Add(hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x), hn::Mul(n, hn::Set(d, 2.12194440e-4f)));
#endif
  }
};

/// exp(x) of floats for kLeastExponent <= x <= -kLeastExponent, below 3 ulp for |x| <= 30 and below 5 elsewhere.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpOfNormal(D d, V x) {
  const Reduced<D> of(d, x);
  return TimesPower(d, ExpOfRest(d, of.r), of.shifted);
}

/// exp(x) for x <= 0. Of floats, results below the smallest normal number are 0. What NaN gives is not said: kernels
/// look for it (FiniteCheck).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpOfNegative(D d, V x) {
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return hn::Exp(d, x);
  } else {
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, kLeastExponent)), ExpOfNormal(d, x));
  }
}

/// exp(x + lost) for x <= 0 and lost within the rounding of x; where x is infinite `lost` is not looked at.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpOfSum(D d, V x, V lost) {
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return hn::Exp(d, x);  // what rounding took from x is below what doubles promise
  } else {
    const V e = ExpOfNormal(d, x);
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, kLeastExponent)), hn::MulAdd(e, lost, e));
  }
}

/// exp(x - top) for x <= top, as ExpOfSum although the difference is rounded.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpOfDifference(D d, V x, V top) {
  const V difference = hn::Sub(x, top);
  return ExpOfSum(d, difference, LostInDifference(x, top, difference));
}

/// What -log p of an item's right class is made of: below + log(all exponentials / unit).
template <class V>
struct LogBase {
  V below, unit;
};

/// Exponentials of numbers up to `top`, lane by lane: of x it is exp(x - top), as ExpOfDifference. Equal differences
/// give equal exponentials.
template <class D>
class ExponentialsOfDifferences {
  using V = hn::Vec<D>;

 public:
  static constexpr bool kTakesNear = false;

  HWY_INLINE ExponentialsOfDifferences(D d, V top, V /*reach*/) : d_(d), top_(top) {}
  HWY_INLINE V Of(V x) const { return ExpOfDifference(d_, x, top_); }
  HWY_INLINE LogBase<V> BaseOf(V x) const { return {hn::Sub(top_, x), hn::Set(d_, hn::TFromD<D>{1})}; }

 private:
  D d_;
  V top_;
};

/// Tops of ScaledExponentials are below this, of either sign.
inline constexpr float kMostTop = 65536.0f;

/// Numbers below this, of either sign, need no top: floats hold the sum of as many of their exponentials as
/// kMostNearClasses, and its quotient by any of them.
inline constexpr float kNear = 40.0f;
inline constexpr int64_t kMostNearClasses = 4096;

/// The exponential of near floats, below 3 ulp, times the constant of MultipleOfExpOfRest.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V NearExponential(D d, V x) {
  const Reduced<D> of(d, x);
  return TimesPower(d, MultipleOfExpOfRest(d, of.r), of.shifted);
}

/// Sees whether all numbers are near, by the sum of their squares: one multiply-add for each. NaN is not near. The more
/// it sees, the more it asks for: of 8 numbers a lane, that their mean square is below 200.
template <class D>
class NearCheck {
  using V = hn::Vec<D>;

 public:
  explicit NearCheck(D d) : squares_(hn::Zero(d)) {}
#if defined(GRADELINE_NO_FINITE_CHECK)
  HWY_INLINE void See(V) {}
#else
  HWY_INLINE void See(V x) { squares_ = hn::MulAdd(x, x, squares_); }
#endif
  HWY_INLINE bool Holds() const { return hn::AllTrue(D(), hn::Lt(squares_, hn::Set(D(), kNear * kNear))); }

 private:
  V squares_;
};

#if HWY_NATIVE_FMA
/// As ExponentialsOfDifferences, of floats with fewer operations, |top| < kMostTop, in a unit of each lane, below 3
/// ulp, and 0 where exp(x - top) is below the smallest normal number. Where `reach`, the largest |x|, is near, it is
/// NearExponential(x). Elsewhere the unit is some 120 * 2^-m exp(top), m an integer, so that there is no difference to
/// round: x - n ln 2 is exact.
template <class D>
class ScaledExponentials {
  using V = hn::Vec<D>;

 public:
  static constexpr bool kTakesNear = true;

  HWY_INLINE ScaledExponentials(D d, V top, V reach) : d_(d), top_(top), near_(hn::Lt(reach, hn::Set(d, kNear))) {
    // So that 2^-m exp(top) is between 2 and 6: the least exponential is then normal, whichever way n was rounded.
    const V rounder = hn::Set(d, kRounder);
    const V m = hn::Sub(hn::MulAdd(top_, hn::Set(d, kLog2E), hn::Set(d, kRounder - 2)), rounder);
    rounder_ = hn::Sub(rounder, hn::IfThenZeroElse(near_, m));
    lost_ = hn::IfThenZeroElse(near_, hn::Set(d, -1.9046543e-9f));
    least_ = hn::Add(top_, hn::Set(d, kLeastExponent));
  }
  HWY_INLINE V Of(V x) const {
    const V shifted = hn::MulAdd(x, hn::Set(d_, kLog2E), rounder_), n = hn::Sub(shifted, rounder_);
    const V r = hn::NegMulAdd(n, lost_, hn::NegMulAdd(n, hn::Set(d_, 0.69314718f), x));
    return hn::IfThenZeroElse(hn::Lt(x, least_), TimesPower(d_, MultipleOfExpOfRest(d_, r), shifted));
  }
  HWY_INLINE LogBase<V> BaseOf(V x) const {
    return {hn::IfThenZeroElse(near_, hn::Sub(top_, x)), Of(hn::IfThenElse(near_, x, top_))};
  }

 private:
  D d_;
  V top_;
  hn::Mask<D> near_;
  V rounder_, lost_, least_;
};

template <class D>
using ExponentialsBelow =
    std::conditional_t<sizeof(hn::TFromD<D>) == 4, ScaledExponentials<D>, ExponentialsOfDifferences<D>>;
#else
template <class D>
using ExponentialsBelow = ExponentialsOfDifferences<D>;
#endif

/// log(1 + x) for 0 <= x <= 1.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V LogOnePlusFraction(D d, V x) {
  using T = hn::TFromD<D>;
  if constexpr (sizeof(T) == 8) {
    return hn::Log1p(d, x);
  } else {
    // A minimax polynomial for log(1 + x) / x to 4e-8, relative (scripts/polynomials), in an order that waits little.
    const V x2 = hn::Mul(x, x), x4 = hn::Mul(x2, x2);
    const V a = hn::MulAdd(x, hn::Set(d, T(0.3332132)), hn::Set(d, T(-0.49999648)));
    const V b = hn::MulAdd(x, hn::Set(d, T(0.19153608)), hn::Set(d, T(-0.2485715)));
    const V c = hn::MulAdd(x, hn::Set(d, T(0.07920352)), hn::Set(d, T(-0.1375371)));
    const V e = hn::MulAdd(x, hn::Set(d, T(0.0053646844)), hn::Set(d, T(-0.030065207)));
    const V low = hn::MulAdd(x2, b, a), high = hn::MulAdd(x2, e, c);
    return hn::MulAdd(x2, hn::MulAdd(x4, high, low), x);
  }
}

/// log(1 + x) for finite x >= 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V LogOnePlus(D d, V x) {
  using T = hn::TFromD<D>;
  if constexpr (sizeof(T) == 8) {
    return hn::Log1p(d, x);
  } else {
    // 1 + x as 2^k (1 + f); below 1 f is x with all its digits.
    const hn::RebindToSigned<D> di;
    const V one = hn::Set(d, T{1});
    const auto large = hn::Ge(x, one);
    const auto bits = hn::BitCast(di, hn::Add(x, one));
    const auto exponent = hn::Sub(hn::ShiftRight<23>(bits), hn::Set(di, 127));
    const auto mantissa = hn::Or(hn::And(bits, hn::Set(di, 0x7fffff)), hn::BitCast(di, one));
    const V f = hn::IfThenElse(large, hn::Sub(hn::BitCast(d, mantissa), one), x);
    const V k = hn::IfThenElseZero(large, hn::ConvertTo(d, exponent));
    return hn::MulAdd(k, hn::Set(d, T(0.69314718)), LogOnePlusFraction(d, f));
  }
}

/// Adds up log(1 + x), lane by lane, as the logarithm of a product: one logarithm for many numbers.
template <class D, class V = hn::Vec<D>>
class LogOfProduct {
 public:
  static constexpr int64_t kFactors = 64;  ///< of which each is at most 2: far from what a float holds

  explicit LogOfProduct(D d) : product_(hn::Zero(d)) {}
  /// 0 <= x <= 1.
  HWY_INLINE void Multiply(V x) {
    product_ = hn::MulAdd(x, hn::Add(product_, hn::Set(D(), hn::TFromD<D>{1})), product_);
  }
  HWY_INLINE void Multiply(const LogOfProduct& other) { Multiply(other.product_); }
  HWY_INLINE V Log() const { return LogOnePlus(D(), product_); }

 private:
  V product_;  // less 1: small x keep their digits
};

/// What a logit z says of yes and no, each without cancellation at either end.
template <class V>
struct Logistic {
  V yes, no;                      ///< sigmoid(z), sigmoid(-z)
  V minus_log_yes, minus_log_no;  ///< softplus(-z), softplus(z)
};

/// Of z; `tail`: exp(-|z|).
template <class D, class V = hn::Vec<D>>
HWY_INLINE Logistic<V> LogisticOfTail(D d, V z, V tail) {
  const V zero = hn::Zero(d), one = hn::Set(d, hn::TFromD<D>{1});
  const auto positive = hn::Ge(z, zero);
  const V rest = LogOnePlusFraction(d, tail);
  const V near = hn::Div(one, hn::Add(one, tail)), far = hn::Mul(tail, near);
  return {hn::IfThenElse(positive, near, far), hn::IfThenElse(positive, far, near), hn::Sub(rest, hn::Min(z, zero)),
          hn::Add(rest, hn::Max(z, zero))};
}

/// exp(-|z|).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V TailOf(D d, V z) {
  return ExpOfNegative(d, hn::Or(z, hn::SignBit(d)));
}
/// The same of z + lost, lost within the rounding of z.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V TailOf(D d, V z, V lost) {
  const V sign_bit = hn::SignBit(d);
  return ExpOfSum(d, hn::Or(z, sign_bit), hn::Xor(lost, hn::AndNot(z, sign_bit)));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE Logistic<V> LogisticOf(D d, V z) {
  return LogisticOfTail(d, z, TailOf(d, z));
}

/// Of a - b, although the difference is rounded.
template <class D, class V = hn::Vec<D>>
HWY_INLINE Logistic<V> LogisticOfDifference(D d, V a, V b) {
  const V difference = hn::Sub(a, b);
  return LogisticOfTail(d, difference, TailOf(d, difference, LostInDifference(a, b, difference)));
}

/// A loss with a logarithm apart: it is `loss` + log(1 + odds), 0 <= odds <= 1.
template <class V>
struct LogElement {
  V loss, slope, odds;
};

/// Cross-entropy of a yes/no decision and its derivative by the logit z. `tail`: exp(-|z|); `target`: the probability
/// of yes.
template <class D, class V = hn::Vec<D>>
HWY_INLINE LogElement<V> CostOfDecision(D d, V z, V tail, V target) {
  const hn::RebindToSigned<D> di;
  const V one = hn::Set(d, hn::TFromD<D>{1}), sign = hn::And(z, hn::SignBit(d));
  const V far = hn::Div(tail, hn::Add(one, tail));
  // What the sign answers, 0 or 1, less what is true: never of the other sign than z.
  const V wrong = hn::Sub(hn::AndNot(hn::BitCast(d, hn::BroadcastSignBit(hn::BitCast(di, z))), one), target);
  return {hn::Mul(z, wrong), hn::Sub(wrong, hn::Xor(far, sign)), tail};
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

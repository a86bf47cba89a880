// Vector arithmetic that kernels share: sums in double, exponentials of differences, streaming stores, finite checks.
// Highway code: included once per target, between nothing; see the losses for how. Every function is for float and
// double.
#if defined(GRADELINE_PLUGINS_SIMD_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_VECTOR_INL_H_
#undef GRADELINE_PLUGINS_SIMD_VECTOR_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_VECTOR_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Adds vectors into doubles, lane by lane; Total adds the lanes in their order. No float sums: no digit is lost.
template <class D, class T = hn::TFromD<D>>
class SumOf;

template <class D>
class SumOf<D, double> {
 public:
  explicit SumOf(D d) : sum_(hn::Zero(d)) {}
  HWY_INLINE void Add(hn::Vec<D> v) { sum_ = hn::Add(sum_, v); }
  HWY_INLINE void Add(const SumOf& other) { sum_ = hn::Add(sum_, other.sum_); }
  HWY_INLINE double Total() const { return hn::GetLane(hn::SumOfLanes(D(), sum_)); }

 private:
  hn::Vec<D> sum_;
};

template <class D>
class SumOf<D, float> {
 public:
  explicit SumOf(D) : low_(hn::Zero(DD())), high_(hn::Zero(DD())) {}
  HWY_INLINE void Add(hn::Vec<D> v) {
    const hn::Half<D> half;
    low_ = hn::Add(low_, hn::PromoteTo(DD(), hn::LowerHalf(half, v)));
    high_ = hn::Add(high_, hn::PromoteTo(DD(), hn::UpperHalf(half, v)));
  }
  HWY_INLINE void Add(const SumOf& other) {
    low_ = hn::Add(low_, other.low_);
    high_ = hn::Add(high_, other.high_);
  }
  HWY_INLINE double Total() const { return hn::GetLane(hn::SumOfLanes(DD(), hn::Add(low_, high_))); }

 private:
  using DD = hn::Rebind<double, hn::Half<D>>;
  hn::Vec<DD> low_, high_;
};

/// exp(r) 2^n on |r| <= ln 2 / 2 to 1.1e-7, relative; `shifted`: a number whose last bits, as an integer, are n. A
/// minimax polynomial (scripts/polynomials), in an order that waits little.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ScaledExp(D d, V r, V shifted) {
  static_assert(sizeof(hn::TFromD<D>) == 4);
  const hn::RebindToSigned<D> di;
  const V r2 = hn::Mul(r, r);
  V p = hn::MulAdd(r, hn::Set(d, 0.008312499f), hn::Set(d, 0.04189033f));
  p = hn::MulAdd(r2, p, hn::MulAdd(r, hn::Set(d, 0.16667116f), hn::Set(d, 0.4999923f)));
  p = hn::MulAdd(r2, p, hn::Add(r, hn::Set(d, 1.0f)));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

inline constexpr float kLog2E = 1.44269504f;
inline constexpr float kRounder = 12582912.0f;       // added to a number, makes its last bits count ones
inline constexpr float kLeastExponent = -87.33654f;  // exp of it is the smallest normal number

/// exp(x) of floats for kLeastExponent <= x <= 0, below 3 ulp from -30 on and below 5 elsewhere.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpOfNormal(D d, V x) {
  const V shifted = hn::MulAdd(x, hn::Set(d, kLog2E), hn::Set(d, kRounder));
  const V n = hn::Sub(shifted, hn::Set(d, kRounder));
#if HWY_NATIVE_FMA
  // r = x - n ln 2, off by n 1.9e-9: what a float of ln 2 lacks.
  const V r = hn::NegMulAdd(n, hn::Set(d, 0.69314718f), x);
#else
  // The same in two parts, of which the first times n is exact.
  const V r = hn::Add(hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x), hn::Mul(n, hn::Set(d, 2.12194440e-4f)));
#endif
  return ScaledExp(d, r, shifted);
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

/// What rounding took from difference = a - b, exactly (Knuth's two-sum).
template <class V>
HWY_INLINE V LostInDifference(V a, V b, V difference) {
  const V back = hn::Sub(difference, a);
  return hn::Sub(hn::Sub(a, hn::Sub(difference, back)), hn::Add(b, back));
}

/// A sum lane by lane in the numbers' own type, and what rounding took from it.
template <class D, class V = hn::Vec<D>>
struct CompensatedSum {
  V sum, lost;

  explicit CompensatedSum(D d) : sum(hn::Zero(d)), lost(hn::Zero(d)) {}
  HWY_INLINE void Add(V v) {
    const V before = sum;
    sum = hn::Add(before, v);
    lost = hn::Add(lost, LostInDifference(before, hn::Neg(v), sum));
  }
};

/// exp(x - top) for x <= top, as ExpOfSum although the difference is rounded.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpOfDifference(D d, V x, V top) {
  const V difference = hn::Sub(x, top);
  return ExpOfSum(d, difference, LostInDifference(x, top, difference));
}

/// Exponentials of numbers up to `top`, lane by lane: of x it is exp(x - top), as ExpOfDifference. Equal differences
/// give equal exponentials.
template <class D>
class ExponentialsOfDifferences {
  using V = hn::Vec<D>;

 public:
  HWY_INLINE ExponentialsOfDifferences(D d, V top) : d_(d), top_(top) {}
  HWY_INLINE V Of(V x) const { return ExpOfDifference(d_, x, top_); }
  HWY_INLINE V Unit() const { return hn::Set(d_, hn::TFromD<D>{1}); }

 private:
  D d_;
  V top_;
};

/// Tops of ScaledExponentials are below this, of either sign.
inline constexpr float kNear = 65536.0f;

#if HWY_NATIVE_FMA
/// The same of floats with fewer operations, |top| < kNear: exp(x - top) * Unit(), below 3 ulp, and 0 where exp(x -
/// top) is below the smallest normal number. With a unit of 2^-m exp(top), m an integer, there is no difference to
/// round: x - n ln 2 is exact.
template <class D>
class ScaledExponentials {
  using V = hn::Vec<D>;

 public:
  HWY_INLINE ScaledExponentials(D d, V top) : d_(d), top_(top) {
    // So that the unit is between 2 and 6: the least exponential is then a normal number, whichever way n was rounded.
    const V rounder = hn::Set(d, kRounder);
    const V m = hn::Sub(hn::MulAdd(top_, hn::Set(d, kLog2E), hn::Set(d, kRounder - 2)), rounder);
    rounder_ = hn::Sub(rounder, m);
    least_ = hn::Add(top_, hn::Set(d, kLeastExponent));
  }
  HWY_INLINE V Of(V x) const {
    const V shifted = hn::MulAdd(x, hn::Set(d_, kLog2E), rounder_), n = hn::Sub(shifted, rounder_);
    const V r = hn::NegMulAdd(n, hn::Set(d_, -1.9046543e-9f), hn::NegMulAdd(n, hn::Set(d_, 0.6931472f), x));
    return hn::IfThenZeroElse(hn::Lt(x, least_), ScaledExp(d_, r, shifted));
  }
  HWY_INLINE V Unit() const { return Of(top_); }

 private:
  D d_;
  V top_, rounder_, least_;
};

template <class D>
using ExponentialsBelow =
    std::conditional_t<sizeof(hn::TFromD<D>) == 4, ScaledExponentials<D>, ExponentialsOfDifferences<D>>;
#else
template <class D>
using ExponentialsBelow = ExponentialsOfDifferences<D>;
#endif

/// log(1 + x) for x >= 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V LogOnePlus(D d, V x) {
  return hn::Log1p(d, x);
}

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

/// Sees whether any value was NaN or infinite, at the price of one multiply-add: 0 * x is 0 for all others. A benchmark
/// defines GRADELINE_NO_FINITE_CHECK to find out that price.
template <class D>
class FiniteCheck {
 public:
  explicit FiniteCheck(D d) : sum_(hn::Zero(d)) {}
#if defined(GRADELINE_NO_FINITE_CHECK)
  HWY_INLINE void See(hn::Vec<D>) {}
  HWY_INLINE void SeeProduct(hn::Vec<D>) {}
#else
  HWY_INLINE void See(hn::Vec<D> v) { sum_ = hn::MulAdd(v, hn::Zero(D()), sum_); }
  /// Of values that are multiplied by 0 already.
  HWY_INLINE void SeeProduct(hn::Vec<D> v) { sum_ = hn::Add(sum_, v); }
#endif
  HWY_INLINE void See(const FiniteCheck& other) { sum_ = hn::Add(sum_, other.sum_); }
  HWY_INLINE bool Failed() const { return !hn::AllTrue(D(), hn::Eq(sum_, hn::Zero(D()))); }

 private:
  hn::Vec<D> sum_;
};

/// Reads a vector of values or labels from anywhere.
template <class D>
struct LoadWhole {
  D d;
  HWY_INLINE hn::Vec<D> operator()(const hn::TFromD<D>* from) const { return hn::LoadU(d, from); }
  HWY_INLINE hn::Vec<D> Labels(const int32_t* from) const {
    const auto labels = hn::LoadU(hn::Rebind<int32_t, D>(), from);
    if constexpr (sizeof(hn::TFromD<D>) == 4) {
      return hn::ConvertTo(d, labels);
    } else {
      return hn::PromoteTo(d, labels);
    }
  }
  HWY_INLINE hn::Mask<D> Inside() const { return hn::Eq(hn::Zero(d), hn::Zero(d)); }
};

/// Reads the first `n` values or labels of a vector; the others are 0.
template <class D>
struct LoadEnd {
  D d;
  int64_t n;
  HWY_INLINE hn::Vec<D> operator()(const hn::TFromD<D>* from) const {
    HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(D())] = {};
    std::copy(from, from + n, lanes);
    return hn::Load(d, lanes);
  }
  HWY_INLINE hn::Vec<D> Labels(const int32_t* from) const {
    HWY_ALIGN int32_t lanes[hn::MaxLanes(D())] = {};
    std::copy(from, from + n, lanes);
    return LoadWhole<D>{d}.Labels(lanes);
  }
  HWY_INLINE hn::Mask<D> Inside() const { return hn::FirstN(d, static_cast<size_t>(n)); }
};

/// Stores a vector, as it is or as doubles.
template <class D>
struct StoreWhole {
  D d;
  bool aligned, stream;
  HWY_INLINE void operator()(hn::Vec<D> v, hn::TFromD<D>* to) const {
    if (stream) {
      hn::Stream(v, d, to);
    } else if (aligned) {
      hn::Store(v, d, to);
    } else {
      hn::StoreU(v, d, to);
    }
  }
  HWY_INLINE void Doubles(hn::Vec<D> v, double* to) const {
    if constexpr (sizeof(hn::TFromD<D>) == 8) {
      hn::StoreU(v, d, to);
    } else {
      const hn::Half<D> half;
      const hn::Rebind<double, hn::Half<D>> wide;
      hn::StoreU(hn::PromoteTo(wide, hn::LowerHalf(half, v)), wide, to);
      hn::StoreU(hn::PromoteTo(wide, hn::UpperHalf(half, v)), wide, to + hn::Lanes(half));
    }
  }
};

/// Stores the first `n` values of a vector.
template <class D>
struct StoreEnd {
  D d;
  int64_t n;
  template <typename To>
  HWY_INLINE void operator()(hn::Vec<D> v, To* to) const {
    HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(D())];
    hn::Store(v, d, lanes);
    std::copy(lanes, lanes + n, to);
  }
  HWY_INLINE void Doubles(hn::Vec<D> v, double* to) const { (*this)(v, to); }
};

/// Stores a vector as doubles, or of it what is still wanted: `left` values.
template <class D>
HWY_INLINE void StoreItems(D d, hn::Vec<D> v, int64_t left, double* to) {
  if (left >= static_cast<int64_t>(hn::Lanes(d))) {
    StoreWhole<D>{d, false, false}.Doubles(v, to);
  } else {
    StoreEnd<D>{d, left}.Doubles(v, to);
  }
}

/// Elements before the next multiple of the vector's size, at most `n`.
template <class D>
HWY_INLINE int64_t Ragged(D d, const hn::TFromD<D>* at, int64_t n) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(at) / sizeof(*at)) & (lanes - 1);
  return std::min(n, (lanes - past) & (lanes - 1));
}

/// Copies a run to memory that may begin anywhere.
template <class D>
HWY_INLINE void CopyRun(D d, const hn::TFromD<D>* from, int64_t n, hn::TFromD<D>* to, bool stream) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (const int64_t head = Ragged(d, to, n); i < head; ++i) to[i] = from[i];
  for (; i + lanes <= n; i += lanes) StoreWhole<D>{d, true, stream}(hn::LoadU(d, from + i), to + i);
  for (; i < n; ++i) to[i] = from[i];
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

// The vector loop of losses whose items are pairs of boxes, and the geometry of overlaps. All arithmetic is in double,
// also for float boxes: areas of small boxes far from the origin keep their digits.
#if defined(GRADELINE_PLUGINS_SIMD_BOXES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_BOXES_INL_H_
#undef GRADELINE_PLUGINS_SIMD_BOXES_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_BOXES_INL_H_
#endif

#include <cfloat>

#include "plugins/simd/boxes.h"
#include "plugins/simd/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

using BoxD = hn::ScalableTag<double>;
using BoxV = hn::Vec<BoxD>;

/// The four numbers of a vector of boxes.
struct BoxNumbers {
  BoxV n0, n1, n2, n3;
};

/// Loss of a vector of pairs, unweighted, and its derivatives by the numbers of the prediction.
struct BoxTerm {
  BoxV loss, least_side;  ///< least_side: the smallest side of the two boxes, 0 if the loss does not care
  BoxNumbers slope;
};

/// Prediction and target along one axis. Low and high edges: x1 and x2 of each.
struct BoxAxis {
  BoxV side, target_side;
  BoxV shared;             ///< length of what both cover; below 0 it is minus the gap
  BoxV only, target_only;  ///< what one covers and the other does not: side - shared, target_side - shared
  BoxV hull;               ///< what encloses both
  BoxV offset;             ///< centre of the prediction less that of the target
  BoxV low, high;  ///< 1 where the prediction's low (high) edge bounds `shared`, 0 where it bounds `hull`, ties 1/2
};

HWY_INLINE BoxV BoundsShared(BoxD d, BoxV inside) {
  const BoxV zero = hn::Zero(d), one = hn::Set(d, 1.0), half = hn::Set(d, 0.5);
  return hn::IfThenElse(hn::Gt(inside, zero), one, hn::IfThenElseZero(hn::Eq(inside, zero), half));
}

/// Edges count from an origin of each pair's own: no digit of a small box is lost to its place.
HWY_INLINE BoxAxis AxisOf(BoxD d, simd::BoxFormat format, BoxV first, BoxV second, BoxV target_first,
                          BoxV target_second) {
  BoxAxis axis;
  BoxV low = first, high = second, target_low = target_first, target_high = target_second;
  axis.side = second;
  axis.target_side = target_second;
  if (format == simd::BoxFormat::kXyxy) {
    axis.side = hn::Sub(high, low);
    axis.target_side = hn::Sub(target_high, target_low);
  } else {
    const BoxV before = hn::Set(d, format == simd::BoxFormat::kXywh ? 0.0 : 0.5);
    const BoxV place = hn::Sub(target_first, first);
    low = hn::Neg(hn::Mul(before, second));
    high = hn::Add(low, second);
    target_low = hn::NegMulAdd(before, target_second, place);
    target_high = hn::Add(target_low, target_second);
  }
  const BoxV zero = hn::Zero(d), from_low = hn::Sub(low, target_low), to_high = hn::Sub(target_high, high);
  axis.shared = hn::Sub(hn::Min(high, target_high), hn::Max(low, target_low));
  axis.only = hn::Sub(zero, hn::Add(hn::Min(from_low, zero), hn::Min(to_high, zero)));
  axis.target_only = hn::Add(hn::Max(from_low, zero), hn::Max(to_high, zero));
  axis.hull = hn::Sub(hn::Max(high, target_high), hn::Min(low, target_low));
  axis.offset = hn::Mul(hn::Sub(from_low, to_high), hn::Set(d, 0.5));
  axis.low = BoundsShared(d, from_low);
  axis.high = BoundsShared(d, to_high);
  return axis;
}

/// 1 / v, or 0 for v too small to have one.
HWY_INLINE BoxV Inverse(BoxD d, BoxV v) {
  const auto good = hn::Ge(v, hn::Set(d, DBL_MIN));
  return hn::IfThenElseZero(good, hn::Div(hn::Set(d, 1.0), v));
}

/// What two boxes have in common. Areas that are small differences of large ones are sums of what lies outside instead:
/// nothing cancels, and equal boxes have exactly overlap 1.
struct BoxOverlap {
  BoxAxis x, y;
  BoxV inner_x, inner_y;           ///< sides of the intersection; 0 if there is none
  BoxV shared, unshared, covered;  ///< areas: of the intersection, of the union without it, of the union
  BoxV empty;                      ///< area of the enclosing box that neither covers
  BoxV iou, miss;                  ///< shared / (covered + eps), and 1 - that
  BoxV inverse;                    ///< 1 / (covered + eps)

  /// Derivative of iou by an edge that moves outwards (`bounds`: what the axis says of it). Across, the other axis has
  /// `inner` of the intersection and `only` of the prediction alone. Of equal boxes nothing but `miss` is left.
  HWY_INLINE BoxV IouSlope(BoxD d, BoxV bounds, BoxV inner, BoxV only) const {
    const BoxV sign = hn::Sub(hn::Add(bounds, bounds), hn::Set(d, 1.0));
    const BoxV share = hn::MulAdd(bounds, miss, hn::Mul(sign, iou));
    return hn::Mul(hn::NegMulAdd(iou, only, hn::Mul(inner, share)), inverse);
  }
};

HWY_INLINE BoxOverlap OverlapOf(BoxD d, simd::BoxFormat format, const BoxNumbers& prediction, const BoxNumbers& target,
                                double eps) {
  BoxOverlap is;
  const BoxAxis x = AxisOf(d, format, prediction.n0, prediction.n2, target.n0, target.n2);
  const BoxAxis y = AxisOf(d, format, prediction.n1, prediction.n3, target.n1, target.n3);
  const BoxV zero = hn::Zero(d), more = hn::Set(d, eps);
  const auto meet = hn::And(hn::Gt(x.shared, zero), hn::Gt(y.shared, zero));
  is.inner_x = hn::IfThenElseZero(meet, x.shared);
  is.inner_y = hn::IfThenElseZero(meet, y.shared);
  is.shared = hn::Mul(is.inner_x, is.inner_y);
  const BoxV mine = hn::MulAdd(x.only, y.side, hn::Mul(is.inner_x, y.only));
  const BoxV theirs = hn::MulAdd(x.target_only, y.target_side, hn::Mul(is.inner_x, y.target_only));
  const BoxV both = hn::MulAdd(x.side, y.side, hn::Mul(x.target_side, y.target_side));
  is.unshared = hn::IfThenElse(meet, hn::Add(mine, theirs), both);
  is.covered = hn::Add(is.shared, is.unshared);
  const BoxV corners = hn::MulAdd(x.only, y.target_only, hn::Mul(x.target_only, y.only));
  is.empty = hn::IfThenElse(meet, corners, hn::NegMulAdd(x.shared, y.shared, corners));
  const BoxV divisor = hn::Add(is.covered, more);
  is.inverse = Inverse(d, divisor);
  const auto none = hn::Eq(is.inverse, zero);
  is.iou = hn::IfThenZeroElse(none, hn::Div(is.shared, divisor));
  is.miss = hn::IfThenElse(none, hn::Set(d, 1.0), hn::Mul(hn::Add(is.unshared, more), is.inverse));
  is.x = x;
  is.y = y;
  return is;
}

/// Derivatives by the numbers of a box from those by its edges.
HWY_INLINE void SlopesOf(BoxD d, simd::BoxFormat format, BoxV low, BoxV high, BoxV& first, BoxV& second) {
  if (format == simd::BoxFormat::kXyxy) {
    first = low;
    second = high;
    return;
  }
  first = hn::Add(low, high);
  second = format == simd::BoxFormat::kXywh ? high : hn::Mul(hn::Sub(high, low), hn::Set(d, 0.5));
}

HWY_INLINE BoxV LeastSide(const BoxOverlap& is) {
  return hn::Min(hn::Min(is.x.side, is.y.side), hn::Min(is.x.target_side, is.y.target_side));
}

template <typename T>
HWY_INLINE BoxNumbers LoadBoxes(BoxD d, const T* from) {
  const hn::Rebind<T, BoxD> dt;
  hn::Vec<decltype(dt)> n0, n1, n2, n3;
  hn::LoadInterleaved4(dt, from, n0, n1, n2, n3);
  if constexpr (sizeof(T) == sizeof(double)) {
    return {n0, n1, n2, n3};
  } else {
    return {hn::PromoteTo(d, n0), hn::PromoteTo(d, n1), hn::PromoteTo(d, n2), hn::PromoteTo(d, n3)};
  }
}

template <typename T>
HWY_INLINE void StoreBoxes(const BoxNumbers& v, bool stream, T* to) {
  const hn::Rebind<T, BoxD> dt;
  HWY_ALIGN T lanes[4 * hn::MaxLanes(BoxD())];
  T* const near = stream ? lanes : to;
  if constexpr (sizeof(T) == sizeof(double)) {
    hn::StoreInterleaved4(v.n0, v.n1, v.n2, v.n3, dt, near);
  } else {
    hn::StoreInterleaved4(hn::DemoteTo(dt, v.n0), hn::DemoteTo(dt, v.n1), hn::DemoteTo(dt, v.n2),
                          hn::DemoteTo(dt, v.n3), dt, near);
  }
  for (size_t i = 0; stream && i < 4 * hn::Lanes(dt); i += hn::Lanes(dt)) {
    hn::Stream(hn::Load(dt, lanes + i), dt, to + i);
  }
}

template <typename T>
HWY_INLINE BoxV LoadWeights(BoxD d, const T* from) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return hn::LoadU(d, from);
  } else {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, BoxD>(), from));
  }
}

/// Sums and checks of a run while it is computed.
class BoxTotals {
 public:
  explicit BoxTotals(BoxD d) : finite_(d), least_(hn::Zero(d)) {}

  /// One vector of pairs; `weight` is 1, or 0 for lanes without a box.
  template <class Kernel, typename T>
  HWY_INLINE void Step(BoxD d, const Kernel& kernel, const simd::BoxRun<T>& run, BoxV weight, SumOf<BoxD>& numerator,
                       SumOf<BoxD>& denominator) {
    if (run.weights != nullptr) {
      const BoxV given = LoadWeights(d, run.weights);
      finite_.See(given);
      weight = hn::Mul(weight, given);
    }
    denominator.Add(weight);
    if (run.prediction == nullptr) return;
    const BoxNumbers prediction = LoadBoxes(d, run.prediction), target = LoadBoxes(d, run.target);
    See(prediction);
    See(target);
    const BoxTerm term = kernel.At(d, prediction, target);
    least_ = hn::Min(least_, term.least_side);
    const auto counts = hn::Ne(weight, hn::Zero(d));
    const BoxV loss = hn::IfThenElseZero(counts, hn::Mul(term.loss, weight));
    numerator.Add(loss);
    if (run.item_loss != nullptr) hn::StoreU(loss, d, run.item_loss);
    if (run.gradient == nullptr) return;
    const BoxV factor = hn::Mul(weight, hn::Set(d, run.scale));
    const auto scaled = [&](BoxV slope) HWY_ATTR { return hn::IfThenElseZero(counts, hn::Mul(slope, factor)); };
    const BoxNumbers& slope = term.slope;
    StoreBoxes({scaled(slope.n0), scaled(slope.n1), scaled(slope.n2), scaled(slope.n3)}, run.stream, run.gradient);
  }

  bool finite() const { return !finite_.Failed(); }
  bool ordered() const { return hn::AllTrue(BoxD(), hn::Ge(least_, hn::Zero(BoxD()))); }

 private:
  HWY_INLINE void See(const BoxNumbers& box) {
    finite_.See(box.n0);
    finite_.See(box.n1);
    finite_.See(box.n2);
    finite_.See(box.n3);
  }

  FiniteCheck<BoxD> finite_;
  BoxV least_;
};

/// `count` boxes of a run, from box `begin` on.
template <typename T>
HWY_INLINE simd::BoxRun<T> PartOf(const simd::BoxRun<T>& run, int64_t begin, int64_t count) {
  const auto at = [&](auto* column, int64_t width) { return column == nullptr ? nullptr : column + width * begin; };
  return {at(run.prediction, 4),
          at(run.target, 4),
          at(run.weights, 1),
          at(run.gradient, 4),
          at(run.item_loss, 1),
          run.scale,
          count,
          run.stream};
}

/// The last boxes of a run, fewer than lanes, in memory that holds a whole vector of them.
template <class Kernel, typename T>
HWY_INLINE void StepEnd(BoxD d, const Kernel& kernel, const simd::BoxRun<T>& run, BoxTotals& totals,
                        SumOf<BoxD>& numerator, SumOf<BoxD>& denominator) {
  constexpr size_t kMost = hn::MaxLanes(BoxD());
  T prediction[4 * kMost] = {}, target[4 * kMost] = {}, weights[kMost] = {}, gradient[4 * kMost];
  double item_loss[kMost];
  const auto copy = [&](const T* from, int64_t width, T* to) -> const T* {
    if (from != nullptr) std::copy(from, from + width * run.n, to);
    return from == nullptr ? nullptr : to;
  };
  const simd::BoxRun<T> whole{copy(run.prediction, 4, prediction),
                              copy(run.target, 4, target),
                              copy(run.weights, 1, weights),
                              run.gradient == nullptr ? nullptr : gradient,
                              run.item_loss == nullptr ? nullptr : item_loss,
                              run.scale,
                              run.n,
                              false};
  const BoxV weight = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(run.n)), hn::Set(d, 1.0));
  totals.Step(d, kernel, whole, weight, numerator, denominator);
  if (run.gradient != nullptr) std::copy(gradient, gradient + 4 * run.n, run.gradient);
  if (run.item_loss != nullptr) std::copy(item_loss, item_loss + run.n, run.item_loss);
}

/// Runs `kernel.At(d, prediction, target)`, which gives a BoxTerm, over all boxes. Those of weight 0 count nothing.
template <class Kernel, typename T>
HWY_INLINE simd::BoxSums RunBoxes(const Kernel& kernel, simd::BoxRun<T> run) {
  const BoxD d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const BoxV one = hn::Set(d, 1.0);
  run.stream = run.stream && reinterpret_cast<uintptr_t>(run.gradient) % (sizeof(T) * hn::Lanes(d)) == 0;
  BoxTotals totals(d);
  simd::BoxSums sums;
  for (int64_t begin = 0; begin < run.n; begin += simd::kBoxBlock) {
    const int64_t end = std::min(run.n, begin + simd::kBoxBlock);
    SumOf<BoxD> numerator(d), denominator(d);
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes) {
      totals.Step(d, kernel, PartOf(run, i, lanes), one, numerator, denominator);
    }
    if (i < end) StepEnd(d, kernel, PartOf(run, i, end - i), totals, numerator, denominator);
    sums.numerator += numerator.Total();
    sums.denominator += denominator.Total();
  }
  if (run.stream) hwy::FlushStream();
  sums.finite = totals.finite();
  sums.ordered = totals.ordered();
  return sums;
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

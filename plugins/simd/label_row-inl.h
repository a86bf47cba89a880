// Losses of one right class out of C, over long rows.
#if defined(GRADELINE_PLUGINS_SIMD_LABEL_ROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_LABEL_ROW_INL_H_
#undef GRADELINE_PLUGINS_SIMD_LABEL_ROW_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_LABEL_ROW_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <limits>

#include "plugins/simd/label_block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// The highest logit of a row of at least one vector, in every lane. Sees NaN and infinity.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> TopOfRow(D d, const T* row, int64_t classes, FiniteCheck<D>& all_finite) {
  using V = hn::Vec<D>;
  FiniteCheck<D> finite(d), finite2(d);  // in registers, two of each: neither waits for itself
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V a = hn::LoadU(d, row), b = a;
  finite.See(a);
  int64_t k = lanes;
  for (; k + 2 * lanes <= classes; k += 2 * lanes) {
    const V x = hn::LoadU(d, row + k), y = hn::LoadU(d, row + k + lanes);
    finite.See(x);
    finite2.See(y);
    a = hn::Max(a, x);
    b = hn::Max(b, y);
  }
  // The last vector may overlap those before it: a maximum does not mind.
  for (const int64_t last : {std::min(k, classes - lanes), classes - lanes}) {
    const V x = hn::LoadU(d, row + last);
    finite.See(x);
    a = hn::Max(a, x);
  }
  all_finite.See(finite);
  all_finite.See(finite2);
  return hn::MaxOfLanes(d, hn::Max(a, b));
}

/// The sum of a row's exponentials but that of its label, and whether all its logits were seen to be near.
struct RowSum {
  double others;
  bool near;
};

/// Stores the exponentials of a row, and up to a vector of anything behind them. What lies `ahead` of the row is
/// wanted next, and `late` leaves meanwhile. `exponential(x, check)` gives those of a vector of logits.
template <class D, class Exponential, class T = hn::TFromD<D>>
HWY_INLINE RowSum SumOfRow(D d, const T* row, int64_t classes, const Exponential& exponential, int64_t label,
                           int64_t ahead, T* exponentials, LateRun<D>& late) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t whole = classes / lanes * lanes, at_label = label / lanes * lanes;
  SumOf<D> sum(d);
  NearCheck<D> check(d);
  const auto step = [&](V x, int64_t at, NearCheck<D> & seen) HWY_ATTR __attribute__((always_inline)) {
    const V e = exponential(x, seen);
    hn::StoreU(e, d, exponentials + at);
    return e;
  };
  const auto other = hn::Ne(hn::Iota(d, T{0}), hn::Set(d, static_cast<T>(label - at_label)));
  if (at_label < whole) sum.Add(hn::IfThenElseZero(other, step(hn::LoadU(d, row + at_label), at_label, check)));
  const int64_t around[2][2] = {{0, std::min(at_label, whole)}, {std::min(at_label + lanes, whole), whole}};
  for (const auto& [begin, end] : around) {
    for (int64_t k = begin; k < end;) {
      V a = hn::Zero(d), b = hn::Zero(d);  // few additions in the row's own type
      NearCheck<D> even(d), odd(d);
      const int64_t stop = std::min(end, k + 32 * lanes);
      for (; k + 4 * lanes <= stop; k += 4 * lanes) {
        PrefetchFour(d, row + ahead + k);
        a = hn::Add(a, step(hn::LoadU(d, row + k), k, even));
        b = hn::Add(b, step(hn::LoadU(d, row + k + lanes), k + lanes, odd));
        a = hn::Add(a, step(hn::LoadU(d, row + k + 2 * lanes), k + 2 * lanes, even));
        b = hn::Add(b, step(hn::LoadU(d, row + k + 3 * lanes), k + 3 * lanes, odd));
        late.NextFour();
      }
      for (; k < stop; k += lanes) a = hn::Add(a, step(hn::LoadU(d, row + k), k, odd));
      sum.Add(hn::Add(a, b));
      if (!even.Holds() || !odd.Holds()) return {0, false};
    }
  }
  if (const int64_t n = classes - whole; n > 0) {
    const V e = step(LoadEnd<D>{d, n}(row + whole), whole, check);
    const V inside = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n)), e);
    sum.Add(at_label < whole ? inside : hn::IfThenElseZero(other, inside));
  }
  return {sum.Total(), check.Holds()};
}

/// The softmax of a row: exponentials, in a unit of its own, of its label and of all others together.
struct RowSoftmax {
  double e, others;
  LogBase<double> base;
};

/// Stores a row's exponentials in `scratch`. Sees NaN and infinity.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE RowSoftmax SoftmaxOfRow(D d, const T* row, int64_t classes, int64_t label, int64_t ahead, T* scratch,
                                   LateRun<D>& late, FiniteCheck<D>& finite) {
  using V = hn::Vec<D>;
  if constexpr (ExponentialsBelow<D>::kTakesNear) {
    const auto exponential = [d](V x, NearCheck<D>& check) HWY_ATTR {
      check.See(x);
      return NearExponential(d, x);
    };
    const RowSum sum = SumOfRow(d, row, classes, exponential, label, ahead, scratch, late);
    const auto e = static_cast<double>(scratch[label]);
    if (sum.near) return {e, sum.others, {0, e}};
  }
  V top = TopOfRow(d, row, classes, finite);
  const double below = static_cast<double>(hn::GetLane(top)) - static_cast<double>(row[label]);
  if (const T highest = hn::GetLane(top); !(std::abs(highest) < static_cast<T>(kMostTop))) {
    // Less the highest, which is exact for all whose exponential counts: see TakeFarTops.
    std::transform(row, row + classes, scratch, [highest](T x) { return x - highest; });
    row = scratch;
    ahead = 0;
    top = hn::Zero(d);
  }
  const ExponentialsBelow<D> below_top(d, top, hn::Set(d, std::numeric_limits<T>::infinity()));
  const auto exponential = [&](V x, NearCheck<D>&) HWY_ATTR { return below_top.Of(x); };
  const RowSum sum = SumOfRow(d, row, classes, exponential, label, ahead, scratch, late);
  const auto unit = static_cast<double>(hn::GetLane(below_top.BaseOf(top).unit));
  return {static_cast<double>(scratch[label]), sum.others, {below, unit}};
}

/// Loss and, if wanted, gradient of one long row, stored at `to`, which may be `scratch`. Returns its weighted loss.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE double RunLabelRow(D d, const Kernel& kernel, const simd::LabelledItems<T>& in, int64_t o, T* scratch, T* to,
                              bool stream, LateRun<D>& late, FiniteCheck<D>& finite) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t classes = in.logits.small;
  const auto label = static_cast<int64_t>(std::max(in.labels.Run(o)[0], 0));
  const auto [e, others, base] =
      SoftmaxOfRow(d, in.logits.Run(o), classes, label, in.logits.outer_stride, scratch, late, finite);
  const double inverse = 1 / (others + e);
  const double weight = in.Counts(o, 0) ? in.ItemWeight(o, 0) * in.ClassWeight(o, 0) : 0;
  const hn::CappedTag<double, 1> dd;
  const auto term = kernel.At(dd, hn::Set(dd, base.below + std::log1p((others + (e - base.unit)) / base.unit)),
                              hn::Set(dd, e * inverse), hn::Set(dd, others * inverse));
  const double loss = weight == 0 ? 0 : weight * hn::GetLane(term.loss);
  if (in.item_loss != nullptr) in.item_loss[o] = loss;
  if (!in.gradient) return loss;
  const double slope = weight == 0 ? 0 : weight * hn::GetLane(term.slope) * in.scale;
  scratch[label] = static_cast<T>(-others);
  const V factor = hn::Set(d, static_cast<T>(slope * inverse));
  const int64_t head = to == scratch ? 0 : Ragged(d, to, classes);
  int64_t k = 0;
  for (; k < head; ++k) to[k] = scratch[k] * hn::GetLane(factor);
  for (const StoreWhole<D> store{d, to != scratch, stream}; k + lanes <= classes; k += lanes) {
    store(hn::Mul(hn::LoadU(d, scratch + k), factor), to + k);
  }
  for (; k < classes; ++k) to[k] = scratch[k] * hn::GetLane(factor);
  return loss;
}

/// Rows from this many classes on are computed one by one.
inline constexpr int64_t kLongRow = 64;

/// All rows of a tile, one by one. Returns the sum of their weighted losses.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE double RunLabelRows(D d, const Kernel& kernel, const simd::LabelledItems<T>& in, int64_t rows, bool stream,
                               T* scratch, FiniteCheck<D>& finite) {
  // Streamed gradients leave in long runs: a row that ends amid a cache line would have it written twice. They leave
  // with the rows after them. Scratch for labels is never less than two such runs and a row.
  constexpr int64_t kRunBytes = 16 << 10;
  const int64_t classes = in.logits.small, row_bytes = classes * static_cast<int64_t>(sizeof(T));
  const bool dense = in.gradient && in.gradient.outer_stride == classes;
  const int64_t together = stream && dense ? std::max<int64_t>(1, kRunBytes / row_bytes) : 1;
  double sum = 0;
  LateRun<D> late;
  T* run = scratch;
  for (int64_t first = 0; first < rows; first += together) {
    const int64_t some = std::min(together, rows - first);
    for (int64_t r = 0; r < some; ++r) {
      T* const room = run + r * classes;
      T* const to = together > 1 ? room : in.gradient ? in.gradient.Run(first) : nullptr;
      sum += RunLabelRow(d, kernel, in, first + r, room, to, stream && together == 1, late, finite);
    }
    if (together == 1) continue;
    late.Rest(true);
    late = LateRun<D>(d, run, nullptr, some * classes, in.gradient.Run(first));
    run = run == scratch ? scratch + (together + 1) * classes : scratch;
  }
  late.Rest(true);
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

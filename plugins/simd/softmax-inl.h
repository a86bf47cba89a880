// Softmax over the axis c, on vectors: of blocks of items and of long rows, and the loops of losses of one right class.
#if defined(GRADELINE_PLUGINS_SIMD_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_SOFTMAX_INL_H_
#undef GRADELINE_PLUGINS_SIMD_SOFTMAX_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_SOFTMAX_INL_H_
#endif

#include "plugins/simd/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// Softmax of a block of logits, kept so that neither end of it cancels: class k of item j has the probability
/// exponentials.Run(k)[j] / (1 + rest[j]), where rest sums the exponentials of all classes but one of the highest.
template <class T>
struct SoftmaxBlock {
  Plane<T> logits, exponentials;  ///< may be one and the same memory
  HWY_ALIGN T top[simd::kBlockItems];
  HWY_ALIGN T rest[simd::kBlockItems];

  /// From the logits of `items`, padded to whole vectors. Sees NaN and infinity. If `right` is not NULL, it gets the
  /// logit of each item's class `label` (as a real).
  template <class D>
  HWY_INLINE void Fill(D d, int64_t items, FiniteCheck<D>& all_finite, const T* label = nullptr, T* right = nullptr) {
    FillAndVisit(d, items, all_finite, label, right, [](int64_t, int64_t, hn::Vec<D>, auto) HWY_ATTR {});
  }

  /// As well calls `visit(k, j, e, below)` with the exponentials of class k of the items from j on, and which of them
  /// are below the highest; class by class, then vector by vector.
  template <class D, class Visit>
  HWY_INLINE void FillAndVisit(D d, int64_t items, FiniteCheck<D>& all_finite, const T* label, T* right,
                               const Visit& visit) {
    using V = hn::Vec<D>;
    FiniteCheck<D> finite(d);  // in a register
    const V one = hn::Set(d, T{1});
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (int64_t j = 0; j < items; j += lanes) {
      const T* const column = logits.data + j;
      V highest = hn::Load(d, column);
      finite.See(highest);
      for (int64_t k = 1; k < logits.classes; ++k) {
        const V x = hn::Load(d, column + k * logits.stride);
        finite.See(x);
        highest = hn::Max(highest, x);
      }
      V sum = hn::Zero(d), ties = hn::Zero(d), logit = hn::Zero(d);
      const V mine = right != nullptr ? hn::Load(d, label + j) : hn::Zero(d);
      for (int64_t k = 0; k < logits.classes; ++k) {
        const V x = hn::Load(d, column + k * logits.stride);
        logit = hn::IfThenElse(hn::Eq(mine, hn::Set(d, static_cast<T>(k))), x, logit);
        const V e = ExpOfDifference(d, x, highest);
        const auto below = hn::Lt(x, highest);
        sum = hn::Add(sum, hn::IfThenElseZero(below, e));
        ties = hn::Add(ties, hn::IfThenZeroElse(below, one));
        hn::Store(e, d, exponentials.Run(k) + j);
        visit(k, j, e, below);
      }
      hn::Store(highest, d, top + j);
      hn::Store(hn::Add(sum, hn::Sub(ties, one)), d, rest + j);
      if (right != nullptr) hn::Store(logit, d, right + j);
    }
    all_finite.See(finite);
  }
};

/// What a loss of one right class makes of an item: its loss, and the factor c of its gradient c * (p_k - [k is
/// right]).
template <class V>
struct LabelTerm {
  V loss, slope;
};

/// Labels of a block's items from j on, as reals; negative where ignored, and behind the end.
template <class D>
HWY_INLINE hn::Vec<D> LoadLabels(D d, const sdk::View<const int32_t>& labels, const BlockItems& block, int64_t j) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t step = block.rows ? labels.outer_stride : 1, n = std::min(lanes, block.items - j);
  const int32_t* const from = labels.Run(block.Outer(j)) + block.Inner(j);
  if (n == lanes && step == 1) return LoadWhole<D>{d}.Labels(from);
  HWY_ALIGN int32_t some[hn::MaxLanes(D())];
  for (int64_t i = 0; i < lanes; ++i) some[i] = i < n ? from[i * step] : -1;
  return LoadWhole<D>{d}.Labels(some);
}

/// Labels and weights of a block, as reals; items that do not count have label 0 and weight 0.
template <class T>
struct BlockLabels {
  HWY_ALIGN T label[simd::kBlockItems];
  HWY_ALIGN T weight[simd::kBlockItems];

  /// `by_class`: the weight of the item's class is part of its own.
  template <class D>
  HWY_INLINE void Fill(D d, const simd::LabelledItems<T>& in, const BlockItems& block, bool by_class) {
    using V = hn::Vec<D>;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const V zero = hn::Zero(d), one = hn::Set(d, T{1});
    for (int64_t j = 0; j < block.items; j += lanes) {
      const V is = in.labels ? LoadLabels(d, in.labels, block, j) : zero;
      const auto counts =
          hn::And(hn::Ge(is, zero), hn::FirstN(d, static_cast<size_t>(std::min(lanes, block.items - j))));
      hn::Store(hn::Max(is, zero), d, label + j);
      hn::Store(hn::IfThenElseZero(counts, one), d, weight + j);
    }
    if (!in.weights && (!by_class || in.classes.empty())) return;
    for (int64_t j = 0; j < block.items; ++j) {
      const int64_t o = block.Outer(j), i = block.Inner(j);
      if (in.Counts(o, i)) weight[j] = static_cast<T>(in.ItemWeight(o, i) * (by_class ? in.ClassWeight(o, i) : 1));
    }
  }
};

/// Loss and, if wanted, gradient of a block of items with labels, class by class. See RunLabels.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE void RunLabelBlock(D d, const Kernel& kernel, const simd::LabelledItems<T>& in, const BlockItems& block,
                              bool stream, T* scratch, FiniteCheck<D>& finite, SumOf<D>& numerator) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = WholeVectors(d, block.items), classes = in.logits.small;
  const V one = hn::Set(d, T{1}), scale = hn::Set(d, static_cast<T>(in.scale));
  SoftmaxBlock<T> softmax;
  softmax.logits = softmax.exponentials = {scratch, simd::BlockItems(classes, sizeof(T)) + simd::kBlockPad, classes};
  LoadBlock(d, in.logits, block, softmax.logits);
  BlockLabels<T> labels;
  labels.Fill(d, in, block, true);
  HWY_ALIGN T right[simd::kBlockItems];
  softmax.Fill(d, padded, finite, labels.label, right);

  HWY_ALIGN T others[simd::kBlockItems];  // slope / sum of exponentials
  HWY_ALIGN T mine[simd::kBlockItems];    // the gradient of the right class
  for (int64_t j = 0; j < padded; j += lanes) {
    const V top = hn::Load(d, softmax.top + j), rest = hn::Load(d, softmax.rest + j);
    const V weight = hn::Load(d, labels.weight + j), logit = hn::Load(d, right + j);
    const V sum = hn::Add(rest, one), inverse = hn::Div(one, sum);
    const V e = ExpOfDifference(d, logit, top);
    const V wrong = hn::IfThenElse(hn::Lt(logit, top), hn::Sub(sum, e), rest);  // exponentials of the others
    const V minus_log = hn::Add(hn::Sub(top, logit), LogOnePlus(d, rest));
    const LabelTerm<V> term = kernel.At(d, minus_log, hn::Mul(e, inverse), hn::Mul(wrong, inverse));
    const auto counts = hn::Ne(weight, hn::Zero(d));
    const V loss = hn::IfThenElseZero(counts, hn::Mul(term.loss, weight));
    numerator.Add(loss);
    if (in.item_loss != nullptr) StoreItems(d, loss, block.items - j, in.item_loss + block.number + j);
    const V slope = hn::IfThenElseZero(counts, hn::Mul(hn::Mul(term.slope, weight), scale));
    hn::Store(hn::Mul(slope, inverse), d, others + j);
    hn::Store(hn::Neg(hn::Mul(slope, hn::Mul(wrong, inverse))), d, mine + j);
  }
  if (!in.gradient) return;
  for (int64_t k = 0; k < classes; ++k) {
    T* const run = softmax.exponentials.Run(k);
    T* const to = block.rows ? run : in.gradient.Run(block.outer, k) + block.first;
    // Straight to memory where whole vectors fit there.
    const bool direct = !block.rows && padded == block.items && Ragged(d, to, lanes) == 0;
    const StoreWhole<D> store{d, true, direct && stream};
    T* const out = direct ? to : run;
    const V number = hn::Set(d, static_cast<T>(k));
    for (int64_t j = 0; j < padded; j += lanes) {
      const V slope = hn::Mul(hn::Load(d, run + j), hn::Load(d, others + j));
      const auto is_mine = hn::Eq(hn::Load(d, labels.label + j), number);
      store(hn::IfThenElse(is_mine, hn::Load(d, mine + j), slope), out + j);
    }
    if (!block.rows && !direct) CopyRun(d, run, block.items, to, stream);
  }
  if (block.rows) StoreBlock(d, softmax.exponentials, block, in.gradient, stream);
}

/// The same for pixels of two classes: the softmax is the logistic function of the right logit less the other.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE void RunLabelPairs(D d, const Kernel& kernel, const simd::LabelledItems<T>& in, const BlockItems& block,
                              bool stream, FiniteCheck<D>& all_finite, SumOf<D>& all_numerator) {
  using V = hn::Vec<D>;
  FiniteCheck<D> finite(d);  // these two in registers
  SumOf<D> numerator(d);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V zero = hn::Zero(d), scale = hn::Set(d, static_cast<T>(in.scale));
  const T* const first = in.logits.Run(block.outer) + block.first;
  const T* const second = in.logits.Run(block.outer, 1) + block.first;
  T* const to_first = in.gradient ? in.gradient.Run(block.outer) + block.first : nullptr;
  T* const to_second = in.gradient ? in.gradient.Run(block.outer, 1) + block.first : nullptr;
  const bool aligned = Ragged(d, to_first, lanes) == 0 && Ragged(d, to_second, lanes) == 0;
  BlockLabels<T> labels;
  labels.Fill(d, in, block, true);
  const auto step = [&](const auto& load, const auto& store, int64_t j) HWY_ATTR {
    const V a = load(first + j), b = load(second + j), weight = hn::Load(d, labels.weight + j);
    finite.See(a);
    finite.See(b);
    const auto is_second = hn::Gt(hn::Load(d, labels.label + j), zero);
    const V right = hn::IfThenElse(is_second, b, a), other = hn::IfThenElse(is_second, a, b);
    const Logistic<V> is = LogisticOfDifference(d, right, other);
    const LabelTerm<V> term = kernel.At(d, is.minus_log_yes, is.yes, is.no);
    const auto counts = hn::Ne(weight, zero);
    const V loss = hn::IfThenElseZero(counts, hn::Mul(term.loss, weight));
    numerator.Add(loss);
    if (in.item_loss != nullptr) store.Doubles(loss, in.item_loss + block.number + j);
    if (!in.gradient) return;
    const V slope = hn::IfThenElseZero(counts, hn::Mul(hn::Mul(term.slope, weight), hn::Mul(is.no, scale)));
    store(hn::IfThenElse(is_second, slope, hn::Neg(slope)), to_first + j);
    store(hn::IfThenElse(is_second, hn::Neg(slope), slope), to_second + j);
  };
  int64_t j = 0;
  for (const StoreWhole<D> store{d, aligned, aligned && stream}; j + lanes <= block.items; j += lanes) {
    step(LoadWhole<D>{d}, store, j);
  }
  if (const int64_t n = block.items - j; n > 0) step(LoadEnd<D>{d, n}, StoreEnd<D>{d, n}, j);
  all_finite.See(finite);
  all_numerator.Add(numerator);
}

/// Loss and, if wanted, gradient of one long row. Returns its weighted loss.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE double RunLabelRow(D d, const Kernel& kernel, const simd::LabelledItems<T>& in, int64_t o, bool stream,
                              T* scratch, FiniteCheck<D>& all_finite) {
  using V = hn::Vec<D>;
  FiniteCheck<D> finite(d);  // in a register
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t classes = in.logits.small, whole = classes / lanes * lanes;
  const T* const row = in.logits.Run(o);
  V a = hn::LoadU(d, row), b = a;
  finite.See(a);
  int64_t k = lanes;
  for (; k + 2 * lanes <= classes; k += 2 * lanes) {
    const V x = hn::LoadU(d, row + k), y = hn::LoadU(d, row + k + lanes);
    finite.See(x);
    finite.See(y);
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
  const V top = hn::MaxOfLanes(d, hn::Max(a, b)), one = hn::Set(d, T{1});
  V sum = hn::Zero(d), sum2 = hn::Zero(d), ties = hn::Zero(d);
  SumOf<D> wide(d);
  const auto exponential = [&](V x, T* to, V& into) HWY_ATTR {
    const V e = ExpOfDifference(d, x, top);
    const auto below = hn::Lt(x, top);
    into = hn::Add(into, hn::IfThenElseZero(below, e));
    ties = hn::Add(ties, hn::IfThenZeroElse(below, one));
    hn::Store(e, d, to);
  };
  for (k = 0; k + 2 * lanes <= whole;) {
    const int64_t end = std::min(whole, k + 64 * lanes);  // few additions in the row's own type
    for (; k + 2 * lanes <= end; k += 2 * lanes) {
      exponential(hn::LoadU(d, row + k), scratch + k, sum);
      exponential(hn::LoadU(d, row + k + lanes), scratch + k + lanes, sum2);
    }
    wide.Add(hn::Add(sum, sum2));
    sum = sum2 = hn::Zero(d);
  }
  if (k < whole) exponential(hn::LoadU(d, row + k), scratch + k, sum);
  if (const int64_t n = classes - whole; n > 0) {
    // What is beyond the row must be far below the top.
    const V none = hn::Sub(top, hn::Set(d, T{1000}));
    const V x = hn::IfThenElse(hn::FirstN(d, static_cast<size_t>(n)), LoadEnd<D>{d, n}(row + whole), none);
    exponential(x, scratch + whole, sum);
  }
  wide.Add(sum);
  const double rest = wide.Total() + (static_cast<double>(hn::GetLane(hn::SumOfLanes(d, ties))) - 1);
  const int32_t is = in.labels.Run(o)[0];
  const auto label = static_cast<int64_t>(std::max(is, 0));
  const double weight = in.Counts(o, 0) ? in.ItemWeight(o, 0) * in.ClassWeight(o, 0) : 0, inverse = 1 / (1 + rest),
               e = static_cast<double>(scratch[label]);
  const double below = static_cast<double>(hn::GetLane(top)) - static_cast<double>(row[label]);
  const double wrong = below > 0 ? 1 + rest - e : rest;
  const hn::CappedTag<double, 1> dd;
  const auto term =
      kernel.At(dd, hn::Set(dd, below + std::log1p(rest)), hn::Set(dd, e * inverse), hn::Set(dd, wrong * inverse));
  const double loss = weight == 0 ? 0 : weight * hn::GetLane(term.loss);
  if (in.item_loss != nullptr) in.item_loss[o] = loss;
  if (!in.gradient) return loss;
  const double slope = weight == 0 ? 0 : weight * hn::GetLane(term.slope) * in.scale;
  scratch[label] = static_cast<T>(-wrong);
  T* const to = in.gradient.Run(o);
  const V factor = hn::Set(d, static_cast<T>(slope * inverse));
  const int64_t head = Ragged(d, to, classes);
  for (k = 0; k < head; ++k) to[k] = scratch[k] * hn::GetLane(factor);
  for (const StoreWhole<D> store{d, true, stream}; k + lanes <= classes; k += lanes) {
    store(hn::Mul(hn::LoadU(d, scratch + k), factor), to + k);
  }
  for (; k < classes; ++k) to[k] = scratch[k] * hn::GetLane(factor);
  return loss;
}

/// Rows from this many classes on are computed one by one.
inline constexpr int64_t kLongRow = 64;

/// Runs `kernel.At(d, minus_log_p, p, q)` (of the right class: -log p, p, and q = 1 - p; gives a LabelTerm) over all
/// items of a tile. Scratch: simd::BlockBytes(classes, real_bytes). Ignored items and those of weight 0 count nothing.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE simd::ElementSums RunLabels(D d, const Kernel& kernel, const sdk::Tile<T>& tile,
                                       const simd::LabelledItems<T>& in) {
  auto* const scratch = static_cast<T*>(tile.raw().scratch);
  const bool stream = (tile.raw().flags & GDL_STREAM) != 0;
  const int64_t classes = in.logits.small;
  FiniteCheck<D> finite(d);
  simd::ElementSums sums;
  const bool contiguous = in.logits.small_stride == 1 && (!in.gradient || in.gradient.small_stride == 1);
  if (tile.inner() == 1 && classes >= kLongRow && contiguous) {
    for (int64_t o = 0; o < tile.outer(); ++o) sums.numerator += RunLabelRow(d, kernel, in, o, stream, scratch, finite);
  } else {
    SumOf<D> numerator(d);
    const bool pairs = classes == 2 && tile.inner() > 1;
    ForEachBlock(tile.outer(), tile.inner(), simd::BlockItems(classes, sizeof(T)),
                 [&](const BlockItems& block) HWY_ATTR {
                   if (pairs) {
                     RunLabelPairs(d, kernel, in, block, stream, finite, numerator);
                   } else {
                     RunLabelBlock(d, kernel, in, block, stream, scratch, finite, numerator);
                   }
                 });
    sums.numerator = numerator.Total();
  }
  if (stream) hwy::FlushStream();
  sums.denominator = in.TotalWeight(tile);
  sums.finite = !finite.Failed() && in.WeightsAreFinite(tile);
  return sums;
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

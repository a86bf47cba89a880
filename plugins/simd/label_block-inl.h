// Losses of one right class out of C, over blocks of items and over pixels of two classes.
#if defined(GRADELINE_PLUGINS_SIMD_LABEL_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_LABEL_BLOCK_INL_H_
#undef GRADELINE_PLUGINS_SIMD_LABEL_BLOCK_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_LABEL_BLOCK_INL_H_
#endif

#include "plugins/simd/decision-inl.h"
#include "plugins/simd/right-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {

/// What a loss of one right class makes of an item: its loss, and the factor c of its gradient c * (p_k - [k is
/// right]).
template <class V>
struct LabelTerm {
  V loss, slope;
};

/// What the items of a tile add up to.
template <class D>
struct LabelTotals {
  FiniteCheck<D> finite;
  SumOf<D> numerator;
  int64_t counting = 0;  ///< items with a label

  explicit LabelTotals(D d) : finite(d), numerator(d) {}
};

/// The gradient of a block that has not left yet: class by class the run of `plane`, times `share`.
template <class T>
struct LateBlock {
  Plane<T> plane{};
  HWY_ALIGN T share[simd::kBlockItems];
  T* to = nullptr;  ///< of class 0
  int64_t to_stride = 0, items = 0;
  int64_t next = 0;  ///< class
  int64_t turn = 0;  ///< the plane of scratch for the block after it

  /// The run of the next class, if any is left; to be stored by the caller.
  template <class D>
  HWY_INLINE LateRun<D> Next(D d) {
    if (next == plane.classes) return {};
    const int64_t k = next++;
    return {d, plane.Run(k), share, items, to + k * to_stride};
  }
  template <class D>
  HWY_INLINE void Rest(D d, bool stream) {
    while (next < plane.classes) Next(d).Rest(stream);
  }
};

/// Loss and, if wanted, gradient of a block of items with labels, class by class. See RunLabels. Streamed gradients of
/// pixels leave with the next block.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE void RunLabelBlock(D d, const Kernel& kernel, const simd::LabelledItems<T>& in, const BlockItems& block,
                              bool stream, T* scratch, LabelTotals<D>& totals, LateBlock<T>& late) {
  using V = hn::Vec<D>;
  SumOf<D> numerator(d);  // in registers
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = WholeVectors(d, block.items), classes = in.logits.small;
  const V scale = hn::Set(d, static_cast<T>(in.scale));
  RightBlock<T> softmax;
  softmax.plane = ScratchPlane(scratch, classes, late.turn);
  BlockLabels<T> labels;
  labels.Fill(d, in, block, true);
  totals.counting += labels.counting;
  softmax.Fill(d, in.logits, block, labels.label, totals.finite, [&]() HWY_ATTR { return late.Next(d); });
  late.Rest(d, true);
  softmax.ForEachPart(block.items, [&](int64_t begin, int64_t end) HWY_ATTR {
    softmax.TakeRight(d, begin, end);
    for (int64_t j = begin; j < end; j += lanes) {
      const RightOf<V> is = softmax.At(d, j);
      const V weight = hn::Load(d, labels.weight + j);
      const LabelTerm<V> term = kernel.At(d, softmax.MinusLog(d, is, j), is.Probability(), is.Missed());
      const auto counts = hn::Ne(weight, hn::Zero(d));
      const V loss = hn::IfThenElseZero(counts, hn::Mul(term.loss, weight));
      numerator.Add(loss);
      if (in.item_loss != nullptr) StoreItems(d, loss, block.items - j, in.item_loss + block.number + j);
      const V slope = hn::IfThenElseZero(counts, hn::Mul(hn::Mul(term.slope, weight), scale));
      // Of near items 1e-23 to 1e15 times the slope: a slope below 1e-15 may lose digits here.
      hn::Store(hn::Mul(slope, is.inverse), d, late.share + j);
      hn::Store(hn::Neg(is.others), d, softmax.right + j);  // times share: the gradient by the right logit
    }
    if (in.gradient) softmax.PutRight(begin, end);
  });
  totals.numerator.Add(numerator);
  if (!in.gradient) return;
  if (!block.rows) {
    late.plane = softmax.plane;
    late.to = in.gradient.Run(block.outer) + block.first;
    late.to_stride = in.gradient.small_stride;
    late.items = block.items;
    late.next = 0;
    late.turn = 1 - late.turn;
    if (!stream) late.Rest(d, false);
    return;
  }
  for (int64_t k = 0; k < classes; ++k) {
    T* const run = softmax.plane.Run(k);
    for (int64_t j = 0; j < padded; j += lanes) {
      hn::Store(hn::Mul(hn::Load(d, run + j), hn::Load(d, late.share + j)), d, run + j);
    }
  }
  StoreBlock(d, softmax.plane, block, in.gradient, stream);
}

/// The same for pixels of two classes: the softmax is the logistic function of the right logit less the other.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE void RunLabelPairs(D d, const Kernel& kernel, const simd::LabelledItems<T>& in, const BlockItems& block,
                              bool stream, LabelTotals<D>& totals) {
  using V = hn::Vec<D>;
  FiniteCheck<D> finite(d);  // these two in registers
  SumOf<D> numerator(d);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V zero = hn::Zero(d), scale = hn::Set(d, static_cast<T>(in.scale));
  const T* const first = in.logits.Run(block.outer) + block.first;
  const T* const second = in.logits.Run(block.outer, 1) + block.first;
  BlockLabels<T> labels;
  labels.Fill(d, in, block, true);
  totals.counting += labels.counting;
  PairGradient<D> gradient(d, in.gradient, stream);
  if (in.gradient) gradient.Begin(block);
  const auto step = [&](const auto& load, int64_t j) HWY_ATTR {
    const V a = load(first + j), b = load(second + j), weight = hn::Load(d, labels.weight + j);
    finite.See(a);
    finite.See(b);
    const auto is_second = hn::Gt(LoadWhole<D>{d}.Labels(labels.label + j), zero);
    const V right = hn::IfThenElse(is_second, b, a), other = hn::IfThenElse(is_second, a, b);
    const Logistic<V> is = LogisticOfDifference(d, right, other);
    const LabelTerm<V> term = kernel.At(d, is.minus_log_yes, is.yes, is.no);
    const auto counts = hn::Ne(weight, zero);
    const V loss = hn::IfThenElseZero(counts, hn::Mul(term.loss, weight));
    numerator.Add(loss);
    if (in.item_loss != nullptr) StoreItems(d, loss, block.items - j, in.item_loss + block.number + j);
    const V slope = hn::IfThenElseZero(counts, hn::Mul(hn::Mul(term.slope, weight), hn::Mul(is.no, scale)));
    if (in.gradient) gradient.Put(j, hn::IfThenElse(is_second, hn::Neg(slope), slope));
  };
  int64_t j = 0;
  for (; j + lanes <= block.items; j += lanes) step(LoadWhole<D>{d}, j);
  if (const int64_t n = block.items - j; n > 0) step(LoadEnd<D>{d, n}, j);
  totals.finite.See(finite);
  totals.numerator.Add(numerator);
  if (in.gradient) gradient.End();
}

/// Cross-entropy of pixels of two classes without weights: a decision for the second one.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void RunDecisions(D d, const simd::LabelledItems<T>& in, const BlockItems& block, bool stream,
                             LabelTotals<D>& totals) {
  using V = hn::Vec<D>;
  SumOf<D> numerator(d);  // in registers
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V zero = hn::Zero(d), scale = hn::Set(d, static_cast<T>(in.scale));
  const int32_t* const labels = in.labels.Run(block.outer) + block.first;
  DecisionBlock<T> decisions;
  decisions.Fill(d, in.logits, block, totals.finite);
  PairGradient<D> gradient(d, in.gradient, stream);
  if (in.gradient) gradient.Begin(block);
  const auto step = [&](const auto& load, int64_t j, LogOfProduct<D>& product) HWY_ATTR __attribute__((always_inline)) {
    const V target = load.Labels(labels + j);
    const LogElement<V> cost = decisions.At(d, j, target);
    const auto counts = hn::And(hn::Ge(target, zero), load.Inside());
    const V loss = hn::IfThenElseZero(counts, cost.loss), odds = hn::IfThenElseZero(counts, cost.odds);
    product.Multiply(odds);
    if (in.item_loss != nullptr) {
      const V whole = hn::Add(loss, LogOnePlusFraction(d, odds));
      StoreItems(d, whole, block.items - j, in.item_loss + block.number + j);
    }
    if (in.gradient) gradient.Put(j, hn::IfThenElseZero(counts, hn::Mul(cost.slope, scale)));
    return loss;
  };
  for (int64_t j = 0; j < block.items;) {
    LogOfProduct<D> even(d), odd(d);
    const int64_t end = std::min(block.items, j + LogOfProduct<D>::kFactors * lanes);
    for (; j + 2 * lanes <= end; j += 2 * lanes) {
      const V loss = step(LoadWhole<D>{d}, j, even);
      numerator.Add(hn::Add(loss, step(LoadWhole<D>{d}, j + lanes, odd)));
    }
    for (; j < end; j += lanes) numerator.Add(step(LoadEnd<D>{d, std::min(lanes, end - j)}, j, even));
    even.Multiply(odd);
    numerator.Add(even.Log());
  }
  totals.numerator.Add(numerator);
  if (in.gradient) gradient.End();
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

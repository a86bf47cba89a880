// Losses of one right class out of C, over blocks of items and over pixels of two classes.
#if defined(GRADELINE_PLUGINS_SIMD_LABEL_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADELINE_PLUGINS_SIMD_LABEL_BLOCK_INL_H_
#undef GRADELINE_PLUGINS_SIMD_LABEL_BLOCK_INL_H_
#else
#define GRADELINE_PLUGINS_SIMD_LABEL_BLOCK_INL_H_
#endif

#include <limits>

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

/// Loss and, if wanted, gradient of a block of items with labels, class by class. See RunLabels.
template <class D, class Kernel, class T = hn::TFromD<D>>
HWY_INLINE void RunLabelBlock(D d, const Kernel& kernel, const simd::LabelledItems<T>& in, const BlockItems& block,
                              bool stream, T* scratch, FiniteCheck<D>& finite, SumOf<D>& numerator) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = WholeVectors(d, block.items), classes = in.logits.small;
  const V scale = hn::Set(d, static_cast<T>(in.scale));
  RightBlock<T> softmax;
  softmax.plane = ScratchPlane(scratch, classes);
  LoadBlock(d, in.logits, block, softmax.plane);
  BlockLabels<T> labels;
  labels.Fill(d, in, block, true);
  softmax.Fill(d, labels.label, padded, finite);
  HWY_ALIGN T share[simd::kBlockItems];  // slope / sum of exponentials
  for (int64_t j = 0; j < padded; j += lanes) {
    const RightOf<V> is = softmax.At(d, j);
    const V weight = hn::Load(d, labels.weight + j);
    const LabelTerm<V> term = kernel.At(d, softmax.MinusLog(d, is, j), is.Probability(), is.Missed());
    const auto counts = hn::Ne(weight, hn::Zero(d));
    const V loss = hn::IfThenElseZero(counts, hn::Mul(term.loss, weight));
    numerator.Add(loss);
    if (in.item_loss != nullptr) StoreItems(d, loss, block.items - j, in.item_loss + block.number + j);
    const V slope = hn::IfThenElseZero(counts, hn::Mul(hn::Mul(term.slope, weight), scale));
    hn::Store(hn::Mul(slope, is.inverse), d, share + j);
    hn::Store(hn::Neg(is.others), d, softmax.right + j);  // times share: the gradient by the right logit
  }
  if (!in.gradient) return;
  PutRight(softmax.plane, labels.label, padded, softmax.right);
  for (int64_t k = 0; k < classes; ++k) {
    T* const run = softmax.plane.Run(k);
    T* const to = block.rows ? run : in.gradient.Run(block.outer, k) + block.first;
    // Straight to memory where whole vectors fit there.
    const bool direct = !block.rows && padded == block.items && Ragged(d, to, lanes) == 0;
    const StoreWhole<D> store{d, true, direct && stream};
    T* const out = direct ? to : run;
    for (int64_t j = 0; j < padded; j += lanes) store(hn::Mul(hn::Load(d, run + j), hn::Load(d, share + j)), out + j);
    if (!block.rows && !direct) CopyRun(d, run, block.items, to, stream);
  }
  if (block.rows) StoreBlock(d, softmax.plane, block, in.gradient, stream);
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
  BlockLabels<T> labels;
  labels.Fill(d, in, block, true);
  // Gradients leave in long runs: streaming stores that alternate between two of them are slow.
  HWY_ALIGN T to_first[simd::kBlockItems];
  HWY_ALIGN T to_second[simd::kBlockItems];
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
    const V to_other = hn::Neg(slope);
    hn::Store(hn::IfThenElse(is_second, slope, to_other), d, to_first + j);
    hn::Store(hn::IfThenElse(is_second, to_other, slope), d, to_second + j);
  };
  int64_t j = 0;
  for (; j + lanes <= block.items; j += lanes) step(LoadWhole<D>{d}, j);
  if (const int64_t n = block.items - j; n > 0) step(LoadEnd<D>{d, n}, j);
  all_finite.See(finite);
  all_numerator.Add(numerator);
  if (!in.gradient) return;
  CopyRun(d, to_first, block.items, in.gradient.Run(block.outer) + block.first, stream);
  CopyRun(d, to_second, block.items, in.gradient.Run(block.outer, 1) + block.first, stream);
}

/// Pixels of two classes, padded to whole vectors with zeros: the second logit less the first, and exp(-|difference|).
/// Exponentials come before everything else: a processor has room for many short chains of operations, for few long
/// ones.
template <class T>
struct DecisionBlock {
  HWY_ALIGN T difference[simd::kBlockItems];
  HWY_ALIGN T tail[simd::kBlockItems];

  /// Sees NaN and infinity.
  template <class D>
  HWY_INLINE void Fill(D d, const sdk::View<const T>& logits, const BlockItems& block, FiniteCheck<D>& all_finite) {
    using V = hn::Vec<D>;
    FiniteCheck<D> finite(d);  // in registers
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const T* const first = logits.Run(block.outer) + block.first;
    const T* const second = logits.Run(block.outer, 1) + block.first;
    const V most = hn::Set(d, std::numeric_limits<T>::max());
    const auto step = [&](const auto& load, int64_t j) HWY_ATTR __attribute__((always_inline)) {
      const V a = load(first + j), b = load(second + j);
      finite.See(a);
      finite.See(b);
      const V distance = hn::Sub(b, a);
      hn::Store(TailOf(d, distance, LostInDifference(b, a, distance)), d, tail + j);
      // No infinity, of which a right answer would take 0 times.
      hn::Store(hn::Min(hn::Max(distance, hn::Neg(most)), most), d, difference + j);
    };
    int64_t j = 0;
    for (; j + lanes <= block.items; j += lanes) step(LoadWhole<D>{d}, j);
    if (j < block.items) step(LoadEnd<D>{d, block.items - j}, j);
    all_finite.See(finite);
  }
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE LogElement<V> At(D d, int64_t j, V is_second) const {
    return CostOfDecision(d, hn::Load(d, difference + j), hn::Load(d, tail + j), is_second);
  }
};

/// Cross-entropy of pixels of two classes without weights: a decision for the second one.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void RunDecisions(D d, const simd::LabelledItems<T>& in, const BlockItems& block, bool stream,
                             FiniteCheck<D>& all_finite, SumOf<D>& all_numerator) {
  using V = hn::Vec<D>;
  SumOf<D> numerator(d);  // in registers
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const V zero = hn::Zero(d), scale = hn::Set(d, static_cast<T>(in.scale));
  const int32_t* const labels = in.labels.Run(block.outer) + block.first;
  // The gradient by the second logit leaves as it is computed, that by the first in a long run afterwards: streaming
  // stores that alternate between two places are slow.
  HWY_ALIGN T to_first[simd::kBlockItems];
  HWY_ALIGN T to_second[simd::kBlockItems];
  DecisionBlock<T> decisions;
  decisions.Fill(d, in.logits, block, all_finite);
  T* const out = in.gradient ? in.gradient.Run(block.outer, 1) + block.first : nullptr;
  const bool direct = in.gradient && Ragged(d, out, lanes) == 0;
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
    const V slope = hn::IfThenElseZero(counts, hn::Mul(cost.slope, scale));
    if (direct && block.items - j >= lanes) {
      StoreWhole<D>{d, true, stream}(slope, out + j);
    } else {
      hn::Store(slope, d, to_second + j);
    }
    hn::Store(hn::Neg(slope), d, to_first + j);
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
  all_numerator.Add(numerator);
  if (!in.gradient) return;
  CopyRun(d, to_first, block.items, in.gradient.Run(block.outer) + block.first, stream);
  const int64_t out_already = direct ? block.items / lanes * lanes : 0;
  CopyRun(d, to_second + out_already, block.items - out_already, out + out_already, stream);
}

}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard

// Binary cross-entropy from logits, one element at a time; the conventions of PyTorch's BCEWithLogitsLoss.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/binary_cross_entropy/binary_cross_entropy.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/elementwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Decision {
  static constexpr bool kTellsNonFinite = true;
  explicit Decision(const double*) {}

  /// `factor`: what the yes term is multiplied by.
  template <class D, class V>
  HWY_INLINE Element<V> At(D d, V logit, V target, V factor) const {
    const V one = hn::Set(d, hn::TFromD<D>{1}), size = hn::Abs(logit);
    const V tail = Tail(d, logit), far = hn::Div(tail, hn::Add(one, tail));
    const V yes = hn::Mul(target, factor), no = hn::Sub(one, target), both = hn::Add(yes, no);
    // The share of the answer that the logit speaks against pays for its size; all pay log(1 + exp(-size)).
    const auto negative = hn::Lt(logit, hn::Zero(d));
    const V against = hn::IfThenElse(negative, yes, no), slope = hn::NegMulAdd(far, both, against);
    return {hn::MulAdd(size, against, hn::Mul(LogOnePlusFraction(d, tail), both)),
            hn::IfThenElse(negative, hn::Neg(slope), slope)};
  }
  template <class D, class V>
  HWY_INLINE V Tail(D d, V logit) const {
    return TailOf(d, logit);
  }
  template <class D, class V>
  HWY_INLINE LogElement<V> Plain(D d, V logit, V tail, V target) const {
    return CostOfDecision(d, logit, tail, target);
  }
};

GRADELINE_ELEMENT_KERNEL(Decision)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class BinaryCrossEntropy : public simd::Elementwise<BinaryCrossEntropy> {
 public:
  static constexpr const char* kId = "binary_cross_entropy";
  static constexpr const char* kDoc = "Cross-entropy of independent yes/no decisions, from logits.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"binary", "multilabel", "pixel-binary", "pixel-multilabel"};
  static constexpr const char* kDims = "N C? *";
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction(kDims, "logits", "one logit per decision"),
                                               sdk::LabelTarget(kDims, nullptr, "ignore_index", "1 yes, 0 no", 1),
                                               sdk::RealTarget(kDims, "probability", 0, 1, "probability of yes", 1),
                                               sdk::Weight(kDims)};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored element"),
      sdk::Vector("pos_weight", "C", 0, sdk::kInfinity, "weight of the yes term: one per class, or one for all",
                  GDL_ONE_FOR_ALL)};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("binary_cross_entropy", "element losses / valid elements")};

  explicit BinaryCrossEntropy(const sdk::Params& params) : pos_weight_(params.Vector("pos_weight")) {}

  bool has_factors() const { return !pos_weight_.empty(); }
  /// Outers run over N and C, C fastest.
  double ElementFactor(int64_t outer) const { return pos_weight_[static_cast<size_t>(outer) % pos_weight_.size()]; }

  simd::ElementSums Run(const simd::ElementRun<float>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(run, nullptr);
  }
  simd::ElementSums Run(const simd::ElementRun<double>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, nullptr);
  }

 private:
  std::vector<double> pos_weight_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("binary_cross_entropy", "Gradeline", "1.0.0", "Apache-2.0", gradeline::BinaryCrossEntropy)
#endif  // HWY_ONCE

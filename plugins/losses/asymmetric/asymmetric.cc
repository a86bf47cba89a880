// Asymmetric loss of Ridnik et al. 2020: focal powers of their own for yes and for no, easy no's cut off.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/asymmetric/asymmetric.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/power-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Asymmetry {
  /// `numbers`: gamma_pos, gamma_neg, clip.
  explicit Asymmetry(const double* numbers)
      : gamma_pos(numbers[0]), gamma_neg(numbers[1]), clip(numbers[2]), pos(gamma_pos), neg(gamma_neg) {}

  template <class D, class V>
  HWY_INLINE Element<V> At(D d, V logit, V target, V) const {
    const V zero = hn::Zero(d), one = hn::Set(d, 1.0), shift = hn::Set(d, clip);
    const Logistic<V> is = LogisticOf(d, logit);
    const V yes_focus = hn::Mul(target, pos.Of(d, is.no));
    // d/dz of (1 - p)^g (-log p), with 1 - p as a factor of it all.
    const V yes_slope = hn::MulAdd(hn::Mul(hn::Set(d, gamma_pos), is.yes), is.minus_log_yes, is.no);

    // What is left of p above the clip, and of 1 - p with it; near 0 and near 1 without cancellation.
    const V left = hn::Max(hn::Sub(is.yes, shift), zero), rest = hn::Min(hn::Add(is.no, shift), one);
    const V near = hn::Neg(hn::Log1p(d, hn::Neg(left))), far = hn::Neg(hn::Log(d, rest));
    const auto low = hn::Lt(left, hn::Set(d, 0.5));
    const V minus_log = clip == 0 ? is.minus_log_no : hn::IfThenElse(low, near, far);
    const auto any = hn::Gt(left, zero), some = hn::Gt(rest, zero);
    const V steep = hn::IfThenElse(any, hn::Div(minus_log, left), one);  // -log(1 - x) / x
    const V share = hn::IfThenElse(some, hn::Div(is.no, rest), one);     // (1 - p) / (1 - x)
    const V no_focus = hn::Mul(hn::Sub(one, target), neg.Of(d, left));
    const V slope = hn::Mul(is.yes, hn::MulAdd(hn::Mul(hn::Set(d, gamma_neg), steep), is.no, share));
    return {hn::MulAdd(yes_focus, is.minus_log_yes, hn::Mul(no_focus, minus_log)),
            hn::NegMulAdd(yes_focus, yes_slope, hn::IfThenElseZero(any, hn::Mul(no_focus, slope)))};
  }

  double gamma_pos, gamma_neg, clip;
  Power pos, neg;
};

GRADELINE_ELEMENT_KERNEL(InDoubles<Asymmetry>)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "plugins/simd/rows.h"

namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class Asymmetric : public simd::Rows<Asymmetric> {
 public:
  static constexpr const char* kId = "asymmetric";
  static constexpr const char* kDoc =
      "Focal loss of independent decisions with a power of its own for yes and for no; easy no's count nothing.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"multilabel"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N c", "logits", "one logit per class"),
                                               sdk::LabelTarget("N c", nullptr, "ignore_index", "1 yes, 0 no", 1),
                                               sdk::RealTarget("N c", "probability", 0, 1, "probability of yes", 1),
                                               sdk::Weight("N c")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Number("gamma_neg", 4, 0, sdk::kInfinity, "power of the probability of yes, where the answer is no"),
      sdk::Number("gamma_pos", 1, 0, sdk::kInfinity, "power of the probability of no, where the answer is yes"),
      sdk::Number("clip", 0.05, 0, 1, "taken off the probability of yes where the answer is no"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored element")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("asymmetric", "sums over the classes / rows")};

  explicit Asymmetric(const sdk::Params& params)
      : numbers_{params.Number("gamma_pos"), params.Number("gamma_neg"), params.Number("clip")} {}

  double RowShare(int64_t) const { return 1; }

  simd::ElementSums Run(const simd::ElementRun<float>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(run, numbers_);
  }
  simd::ElementSums Run(const simd::ElementRun<double>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, numbers_);
  }

 private:
  double numbers_[3];  ///< of the kernel
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("asymmetric", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Asymmetric)
#endif  // HWY_ONCE

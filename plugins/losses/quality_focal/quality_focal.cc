// Quality focal loss of Li et al. 2020: binary cross-entropy with a quality, weighed by the distance from it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/quality_focal/quality_focal.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/power-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Quality {
  explicit Quality(const double* numbers) : beta(numbers[0]), power(beta) {}

  template <class D, class V>
  HWY_INLINE Element<V> At(D d, V logit, V quality, V) const {
    const V zero = hn::Zero(d), one = hn::Set(d, 1.0);
    const Logistic<V> is = LogisticOf(d, logit);
    const V rest = hn::Sub(one, quality);
    // sigmoid - quality, from the end where it does not cancel.
    const V difference = hn::IfThenElse(hn::Gt(logit, zero), hn::Sub(rest, is.no), hn::Sub(is.yes, quality));
    const V focus = power.Of(d, hn::Abs(difference));
    const V entropy = hn::MulAdd(quality, is.minus_log_yes, hn::Mul(rest, is.minus_log_no));
    // Tiny differences are those of tiny probabilities: divided first, nothing overflows.
    const V steep = hn::IfThenZeroElse(hn::Eq(difference, zero), hn::Div(hn::Mul(is.yes, is.no), difference));
    const V bend = hn::Mul(hn::Mul(hn::Set(d, beta), steep), hn::Mul(focus, entropy));
    return {hn::Mul(focus, entropy), hn::MulAdd(focus, difference, bend)};
  }

  double beta;
  Power power;
};

GRADELINE_ELEMENT_KERNEL(InDoubles<Quality>)

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

class QualityFocal : public simd::Rows<QualityFocal> {
 public:
  static constexpr const char* kId = "quality_focal";
  static constexpr const char* kDoc =
      "Binary cross-entropy of each class with the quality of its box, weighed by the distance from it.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"dense-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c", "logits", "one logit per class"),
      {sizeof(GdlTensorSpec), GDL_LABEL, GDL_BACKGROUND, 0, "target", "number of the class; c: none of them", "N", "c",
       "ignore_index", nullptr, 0, 0},
      {sizeof(GdlTensorSpec), GDL_REAL, 0, 0, "quality", "what the class's probability should be: the box's IoU", "N",
       nullptr, nullptr, nullptr, 0, 1},
      sdk::Weight("N")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Number("beta", 2, 0, sdk::kInfinity, "power of the distance of probability and quality"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored row")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("quality_focal", "sums over the classes / rows")};

  explicit QualityFocal(const sdk::Params& params) : numbers_{params.Number("beta")} {}

  double RowShare(int64_t) const { return 1; }

  simd::ElementSums Run(const simd::ElementRun<float>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(run, numbers_);
  }
  simd::ElementSums Run(const simd::ElementRun<double>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, numbers_);
  }

 private:
  double numbers_[1];  ///< of the kernel
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("quality_focal", "Gradeline", "1.0.0", "Apache-2.0", gradeline::QualityFocal)
#endif  // HWY_ONCE

// Varifocal loss of Zhang et al. 2020: cross-entropy weighed by the quality, focal only where the class is absent.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/varifocal/varifocal.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/power-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Varied {
  /// `numbers`: alpha, gamma, iou_weighted (0 or 1).
  explicit Varied(const double* numbers)
      : alpha(numbers[0]), gamma(numbers[1]), weighted(numbers[2] != 0), power(gamma) {}

  template <class D, class V>
  HWY_INLINE Element<V> At(D d, V logit, V quality, V) const {
    const V zero = hn::Zero(d), one = hn::Set(d, 1.0);
    const Logistic<V> is = LogisticOf(d, logit);
    const V rest = hn::Sub(one, quality), factor = weighted ? quality : one;
    // sigmoid - quality, from the end where it does not cancel.
    const V difference = hn::IfThenElse(hn::Gt(logit, zero), hn::Sub(rest, is.no), hn::Sub(is.yes, quality));
    const V entropy = hn::MulAdd(quality, is.minus_log_yes, hn::Mul(rest, is.minus_log_no));
    const V focus = hn::Mul(hn::Set(d, alpha), power.Of(d, is.yes));
    const V slope = hn::MulAdd(hn::Mul(hn::Set(d, gamma), is.no), is.minus_log_no, is.yes);
    const auto present = hn::Gt(quality, zero);
    return {hn::IfThenElse(present, hn::Mul(factor, entropy), hn::Mul(focus, is.minus_log_no)),
            hn::IfThenElse(present, hn::Mul(factor, difference), hn::Mul(focus, slope))};
  }

  double alpha, gamma;
  bool weighted;
  Power power;
};

GRADELINE_ELEMENT_KERNEL(InDoubles<Varied>)

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

class Varifocal : public simd::Rows<Varifocal> {
 public:
  static constexpr const char* kId = "varifocal";
  static constexpr const char* kDoc =
      "Binary cross-entropy of each class with the quality of its box, weighed by it; focal where the class is absent.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"dense-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c", "logits", "one logit per class"),
      {sizeof(GdlTensorSpec), GDL_LABEL, GDL_BACKGROUND, 0, "target", "number of the class; c: none of them", "N", "c",
       "ignore_index", nullptr, 0, 0},
      {sizeof(GdlTensorSpec), GDL_REAL, 0, 0, "quality",
       "what the class's probability should be: the box's IoU; 0: absent", "N", nullptr, nullptr, nullptr, 0, 1},
      sdk::Weight("N")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Number("alpha", 0.75, 0, sdk::kInfinity, "weight of absent classes"),
      sdk::Number("gamma", 2, 0, sdk::kInfinity, "power of the probability of absent classes"),
      sdk::Bool("iou_weighted", true, "whether present classes are weighed by their quality"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored row")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("varifocal", "element losses / elements of the valid rows")};

  explicit Varifocal(const sdk::Params& params)
      : numbers_{params.Number("alpha"), params.Number("gamma"), params.Number("iou_weighted")} {}

  double RowShare(int64_t classes) const { return static_cast<double>(classes); }

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

GDL_LOSS_PLUGIN("varifocal", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Varifocal)
#endif  // HWY_ONCE

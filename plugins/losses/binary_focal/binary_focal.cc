// Focal loss of independent yes/no decisions, from logits; torchvision's sigmoid_focal_loss.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/binary_focal/binary_focal.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/focal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

GRADELINE_ELEMENT_KERNEL(DecisionFocal)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "plugins/simd/focal.h"

namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class BinaryFocal : public simd::Elementwise<BinaryFocal> {
 public:
  static constexpr const char* kId = "binary_focal";
  static constexpr const char* kDoc = "Cross-entropy of independent yes/no decisions that fades where they are sure.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"binary", "multilabel", "pixel-binary", "pixel-multilabel"};
  static constexpr const char* kDims = "N C? *";
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction(kDims, "logits", "one logit per decision"),
                                               sdk::LabelTarget(kDims, nullptr, "ignore_index", "1 yes, 0 no", 1),
                                               sdk::RealTarget(kDims, "probability", 0, 1, "probability of yes", 1),
                                               sdk::Weight(kDims)};
  static constexpr GdlParamSpec kParams[] = {
      simd::kFocalGamma, simd::kFocalAlpha,
      sdk::Vector("class_weights", "C", 0, sdk::kInfinity, "factor of each class's losses; not of the denominator"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored element")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("binary_focal", "element losses / valid elements")};

  explicit BinaryFocal(const sdk::Params& params)
      : numbers_(simd::FocalNumbers(params)), class_weights_(params.Vector("class_weights")) {}

  bool has_factors() const { return !class_weights_.empty(); }
  /// Outers run over N and C, C fastest.
  double ElementFactor(int64_t outer) const {
    return class_weights_[static_cast<size_t>(outer) % class_weights_.size()];
  }

  simd::ElementSums Run(const simd::ElementRun<float>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(run, numbers_.data());
  }
  simd::ElementSums Run(const simd::ElementRun<double>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, numbers_.data());
  }

 private:
  std::array<double, 3> numbers_;  ///< of the kernel
  std::vector<double> class_weights_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("binary_focal", "Gradeline", "1.0.0", "Apache-2.0", gradeline::BinaryFocal)
#endif  // HWY_ONCE

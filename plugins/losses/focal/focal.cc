// Focal losses from logits: of one class out of C (a sigmoid of each class against all others, or a softmax), and of
// independent yes/no decisions.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/focal/focal.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/focal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

GRADELINE_ELEMENT_KERNEL(DecisionFocal)
GRADELINE_LABEL_KERNEL(SoftmaxFocal)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <string>

#include "plugins/sdk/ratio.h"
#include "plugins/simd/focal.h"
#include "plugins/simd/one_vs_all.h"

namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);
HWY_EXPORT(LabelFloats);
HWY_EXPORT(LabelDoubles);

class Focal : public sdk::Ratio<Focal> {
 public:
  static constexpr const char* kId = "focal";
  static constexpr const char* kDoc = "Cross-entropy of one class out of C that fades where the prediction is sure.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"multiclass", "dense-multiclass", "pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c *", "logits", "one logit per class"),
      {sizeof(GdlTensorSpec), GDL_LABEL, GDL_BACKGROUND, 0, "target",
       "number of the class; c: none of them (sigmoid only)", "N *", "c", "ignore_index", nullptr, 0, 0},
      sdk::Weight("N *")};
  static constexpr const char* kActivations[] = {"sigmoid", "softmax", nullptr};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Choice("activation", kActivations, 0, "each class against all others, or one softmax"), simd::kFocalGamma,
      sdk::When("activation=sigmoid", simd::kFocalAlpha),
      sdk::Vector("class_weights", "c", 0, sdk::kInfinity, "factor of each class's losses; not of the denominator"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored item")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("focal", "item losses / valid items (sigmoid: valid items times classes)")};

  explicit Focal(const sdk::Params& params)
      : softmax_(params.Choice("activation") == 1),
        numbers_(simd::FocalNumbers(params)),
        class_weights_(params.Vector("class_weights")) {
    if (softmax_ && params.Number("alpha") >= 0) {
      throw sdk::Refusal{"alpha", "is " + std::to_string(params.Number("alpha")) +
                                      " with activation softmax, which has no yes and no; allowed: -1 (off)"};
    }
  }

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (softmax_ && shape.small[0] == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose softmax is always 1; allowed: 2 or more"};
    }
    Ratio::Plan(shape, plan);
    if (softmax_) plan.raw().pass[plan.raw().pass_count - 1]->scratch_bytes = simd::LabelBytes(shape);
  }

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    if (!softmax_) return simd::OneVsAll<Real>(tile, class_weights_).Denominator();
    return simd::LabelledItems<Real>(tile, 0, 1, 2, no_weights_).TotalWeight(tile);
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    if (softmax_ && FoundBackground(tile)) return {};
    const simd::ElementSums sums = softmax_ ? Labels(tile) : simd::OneVsAll<Real>(tile, class_weights_).Run(*this);
    if (!sums.finite) simd::ReportNonFinite(tile, {0, 2});
    return {sums.numerator, Denominators(tile)};
  }

  simd::ElementSums Run(const simd::ElementRun<float>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(run, numbers_.data());
  }
  simd::ElementSums Run(const simd::ElementRun<double>& run) const {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, numbers_.data());
  }

 private:
  simd::ElementSums Labels(const sdk::Tile<float>& tile) const {
    return HWY_DYNAMIC_DISPATCH(LabelFloats)(tile, {tile, 0, 1, 2, class_weights_}, numbers_.data());
  }
  simd::ElementSums Labels(const sdk::Tile<double>& tile) const {
    return HWY_DYNAMIC_DISPATCH(LabelDoubles)(tile, {tile, 0, 1, 2, class_weights_}, numbers_.data());
  }

  /// Reports the first label that no class has.
  template <typename Real>
  static bool FoundBackground(const sdk::Tile<Real>& tile) {
    const sdk::View<const int32_t> labels = tile.Labels(1);
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) {
        if (labels.Run(o)[i] < tile.raw().shape->small[0]) continue;
        GdlFault& fault = *tile.raw().fault;
        fault.kind = GDL_FAULT_VALUE;
        fault.tensor = 1;
        fault.item = tile.raw().first_item + o * tile.inner() + i;
        fault.what = "is none of the classes, which activation softmax has no place for";
        return true;
      }
    }
    return false;
  }

  bool softmax_;
  std::array<double, 3> numbers_;  ///< of the kernels
  std::vector<double> class_weights_, no_weights_;
};

class BinaryFocal : public simd::Elementwise<BinaryFocal> {
 public:
  static constexpr const char* kId = "focal/binary";
  static constexpr const char* kDoc = "Cross-entropy of independent yes/no decisions that fades where they are sure.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"binary", "multilabel", "pixel-binary", "pixel-multilabel"};
  static constexpr const char* kDims = "N C? *";
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction(kDims, "logits", "one logit per decision"),
                                               sdk::LabelTarget(kDims, nullptr, "ignore_index", "1 yes, 0 no", 1),
                                               sdk::RealTarget(kDims, "probability", 0, 1, "probability of yes", 1),
                                               sdk::Weight(kDims)};
  static constexpr const char* kActivations[] = {"sigmoid", nullptr};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Choice("activation", kActivations, 0, "what makes a probability of a logit"), simd::kFocalGamma,
      simd::kFocalAlpha,
      sdk::Vector("class_weights", "C", 0, sdk::kInfinity, "factor of each class's losses; not of the denominator"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored element")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("focal", "element losses / valid elements")};

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

GDL_LOSS_PLUGIN("focal", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Focal, gradeline::BinaryFocal)
#endif  // HWY_ONCE

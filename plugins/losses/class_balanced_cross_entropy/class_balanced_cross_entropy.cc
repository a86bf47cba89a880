// Cross-entropy whose class weights follow from how often each class occurs (Cui et al.).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/class_balanced_cross_entropy/class_balanced_cross_entropy.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/labels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

GRADELINE_LABEL_KERNEL(RightClass)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <charconv>
#include <cmath>
#include <string>

#include "plugins/simd/labels.h"

namespace gradeline {
namespace {

HWY_EXPORT(LabelFloats);
HWY_EXPORT(LabelDoubles);

class ClassBalancedCrossEntropy : public simd::Labels<ClassBalancedCrossEntropy> {
 public:
  static constexpr const char* kId = "class_balanced_cross_entropy";
  static constexpr const char* kDoc =
      "Softmax cross-entropy with classes weighted by the inverse of their effective number of samples.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"multiclass", "pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N c *", "logits", "one logit per class"),
                                               sdk::LabelTarget("N *", "c", "ignore_index", "number of the class"),
                                               sdk::Weight("N *")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Number("beta", 0.999, 0, 1, "0: classes weigh the same; towards 1: as the inverse of their samples",
                  GDL_MAX_OPEN),
      sdk::Vector("samples_per_class", "c", 1, sdk::kInfinity,
                  "training samples of each class, whole numbers; off: all the same"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored item")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("class_balanced_cross_entropy", "item losses / class weights of the valid targets")};

  explicit ClassBalancedCrossEntropy(const sdk::Params& params)
      : Labels(Weights(params.Number("beta"), params.Vector("samples_per_class"))) {}

  simd::ElementSums Run(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in) const {
    return HWY_DYNAMIC_DISPATCH(LabelFloats)(tile, in, nullptr);
  }
  simd::ElementSums Run(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in) const {
    return HWY_DYNAMIC_DISPATCH(LabelDoubles)(tile, in, nullptr);
  }

 private:
  /// (1 - beta) / (1 - beta^n) of each class, scaled so that they add up to the number of classes.
  static std::vector<double> Weights(double beta, const std::vector<double>& samples) {
    std::vector<double> weights;
    double sum = 0;
    for (const double n : samples) {
      if (n != std::floor(n)) {
        char number[32];
        const std::string text(number, std::to_chars(number, number + sizeof(number), n).ptr);
        throw sdk::Refusal{"samples_per_class", "has " + text + " at [" + std::to_string(weights.size()) +
                                                    "]; allowed: whole numbers of 1 or more"};
      }
      weights.push_back(-1 / std::expm1(n * std::log(beta)));
      sum += weights.back();
    }
    for (double& weight : weights) weight *= static_cast<double>(weights.size()) / sum;
    return weights;
  }
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("class_balanced_cross_entropy", "Gradeline", "1.0.0", "Apache-2.0",
                gradeline::ClassBalancedCrossEntropy)
#endif  // HWY_ONCE

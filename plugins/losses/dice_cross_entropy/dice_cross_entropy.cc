// Soft Dice and pixel cross-entropy, by default their sum.
#include "plugins/simd/region_index.h"

namespace gradeline {
namespace {

class DiceCrossEntropy : public simd::RegionLoss<DiceCrossEntropy, true, true>,
                         public simd::PixelTensors<simd::PixelSignal::kMulticlass> {
 public:
  static constexpr const char* kId = "dice_cross_entropy";
  static constexpr const char* kDoc = "Weighted sum of pixel cross-entropy and 1 - soft Dice, by default their sum.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_SUMS;
  static constexpr GdlParamSpec kParams[] = {
      sdk::Vector("class_weights", "c", 0, sdk::kInfinity, "weight of each class in the cross-entropy"),
      simd::RegionIgnoreIndex(),
      sdk::Number("ce_weight", 1, 0, sdk::kInfinity, "weight of the cross-entropy"),
      sdk::Number("dice_weight", 1, 0, sdk::kInfinity, "weight of 1 - Dice"),
      simd::RegionAbsentClass(),
      simd::RegionAggregate(),
      sdk::Number("smooth", 0, 0, 1e6, "added to both sides of the Dice's ratio"),
      sdk::Number("eps", 1e-7, 0, 1, "least divisor of the Dice")};
  static constexpr GdlComponentSpec kComponents[] = {
      {sizeof(GdlComponentSpec), GDL_ADDITIVE, "cross_entropy", "pixel losses / class weights of the valid pixels",
       "ce_weight"},
      {sizeof(GdlComponentSpec), GDL_AGGREGATE, "dice", "mean of 1 - Dice over classes", "dice_weight"}};

  explicit DiceCrossEntropy(const sdk::Params& params)
      : RegionLoss(params, params.Vector("class_weights")),
        mean_(params, {}),
        index_{0.5, 0.5, params.Number("smooth") / 2, params.Number("eps") / 2} {}

  simd::RegionValue Value(const simd::Overlap* overlaps, int64_t classes, simd::Slopes* slopes) const {
    return mean_.Of(overlaps, classes, slopes, [this](const simd::Overlap& overlap) { return index_.Loss(overlap); });
  }

 private:
  simd::ClassMean mean_;
  simd::OverlapIndex index_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("dice_cross_entropy", "Gradeline", "1.0.0", "Apache-2.0", gradeline::DiceCrossEntropy)

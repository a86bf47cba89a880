// Soft Dice and pixel cross-entropy, by default their sum.
#include "plugins/simd/region_mean.h"

namespace gradeline {
namespace {

class DiceCrossEntropy : public simd::EntropyAndIndex<DiceCrossEntropy> {
 public:
  static constexpr const char* kId = "dice_cross_entropy";
  static constexpr const char* kDoc = "Weighted sum of pixel cross-entropy and 1 - soft Dice, by default their sum.";
  static constexpr uint32_t kVersion = 1;
  static constexpr GdlParamSpec kParams[] = {
      EntropyClassWeights(),
      simd::RegionIgnoreIndex(),
      EntropyWeight(1),
      sdk::Number("dice_weight", 1, 0, sdk::kInfinity, "weight of 1 - Dice"),
      simd::RegionAbsentClass(),
      simd::RegionAggregate(),
      sdk::Number("smooth", 0, 0, 1e6, "added to both sides of the Dice's ratio"),
      sdk::Number("eps", 1e-7, 0, 1, "least divisor of the Dice")};
  static constexpr GdlComponentSpec kComponents[] = {
      kEntropy, {sizeof(GdlComponentSpec), GDL_AGGREGATE, "dice", "mean of 1 - Dice over classes", "dice_weight"}};

  explicit DiceCrossEntropy(const sdk::Params& params) : EntropyAndIndex(params, simd::DiceIndex(params)) {}
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("dice_cross_entropy", "Gradeline", "1.0.0", "Apache-2.0", gradeline::DiceCrossEntropy)

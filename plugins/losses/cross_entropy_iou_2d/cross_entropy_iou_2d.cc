// Pixel cross-entropy and soft IoU, by default their average.
#include "plugins/simd/region_mean.h"

namespace gradeline {
namespace {

class CrossEntropyIou2d : public simd::EntropyAndIndex<CrossEntropyIou2d> {
 public:
  static constexpr const char* kId = "cross_entropy_iou_2d";
  static constexpr const char* kDoc = "Weighted sum of pixel cross-entropy and 1 - soft IoU, by default their average.";
  static constexpr uint32_t kVersion = 1;
  static constexpr GdlParamSpec kParams[] = {EntropyClassWeights(),
                                             simd::RegionIgnoreIndex(),
                                             EntropyWeight(0.5),
                                             sdk::Number("iou_weight", 0.5, 0, sdk::kInfinity, "weight of 1 - IoU"),
                                             simd::RegionAbsentClass(),
                                             simd::RegionAggregate(),
                                             sdk::Number("smooth", 0, 0, 1e6, "added to both sides of the IoU's ratio"),
                                             sdk::Number("eps", 1e-7, 0, 1, "least divisor of the IoU")};
  static constexpr GdlComponentSpec kComponents[] = {
      kEntropy, {sizeof(GdlComponentSpec), GDL_AGGREGATE, "iou", "mean of 1 - IoU over classes", "iou_weight"}};

  explicit CrossEntropyIou2d(const sdk::Params& params) : EntropyAndIndex(params, simd::JaccardIndex(params)) {}
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("cross_entropy_iou_2d", "Gradeline", "1.0.0", "Apache-2.0", gradeline::CrossEntropyIou2d)

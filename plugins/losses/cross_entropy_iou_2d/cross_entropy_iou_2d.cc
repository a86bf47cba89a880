// Pixel cross-entropy and soft IoU, by default their average.
#include "plugins/simd/region_index.h"

namespace gradeline {
namespace {

class CrossEntropyIou2d : public simd::RegionLoss<CrossEntropyIou2d, true, true>,
                          public simd::PixelTensors<simd::PixelSignal::kMulticlass> {
 public:
  static constexpr const char* kId = "cross_entropy_iou_2d";
  static constexpr const char* kDoc = "Weighted sum of pixel cross-entropy and 1 - soft IoU, by default their average.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_SUMS;
  static constexpr GdlParamSpec kParams[] = {
      sdk::Vector("class_weights", "c", 0, sdk::kInfinity, "weight of each class in the cross-entropy"),
      simd::RegionIgnoreIndex(),
      sdk::Number("ce_weight", 0.5, 0, sdk::kInfinity, "weight of the cross-entropy"),
      sdk::Number("iou_weight", 0.5, 0, sdk::kInfinity, "weight of 1 - IoU"),
      simd::RegionAbsentClass(),
      simd::RegionAggregate(),
      sdk::Number("smooth", 0, 0, 1e6, "added to both sides of the IoU's ratio"),
      sdk::Number("eps", 1e-7, 0, 1, "least divisor of the IoU")};
  static constexpr GdlComponentSpec kComponents[] = {
      {sizeof(GdlComponentSpec), GDL_ADDITIVE, "cross_entropy", "pixel losses / class weights of the valid pixels",
       "ce_weight"},
      {sizeof(GdlComponentSpec), GDL_AGGREGATE, "iou", "mean of 1 - IoU over classes", "iou_weight"}};

  explicit CrossEntropyIou2d(const sdk::Params& params)
      : RegionLoss(params, params.Vector("class_weights")),
        mean_(params, {}),
        index_{1, 1, params.Number("smooth"), params.Number("eps")} {}

  simd::RegionValue Value(const simd::Overlap* overlaps, int64_t classes, simd::Slopes* slopes) const {
    return mean_.Of(overlaps, classes, slopes, [this](const simd::Overlap& overlap) { return index_.Loss(overlap); });
  }

 private:
  simd::ClassMean mean_;
  simd::OverlapIndex index_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("cross_entropy_iou_2d", "Gradeline", "1.0.0", "Apache-2.0", gradeline::CrossEntropyIou2d)

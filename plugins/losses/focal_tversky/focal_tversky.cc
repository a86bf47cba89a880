// Focal Tversky: a power of the Tversky loss, of each class or of their mean.
#include "plugins/simd/region_mean.h"

namespace gradeline {
namespace {

using simd::PixelSignal;

template <PixelSignal kSignal>
class FocalTversky : public simd::RegionLoss<FocalTversky<kSignal>, kSignal == PixelSignal::kMulticlass>,
                     public simd::PixelTensors<kSignal> {
 public:
  static constexpr const char* kId =
      simd::IdFor<kSignal>("focal_tversky", "focal_tversky/multilabel", "focal_tversky/binary");
  static constexpr const char* kDoc = "A power of 1 - Tversky index, averaged over classes.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_SUMS;
  static constexpr const char* kPowerOf[] = {"class", "mean", nullptr};
  static constexpr auto kParams = simd::WithClassWeights<kSignal>(
      {simd::RegionIgnoreIndex(), simd::RegionAggregate(), simd::RegionAbsentClass(),
       sdk::Number("fp_weight", 0.5, 0, 1e6, "weight of what is predicted and not true"),
       sdk::Number("fn_weight", 0.5, 0, 1e6, "weight of what is true and not predicted"),
       sdk::Number("smooth", 0, 0, 1e6, "added to both sides of the ratio"),
       sdk::Number("eps", 1e-7, 0, 1, "least divisor"),
       sdk::Number("gamma", 0.75, 0.05, 20,
                   "exponent; below 1 it draws to what is nearly right, above 1 to what is wrong"),
       sdk::Choice("power_of", kPowerOf, 0, "of each class before the mean, or of the mean over classes")});
  static constexpr GdlComponentSpec kComponents[] = {sdk::Aggregate("focal_tversky", "powers of 1 - Tversky index")};

  explicit FocalTversky(const sdk::Params& params)
      : simd::RegionLoss<FocalTversky, kSignal == PixelSignal::kMulticlass>(params),
        mean_(params, simd::MeanWeights<kSignal>(params)),
        index_{params.Number("fp_weight"), params.Number("fn_weight"), params.Number("smooth"), params.Number("eps")},
        gamma_(params.Number("gamma")),
        of_mean_(params.Choice("power_of") == 1) {}

  simd::RegionValue Value(const simd::Overlap* overlaps, int64_t classes, simd::Slopes* slopes) const {
    const double inner = of_mean_ ? 1 : gamma_;
    simd::RegionValue region = mean_.Of(overlaps, classes, slopes, [&](const simd::Overlap& overlap) {
      return simd::Power(index_.Loss(overlap), inner);
    });
    if (!of_mean_) return region;
    const simd::OverlapLoss power = simd::Power({region.value, {1, 1}}, gamma_);
    for (int64_t k = 0; k < classes; ++k) {
      slopes[k].in *= power.slopes.in;
      slopes[k].out *= power.slopes.in;
    }
    region.value = power.loss;
    return region;
  }

 private:
  simd::ClassMean mean_;
  simd::OverlapIndex index_;
  double gamma_;
  bool of_mean_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("focal_tversky", "Gradeline", "1.0.0", "Apache-2.0",
                gradeline::FocalTversky<gradeline::PixelSignal::kMulticlass>,
                gradeline::FocalTversky<gradeline::PixelSignal::kMultilabel>,
                gradeline::FocalTversky<gradeline::PixelSignal::kBinary>)

// Soft Dice of regions of pixels, as segmentation_models_pytorch and MONAI compute it.
#include "plugins/simd/region_index.h"

namespace gradeline {
namespace {

using simd::PixelSignal;

template <PixelSignal kSignal>
class Dice : public simd::RegionLoss<Dice<kSignal>, kSignal == PixelSignal::kMulticlass>,
             public simd::PixelTensors<kSignal> {
 public:
  static constexpr const char* kId = kSignal == PixelSignal::kMulticlass   ? "dice"
                                     : kSignal == PixelSignal::kMultilabel ? "dice/multilabel"
                                                                           : "dice/binary";
  static constexpr const char* kDoc = "1 - Dice of predicted and true regions, averaged over classes.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_SUMS;
  static constexpr auto kParams =
      simd::WithClassWeights<kSignal>({simd::RegionIgnoreIndex(), simd::RegionAggregate(), simd::RegionAbsentClass(),
                                       sdk::Number("smooth", 0, 0, 1e6, "added to both sides of the ratio"),
                                       sdk::Number("eps", 1e-7, 0, 1, "least divisor, and least index for log_loss"),
                                       sdk::Bool("log_loss", false, "-log of the index in place of 1 - index")});
  static constexpr GdlComponentSpec kComponents[] = {sdk::Aggregate("dice", "mean of 1 - Dice over classes")};

  explicit Dice(const sdk::Params& params)
      : simd::RegionLoss<Dice, kSignal == PixelSignal::kMulticlass>(params),
        mean_(params, simd::MeanWeights<kSignal>(params)),
        // Twice the overlap over the sum of the areas: half of everything leaves no 2.
        index_{0.5, 0.5, params.Number("smooth") / 2, params.Number("eps") / 2},
        least_(params.Number("eps")),
        log_(params.Bool("log_loss")) {}

  simd::RegionValue Value(const simd::Overlap* overlaps, int64_t classes, simd::Slopes* slopes) const {
    return mean_.Of(overlaps, classes, slopes, [this](const simd::Overlap& overlap) {
      return log_ ? index_.MinusLog(overlap, least_) : index_.Loss(overlap);
    });
  }

 private:
  simd::ClassMean mean_;
  simd::OverlapIndex index_;
  double least_;
  bool log_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("dice", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Dice<gradeline::PixelSignal::kMulticlass>,
                gradeline::Dice<gradeline::PixelSignal::kMultilabel>, gradeline::Dice<gradeline::PixelSignal::kBinary>)

// Soft Jaccard (IoU) of regions of pixels, as segmentation_models_pytorch computes it.
#include "plugins/simd/region_index.h"

namespace gradeline {
namespace {

using simd::PixelSignal;

template <PixelSignal kSignal>
class Jaccard : public simd::RegionLoss<Jaccard<kSignal>, kSignal == PixelSignal::kMulticlass>,
                public simd::PixelTensors<kSignal> {
 public:
  static constexpr const char* kId = kSignal == PixelSignal::kMulticlass   ? "jaccard"
                                     : kSignal == PixelSignal::kMultilabel ? "jaccard/multilabel"
                                                                           : "jaccard/binary";
  static constexpr const char* kDoc = "1 - Jaccard (IoU) of predicted and true regions, averaged over classes.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_SUMS;
  static constexpr auto kParams =
      simd::WithClassWeights<kSignal>({simd::RegionIgnoreIndex(), simd::RegionAggregate(), simd::RegionAbsentClass(),
                                       sdk::Number("smooth", 0, 0, 1e6, "added to both sides of the ratio"),
                                       sdk::Number("eps", 1e-7, 0, 1, "least divisor, and least index for log_loss"),
                                       sdk::Bool("log_loss", false, "-log of the index in place of 1 - index")});
  static constexpr GdlComponentSpec kComponents[] = {sdk::Aggregate("jaccard", "mean of 1 - Jaccard over classes")};

  explicit Jaccard(const sdk::Params& params)
      : simd::RegionLoss<Jaccard, kSignal == PixelSignal::kMulticlass>(params),
        mean_(params, simd::MeanWeights<kSignal>(params)),
        index_{1, 1, params.Number("smooth"), params.Number("eps")},
        log_(params.Bool("log_loss")) {}

  simd::RegionValue Value(const simd::Overlap* overlaps, int64_t classes, simd::Slopes* slopes) const {
    return mean_.Of(overlaps, classes, slopes, [this](const simd::Overlap& overlap) {
      return log_ ? index_.MinusLog(overlap, index_.eps) : index_.Loss(overlap);
    });
  }

 private:
  simd::ClassMean mean_;
  simd::OverlapIndex index_;
  bool log_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("jaccard", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Jaccard<gradeline::PixelSignal::kMulticlass>,
                gradeline::Jaccard<gradeline::PixelSignal::kMultilabel>,
                gradeline::Jaccard<gradeline::PixelSignal::kBinary>)

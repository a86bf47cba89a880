// Tversky index of regions of pixels: false positives and false negatives weighed apart.
#include "plugins/simd/region_mean.h"

namespace gradeline {
namespace {

using simd::PixelSignal;

template <PixelSignal kSignal>
class Tversky : public simd::IndexMean<Tversky<kSignal>, kSignal> {
 public:
  static constexpr const char* kId = simd::IdFor<kSignal>("tversky", "tversky/multilabel", "tversky/binary");
  static constexpr const char* kDoc = "1 - Tversky index of predicted and true regions, averaged over classes.";
  static constexpr uint32_t kVersion = 1;
  static constexpr auto kParams = simd::WithClassWeights<kSignal>(
      {simd::RegionIgnoreIndex(), simd::RegionAggregate(), simd::RegionAbsentClass(),
       sdk::Number("fp_weight", 0.5, 0, 1e6, "weight of what is predicted and not true"),
       sdk::Number("fn_weight", 0.5, 0, 1e6, "weight of what is true and not predicted"),
       sdk::Number("smooth", 0, 0, 1e6, "added to both sides of the ratio"),
       sdk::Number("eps", 1e-7, 0, 1, "least divisor, and least index for log_loss"),
       sdk::Bool("log_loss", false, "-log of the index in place of 1 - index")});
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Aggregate("tversky", "mean of 1 - Tversky index over classes")};

  explicit Tversky(const sdk::Params& params)
      : simd::IndexMean<Tversky, kSignal>(params, {params.Number("fp_weight"), params.Number("fn_weight"),
                                                   params.Number("smooth"), params.Number("eps")}) {}
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("tversky", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Tversky<gradeline::PixelSignal::kMulticlass>,
                gradeline::Tversky<gradeline::PixelSignal::kMultilabel>,
                gradeline::Tversky<gradeline::PixelSignal::kBinary>)

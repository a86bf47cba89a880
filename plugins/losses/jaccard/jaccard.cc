// Soft Jaccard (IoU) of regions of pixels, as segmentation_models_pytorch computes it.
#include "plugins/simd/region_mean.h"

namespace gradeline {
namespace {

using simd::PixelSignal;

template <PixelSignal kSignal>
class Jaccard : public simd::IndexMean<Jaccard<kSignal>, kSignal> {
 public:
  static constexpr const char* kId = simd::IdFor<kSignal>("jaccard", "jaccard/multilabel", "jaccard/binary");
  static constexpr const char* kDoc = "1 - Jaccard (IoU) of predicted and true regions, averaged over classes.";
  static constexpr uint32_t kVersion = 1;
  static constexpr GdlComponentSpec kComponents[] = {sdk::Aggregate("jaccard", "mean of 1 - Jaccard over classes")};

  explicit Jaccard(const sdk::Params& params) : simd::IndexMean<Jaccard, kSignal>(params, simd::JaccardIndex(params)) {}
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("jaccard", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Jaccard<gradeline::PixelSignal::kMulticlass>,
                gradeline::Jaccard<gradeline::PixelSignal::kMultilabel>,
                gradeline::Jaccard<gradeline::PixelSignal::kBinary>)

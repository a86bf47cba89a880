// Soft Dice of regions of pixels, as segmentation_models_pytorch and MONAI compute it.
#include "plugins/simd/region_mean.h"

namespace gradeline {
namespace {

using simd::PixelSignal;

template <PixelSignal kSignal>
class Dice : public simd::IndexMean<Dice<kSignal>, kSignal> {
 public:
  static constexpr const char* kId = simd::IdFor<kSignal>("dice", "dice/multilabel", "dice/binary");
  static constexpr const char* kDoc = "1 - Dice of predicted and true regions, averaged over classes.";
  static constexpr uint32_t kVersion = 1;
  static constexpr GdlComponentSpec kComponents[] = {sdk::Aggregate("dice", "mean of 1 - Dice over classes")};

  explicit Dice(const sdk::Params& params) : simd::IndexMean<Dice, kSignal>(params, simd::DiceIndex(params)) {}
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("dice", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Dice<gradeline::PixelSignal::kMulticlass>,
                gradeline::Dice<gradeline::PixelSignal::kMultilabel>, gradeline::Dice<gradeline::PixelSignal::kBinary>)

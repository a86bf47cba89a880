// Generalized Dice of regions of pixels: classes weighed by the inverse square of their true area.
#include "plugins/simd/region_index.h"

namespace gradeline {
namespace {

using simd::PixelSignal;

template <PixelSignal kSignal>
class GeneralizedDice : public simd::RegionLoss<GeneralizedDice<kSignal>, kSignal == PixelSignal::kMulticlass>,
                        public simd::PixelTensors<kSignal> {
 public:
  static constexpr const char* kId =
      kSignal == PixelSignal::kMulticlass ? "generalized_dice" : "generalized_dice/multilabel";
  static constexpr const char* kDoc = "1 - Dice of all classes together, each weighed by 1 / its true area squared.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_SUMS;
  static constexpr GdlParamSpec kParams[] = {simd::RegionIgnoreIndex(), simd::RegionAggregate(),
                                             simd::RegionAbsentClass(),
                                             sdk::Number("smooth", 1e-5, 0, 1e6, "added to both sides of the ratio")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Aggregate("generalized_dice", "1 - weighted Dice")};

  explicit GeneralizedDice(const sdk::Params& params)
      : simd::RegionLoss<GeneralizedDice, kSignal == PixelSignal::kMulticlass>(params),
        absent_count_(params.Choice("absent_class") == 1),
        smooth_(params.Number("smooth")) {}

  /// An absent class, if it is to count, weighs as much as the heaviest of the others; alone it weighs 1.
  simd::RegionValue Value(const simd::Overlap* overlaps, int64_t classes, simd::Slopes* slopes) const {
    double heaviest = 0, pixels = 0;
    for (int64_t k = 0; k < classes; ++k) {
      heaviest = std::max(heaviest, WeightOfPresent(overlaps[k]));
      pixels += overlaps[k].pixels;
    }
    const double absent = !absent_count_ ? 0 : heaviest > 0 ? heaviest : 1;
    double good = smooth_, wrong = 0, all = 0;
    const auto weight = [&](const simd::Overlap& overlap) {
      if (overlap.pixels == 0) return 0.0;
      return overlap.truth() > 0 ? WeightOfPresent(overlap) : absent;
    };
    for (int64_t k = 0; k < classes; ++k) {
      all += weight(overlaps[k]);
      good += 2 * weight(overlaps[k]) * overlaps[k].hit;
      wrong += weight(overlaps[k]) * (overlaps[k].extra + overlaps[k].missed);
    }
    const double size = good + wrong, index = size > 0 ? good / size : 0;
    // Where all that could count is 0, the limit of what little p on an absent class costs.
    const double loss = size > 0 ? wrong / size : all > 0 ? 1 : 0;
    for (int64_t k = 0; k < classes; ++k) {
      const double share = size > 0 ? weight(overlaps[k]) / size : 0;
      // p adds 2 to twice the hits and takes 1 from the missed, or adds 1 to what is extra.
      slopes[k] = {-share * (index + loss + loss), share * index};
    }
    return {loss, all > 0};
  }

 private:
  static double WeightOfPresent(const simd::Overlap& overlap) {
    const double truth = overlap.truth();
    return truth > 0 ? 1 / (truth * truth) : 0;
  }

  bool absent_count_;
  double smooth_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("generalized_dice", "Gradeline", "1.0.0", "Apache-2.0",
                gradeline::GeneralizedDice<gradeline::PixelSignal::kMulticlass>,
                gradeline::GeneralizedDice<gradeline::PixelSignal::kMultilabel>)

// Losses of a mean of indices of overlap: alone, or beside the cross-entropy of the same pixels. What such a loss says
// itself is its index, its names and its defaults.
#ifndef GRADELINE_PLUGINS_SIMD_REGION_MEAN_H_
#define GRADELINE_PLUGINS_SIMD_REGION_MEAN_H_

#include "plugins/simd/region_index.h"

namespace gradeline::simd {

/// The id, of three, of a family's loss for pixels of that signal.
template <PixelSignal kSignal>
constexpr const char* IdFor(const char* multiclass, const char* multilabel, const char* binary) {
  if (kSignal == PixelSignal::kMulticlass) return multiclass;
  return kSignal == PixelSignal::kMultilabel ? multilabel : binary;
}

/// Base of a loss that is 1 - index, or -log of it, averaged over classes. `Loss` may have kParams of its own: these
/// and more.
template <typename Loss, PixelSignal kSignal>
class IndexMean : public RegionLoss<Loss, kSignal == PixelSignal::kMulticlass>, public PixelTensors<kSignal> {
 public:
  static constexpr uint32_t kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_SUMS;
  static constexpr auto kParams =
      WithClassWeights<kSignal>({RegionIgnoreIndex(), RegionAggregate(), RegionAbsentClass(),
                                 sdk::Number("smooth", 0, 0, 1e6, "added to both sides of the ratio"),
                                 sdk::Number("eps", 1e-7, 0, 1, "least divisor, and least index for log_loss"),
                                 sdk::Bool("log_loss", false, "-log of the index in place of 1 - index")});

  RegionValue Value(const Overlap* overlaps, int64_t classes, Slopes* slopes) const {
    return mean_.Of(overlaps, classes, slopes, [this](const Overlap& overlap) {
      return log_ ? index_.MinusLog(overlap, least_) : index_.Loss(overlap);
    });
  }

 private:
  friend Loss;
  IndexMean(const sdk::Params& params, const OverlapIndex& index)
      : RegionLoss<Loss, kSignal == PixelSignal::kMulticlass>(params),
        mean_(params, MeanWeights<kSignal>(params)),
        index_(index),
        least_(params.Number("eps")),
        log_(params.Bool("log_loss")) {}

  ClassMean mean_;
  OverlapIndex index_;
  double least_;
  bool log_;
};

/// Base of a loss of two components: the cross-entropy of the pixels, with weights of the classes, and 1 - index
/// averaged over classes that weigh the same. `Loss` has EntropyClassWeights and EntropyWeight among its parameters,
/// and kEntropy as its first component.
template <typename Loss>
class EntropyAndIndex : public RegionLoss<Loss, true, true>, public PixelTensors<PixelSignal::kMulticlass> {
 public:
  static constexpr uint32_t kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_SUMS;

  RegionValue Value(const Overlap* overlaps, int64_t classes, Slopes* slopes) const {
    return mean_.Of(overlaps, classes, slopes, [this](const Overlap& overlap) { return index_.Loss(overlap); });
  }

 protected:
  static constexpr GdlComponentSpec kEntropy = {sizeof(GdlComponentSpec), GDL_ADDITIVE, "cross_entropy",
                                                "pixel losses / class weights of the valid pixels", "ce_weight"};
  static constexpr GdlParamSpec EntropyClassWeights() {
    return sdk::Vector("class_weights", "c", 0, sdk::kInfinity, "weight of each class in the cross-entropy");
  }
  static constexpr GdlParamSpec EntropyWeight(double fallback) {
    return sdk::Number("ce_weight", fallback, 0, sdk::kInfinity, "weight of the cross-entropy");
  }

 private:
  friend Loss;
  EntropyAndIndex(const sdk::Params& params, const OverlapIndex& index)
      : RegionLoss<Loss, true, true>(params, params.Vector("class_weights")), mean_(params, {}), index_(index) {}

  ClassMean mean_;
  OverlapIndex index_;
};

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_REGION_MEAN_H_

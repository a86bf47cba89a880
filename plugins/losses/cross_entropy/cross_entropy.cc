// Softmax cross-entropy of rows and pixels, hard labels or soft targets; the conventions of PyTorch's F.cross_entropy.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/cross_entropy/cross_entropy.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/labels-inl.h"
#include "plugins/simd/mass-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Smoothed {
  Smoothed(double smoothing, int64_t classes, const std::vector<double>& weights)
      : keep(1 - smoothing), spread(smoothing / static_cast<double>(classes)), class_weights(weights) {}

  template <class D, class V>
  HWY_INLINE V Mass(D d, V target, int64_t k) const {
    using T = hn::TFromD<D>;
    const double weight = class_weights.empty() ? 1 : class_weights[static_cast<size_t>(k)];
    return hn::MulAdd(target, hn::Set(d, static_cast<T>(weight * keep)), hn::Set(d, static_cast<T>(weight * spread)));
  }
  template <class D, class V>
  HWY_INLINE V Constant(D d, V) const {
    return hn::Zero(d);
  }

  double keep, spread;
  const std::vector<double>& class_weights;  // empty: 1
};

simd::ElementSums LabelFloats(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in) {
  return RunLabels(hn::ScalableTag<float>(), RightClass(), tile, in);
}
simd::ElementSums LabelDoubles(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in) {
  return RunLabels(hn::ScalableTag<double>(), RightClass(), tile, in);
}
simd::ElementSums MassFloats(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in,
                             const sdk::View<const float>& soft, double smoothing) {
  return RunMass(hn::ScalableTag<float>(), Smoothed(smoothing, in.logits.small, in.classes), tile, in, soft);
}
simd::ElementSums MassDoubles(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in,
                              const sdk::View<const double>& soft, double smoothing) {
  return RunMass(hn::ScalableTag<double>(), Smoothed(smoothing, in.logits.small, in.classes), tile, in, soft);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(LabelFloats);
HWY_EXPORT(LabelDoubles);
HWY_EXPORT(MassFloats);
HWY_EXPORT(MassDoubles);

class CrossEntropy : public sdk::Ratio<CrossEntropy> {
 public:
  static constexpr const char* kId = "cross_entropy";
  static constexpr const char* kDoc = "Softmax cross-entropy of one class out of C, from logits.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"multiclass", "pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c *", "logits", "one logit per class"),
      sdk::LabelTarget("N *", "c", "ignore_index", "number of the class", 1),
      sdk::RealTarget("N c *", "probability", 0, 1, "probability of each class", 1), sdk::Weight("N *")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Vector("class_weights", "c", 0, sdk::kInfinity, "weight of each class"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored item"),
      sdk::Number("label_smoothing", 0, 0, 1, "share of the target spread evenly over all classes")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("cross_entropy", "item losses / class weights of the valid targets (soft targets: items)")};

  explicit CrossEntropy(const sdk::Params& params)
      : class_weights_(params.Vector("class_weights")), smoothing_(params.Number("label_smoothing")) {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (shape.small[kPrediction] == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose cross-entropy is always 0; allowed: 2 or more"};
    }
    Ratio::Plan(shape, plan);
    const bool masses = smoothing_ > 0 || shape.small[kLabels] < 0;
    plan.raw().pass[plan.raw().pass_count - 1]->scratch_bytes =
        masses ? simd::BlockBytes(shape.small[kPrediction], shape.dtype, 3) : simd::LabelBytes(shape, kPrediction);
  }

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    return In(tile).TotalWeight(tile);
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    const simd::LabelledItems<Real> in = In(tile);
    const sdk::View<const Real> soft = tile.Input(kSoft);
    const simd::ElementSums sums = soft || smoothing_ > 0 ? Masses(tile, in, soft) : Labels(tile, in);
    if (!sums.finite) simd::ReportNonFinite(tile, {kPrediction, kSoft, kWeights});
    return {sums.numerator, sums.denominator};
  }

 private:
  static constexpr size_t kPrediction = 0, kLabels = 1, kSoft = 2, kWeights = 3;

  template <typename Real>
  simd::LabelledItems<Real> In(const sdk::Tile<Real>& tile) const {
    return {tile, kPrediction, kLabels, kWeights, class_weights_};
  }
  static simd::ElementSums Labels(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in) {
    return HWY_DYNAMIC_DISPATCH(LabelFloats)(tile, in);
  }
  static simd::ElementSums Labels(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in) {
    return HWY_DYNAMIC_DISPATCH(LabelDoubles)(tile, in);
  }
  simd::ElementSums Masses(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in,
                           const sdk::View<const float>& soft) const {
    return HWY_DYNAMIC_DISPATCH(MassFloats)(tile, in, soft, smoothing_);
  }
  simd::ElementSums Masses(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in,
                           const sdk::View<const double>& soft) const {
    return HWY_DYNAMIC_DISPATCH(MassDoubles)(tile, in, soft, smoothing_);
  }

  std::vector<double> class_weights_;
  double smoothing_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("cross_entropy", "Gradeline", "1.0.0", "Apache-2.0", gradeline::CrossEntropy)
#endif  // HWY_ONCE

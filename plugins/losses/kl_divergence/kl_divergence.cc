// Kullback-Leibler divergence of a softmax from target probabilities: sum over classes of y (log y - log p).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/kl_divergence/kl_divergence.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/mass-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct Divergence {
  template <class D, class V>
  HWY_INLINE V Mass(D, V target, int64_t) const {
    return target;
  }
  /// y log y, 0 at 0.
  template <class D, class V>
  HWY_INLINE V Constant(D d, V target) const {
    const auto some = hn::Gt(target, hn::Zero(d));
    return hn::IfThenElseZero(some, hn::Mul(target, hn::Log(d, target)));
  }
};

simd::ElementSums RunFloats(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in,
                            const sdk::View<const float>& target) {
  return RunMass(hn::ScalableTag<float>(), Divergence(), tile, in, target);
}
simd::ElementSums RunDoubles(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in,
                             const sdk::View<const double>& target) {
  return RunMass(hn::ScalableTag<double>(), Divergence(), tile, in, target);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class KlDivergence : public sdk::Ratio<KlDivergence> {
 public:
  static constexpr const char* kId = "kl_divergence";
  static constexpr const char* kDoc =
      "Kullback-Leibler divergence of the softmax of the logits from target probabilities.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"multiclass", "pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c *", "logits", "one logit per class"),
      sdk::RealTarget("N c *", "probability", 0, 1, "probability of each class"), sdk::Weight("N *")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("kl_divergence", "item losses / items")};

  explicit KlDivergence(const sdk::Params&) {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (shape.small[kPrediction] == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose probability is always 1; allowed: 2 or more"};
    }
    Ratio::Plan(shape, plan);
    plan.raw().pass[plan.raw().pass_count - 1]->scratch_bytes =
        simd::BlockBytes(shape.small[kPrediction], shape.dtype, 3);
  }

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    return In(tile).TotalWeight(tile);
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    const simd::LabelledItems<Real> in = In(tile);
    const simd::ElementSums sums = Run(tile, in, tile.Input(kTarget));
    if (!sums.finite) simd::ReportNonFinite(tile, {kPrediction, kTarget, kWeights});
    return {sums.numerator, sums.denominator};
  }

 private:
  static constexpr size_t kPrediction = 0, kTarget = 1, kWeights = 2;

  template <typename Real>
  simd::LabelledItems<Real> In(const sdk::Tile<Real>& tile) const {
    simd::LabelledItems<Real> in(tile, kPrediction, kTarget, kWeights, no_class_weights_);
    in.labels = {};
    return in;
  }
  static simd::ElementSums Run(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in,
                               const sdk::View<const float>& target) {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(tile, in, target);
  }
  static simd::ElementSums Run(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in,
                               const sdk::View<const double>& target) {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(tile, in, target);
  }

  std::vector<double> no_class_weights_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("kl_divergence", "Gradeline", "1.0.0", "Apache-2.0", gradeline::KlDivergence)
#endif  // HWY_ONCE

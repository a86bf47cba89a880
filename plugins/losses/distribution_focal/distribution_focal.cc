// Distribution focal loss of Li et al. 2020: each side of a box is a softmax over bins, the target lies between two.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/distribution_focal/distribution_focal.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/mass-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

struct TwoBins {
  /// The bins next to the target share 1, each by how near it is; at the last bin too, which has no neighbour. However
  /// near the target is to one, the small share of the other is exact.
  template <class D, class V>
  HWY_INLINE V Mass(D d, V target, int64_t bin) const {
    using T = hn::TFromD<D>;
    const V from_above = hn::Sub(hn::Set(d, T{1}), hn::Sub(target, hn::Set(d, static_cast<T>(bin))));
    const V from_below = hn::Sub(target, hn::Set(d, static_cast<T>(bin - 1)));
    return hn::Max(hn::Min(from_above, from_below), hn::Zero(d));
  }
  template <class D, class V>
  HWY_INLINE V Constant(D d, V) const {
    return hn::Zero(d);
  }
};

simd::ElementSums RunFloats(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in,
                            const sdk::View<const float>& target) {
  return RunMass(hn::ScalableTag<float>(), TwoBins(), tile, in, target);
}
simd::ElementSums RunDoubles(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in,
                             const sdk::View<const double>& target) {
  return RunMass(hn::ScalableTag<double>(), TwoBins(), tile, in, target);
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

class DistributionFocal : public sdk::Ratio<DistributionFocal> {
 public:
  static constexpr const char* kId = "distribution_focal";
  static constexpr const char* kDoc =
      "Cross-entropy of each side of a box, a softmax over bins, with the two bins next to the target.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"box-distribution"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N 4 b", "logits", "one logit per bin of each side"),
      sdk::RealTarget("N 4", nullptr, 0, sdk::kInfinity, "where each side lies, in bins: [0, b - 1]"),
      sdk::Weight("N")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("distribution_focal", "means of the four sides / boxes")};

  explicit DistributionFocal(const sdk::Params&) {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (shape.small[kPrediction] == kSides) {
      throw sdk::Refusal{"prediction", "has 1 bin per side, whose probability is always 1; allowed: 2 or more"};
    }
    Ratio::Plan(shape, plan);
    plan.raw().pass[plan.raw().pass_count - 1]->scratch_bytes =
        BlockBytes(shape) + shape.tile_items * int64_t{sizeof(double)};
  }

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    return Side(tile, 0).TotalWeight(tile);
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    auto* const losses =
        reinterpret_cast<double*>(static_cast<char*>(tile.raw().scratch) + BlockBytes(*tile.raw().shape));
    double* const item_loss = tile.raw().item_loss;
    simd::ElementSums sums;
    for (int64_t side = 0; side < kSides; ++side) {
      simd::LabelledItems<Real> in = Side(tile, side);
      if (item_loss != nullptr) in.item_loss = losses;
      sums.Add(Run(tile, in, Target(tile, side, in.logits.small)));
      for (int64_t o = 0; item_loss != nullptr && o < tile.outer(); ++o) {
        item_loss[o] = side == 0 ? losses[o] / kSides : item_loss[o] + losses[o] / kSides;
      }
    }
    if (!sums.finite) simd::ReportNonFinite(tile, {kPrediction, kTarget, kWeights});
    if (sums.finite) ReportBeyond(tile);
    return {sums.numerator / kSides, Side(tile, 0).TotalWeight(tile)};
  }

 private:
  static constexpr size_t kPrediction = 0, kTarget = 1, kWeights = 2;
  static constexpr int64_t kSides = 4;

  static int64_t BlockBytes(const GdlShape& shape) {
    return simd::BlockBytes(shape.small[kPrediction] / kSides, shape.dtype, 3);
  }

  /// One side of all boxes, as rows of bins.
  template <typename Real>
  simd::LabelledItems<Real> Side(const sdk::Tile<Real>& tile, int64_t side) const {
    simd::LabelledItems<Real> in(tile, kPrediction, kTarget, kWeights, no_class_weights_);
    in.labels = {};
    in.scale /= kSides;
    in.logits.small /= kSides;
    in.gradient.small /= kSides;
    if (in.logits) in.logits.data += side * in.logits.small * in.logits.small_stride;
    if (in.gradient) in.gradient.data += side * in.gradient.small * in.gradient.small_stride;
    return in;
  }
  /// Its targets, the same number for every bin.
  template <typename Real>
  static sdk::View<const Real> Target(const sdk::Tile<Real>& tile, int64_t side, int64_t bins) {
    const sdk::View<const Real> all = tile.Input(kTarget);
    return {all.data + side * all.small_stride, all.outer_stride, 0, bins};
  }

  static simd::ElementSums Run(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in,
                               const sdk::View<const float>& target) {
    return HWY_DYNAMIC_DISPATCH(RunFloats)(tile, in, target);
  }
  static simd::ElementSums Run(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in,
                               const sdk::View<const double>& target) {
    return HWY_DYNAMIC_DISPATCH(RunDoubles)(tile, in, target);
  }

  template <typename Real>
  static void ReportBeyond(const sdk::Tile<Real>& tile) {
    const sdk::View<const Real> target = tile.Input(kTarget);
    const int64_t last = tile.raw().shape->small[kPrediction] / kSides - 1;
    GdlFault& fault = *tile.raw().fault;
    for (int64_t o = 0; o < tile.outer() && fault.kind == 0; ++o) {
      for (int64_t side = 0; side < kSides; ++side) {
        if (*target.Run(o, side) <= static_cast<Real>(last)) continue;
        fault.kind = GDL_FAULT_VALUE;
        fault.tensor = kTarget;
        fault.item = tile.raw().first_item + o;
        fault.what = "lies beyond the last bin; allowed are numbers in [0, bins - 1]";
      }
    }
  }

  std::vector<double> no_class_weights_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("distribution_focal", "Gradeline", "1.0.0", "Apache-2.0", gradeline::DistributionFocal)
#endif  // HWY_ONCE

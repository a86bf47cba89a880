// Cross-entropy of the hardest items only (online hard example mining): a share of them, or those below a probability.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/ohem_cross_entropy/ohem_cross_entropy.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/labels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

GRADELINE_LABEL_KERNEL(RightClass)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <bit>
#include <cmath>

namespace gradeline {
namespace {

HWY_EXPORT(LabelFloats);
HWY_EXPORT(LabelDoubles);

/// The kept items: all that are harder than `bound`, and of those that are as hard, `share` of each.
struct Kept {
  double bound = 0, share = 0, count = 0;
};

/// Losses by the upper 13 bits of their doubles: sign, exponent and one digit.
constexpr int64_t kBins = int64_t{1} << 13;
int64_t BinOf(double loss) { return static_cast<int64_t>(std::bit_cast<uint64_t>(loss) >> 51); }

/// The `count` (1 to all) hardest of `n` losses; negative ones are passed over. `bins`: kBins numbers; `room`: n.
Kept Hardest(const double* losses, int64_t n, int64_t count, int64_t* bins, double* room) {
  std::fill(bins, bins + kBins, 0);
  for (int64_t i = 0; i < n; ++i) ++bins[BinOf(losses[i])];
  int64_t above = 0, bin = BinOf(-0.0) - 1;
  while (above + bins[bin] < count) above += bins[bin--];
  int64_t within = 0;
  for (int64_t i = 0; i < n; ++i) {
    room[within] = losses[i];
    within += BinOf(losses[i]) == bin ? 1 : 0;
  }
  const int64_t left = count - above;  // to be taken of this bin
  std::nth_element(room, room + (within - left), room + within);
  Kept kept{room[within - left], 0, static_cast<double>(count)};
  int64_t harder = 0, ties = 0;
  for (int64_t i = 0; i < within; ++i) {
    harder += room[i] > kept.bound ? 1 : 0;
    ties += room[i] == kept.bound ? 1 : 0;
  }
  kept.share = static_cast<double>(left - harder) / static_cast<double>(ties);
  return kept;
}

class OhemCrossEntropy {
 public:
  static constexpr const char* kId = "ohem_cross_entropy";
  static constexpr const char* kDoc =
      "Softmax cross-entropy of the hardest items: a share of them, or p below a bound.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_NONE;
  static constexpr const char* kSignals[] = {"multiclass", "pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N c *", "logits", "one logit per class"),
                                               sdk::LabelTarget("N *", "c", "ignore_index", "number of the class")};
  static constexpr const char* kModes[] = {"topk", "threshold", nullptr};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Choice("mode", kModes, 0, "keep a share of the items, or those whose right class has a low probability"),
      sdk::When("mode=topk", sdk::Number("k", 1, 0, 1, "share of the valid items that is kept", GDL_MIN_OPEN)),
      sdk::When("mode=threshold",
                sdk::Number("threshold", 0.7, 0, 1, "keep items whose p of the right class is less", GDL_MIN_OPEN)),
      sdk::When("mode=threshold",
                sdk::Integer("min_kept", 100000, 0, 9007199254740992.0, "least number of items kept in a batch")),
      sdk::Vector("class_weights", "c", 0, sdk::kInfinity, "weight of each class"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored item")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("ohem_cross_entropy", "losses of the kept items / their number")};

  explicit OhemCrossEntropy(const sdk::Params& params)
      : topk_(params.Choice("mode") == 0),
        share_(params.Number("k")),
        bound_(-std::log(params.Number("threshold"))),
        min_kept_(static_cast<int64_t>(params.Number("min_kept"))),
        class_weights_(params.Vector("class_weights")) {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (shape.small[0] == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose cross-entropy is always 0; allowed: 2 or more"};
    }
    const int64_t items = shape.outer * shape.inner;
    const int64_t block = simd::LabelBytes(shape);
    plan.AddPass(0, 3, 0).scratch_bytes = block;
    GdlPass& select = plan.AddPass(0, 0, 2);
    select.jobs = 1;
    select.scratch_bytes = (kBins + items) * 8;
    const uint32_t skipped = ranks_by_loss() ? uint32_t{GDL_GRADIENT_ONLY} : 0;
    plan.AddPass(GDL_WRITES_GRADIENT | skipped, 3, 1).scratch_bytes = block;
    plan.raw().batch_bytes = items * (8 + shape.dtype);
  }

  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    const GdlShape& shape = *tile.raw().shape;
    auto* const losses = static_cast<double*>(tile.raw().batch);
    auto* const weights = reinterpret_cast<Real*>(losses + shape.outer * shape.inner);
    if (tile.raw().pass == 0) {
      Rank(tile, losses + tile.raw().first_item);
    } else if (tile.raw().pass == 1) {
      Select(tile, losses, weights);
    } else {
      simd::LabelledItems<Real> in(tile, 0, 1, 0, class_weights_);
      in.weights = {weights + tile.raw().first_item, shape.inner, shape.inner, 1};
      tile.raw().sums[0] += Run(tile, in).numerator;
    }
  }

  void Fold(const GdlFold& fold) const {
    if (fold.pass == 1) {
      fold.numerator[0] = ranks_by_loss() ? fold.sums[0] : 0;
      fold.denominator[0] = fold.sums[1];
    }
    if (fold.pass == 2 && !ranks_by_loss()) fold.numerator[0] = fold.sums[0];
  }

 private:
  /// Whether the numbers that items are ranked by are their losses, so that the sum of the kept ones is known early.
  bool ranks_by_loss() const { return topk_ || class_weights_.empty(); }

  /// Stores what the tile's items are ranked by, -1 for ignored ones: the weighted loss, or -log p.
  template <typename Real>
  void Rank(const sdk::Tile<Real>& tile, double* losses) const {
    simd::LabelledItems<Real> in(tile, 0, 1, 0, topk_ ? class_weights_ : unweighted_);
    in.weights = {};
    in.item_loss = losses;
    if (!Run(tile, in).finite) simd::ReportNonFinite(tile, {0});
    for (int64_t o = 0; o < tile.outer(); ++o) {
      const int32_t* label = in.labels.Run(o);
      for (int64_t i = 0; i < tile.inner(); ++i, ++losses) *losses = label[i] < 0 ? -1 : *losses;
    }
  }

  /// Adds the sum and the number of the kept items, and stores how much of each is kept.
  template <typename Real>
  void Select(const sdk::Tile<Real>& tile, const double* losses, Real* weights) const {
    const int64_t n = tile.raw().shape->outer * tile.raw().shape->inner;
    int64_t valid = 0, count = 0;
    for (int64_t i = 0; i < n; ++i) {
      valid += losses[i] >= 0 ? 1 : 0;
      count += losses[i] > bound_ ? 1 : 0;
    }
    Kept kept{bound_, 0, static_cast<double>(count)};
    const int64_t least =
        topk_ ? std::max<int64_t>(1, static_cast<int64_t>(share_ * static_cast<double>(valid))) : min_kept_;
    if (valid > 0 && (topk_ || count < least)) {
      auto* const bins = static_cast<int64_t*>(tile.raw().scratch);
      kept = Hardest(losses, n, std::min(least, valid), bins, reinterpret_cast<double*>(bins + kBins));
    }
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double weight = losses[i] > kept.bound ? 1 : losses[i] == kept.bound ? kept.share : 0;
      weights[i] = static_cast<Real>(weight);
      sum += weight == 0 ? 0 : weight * losses[i];
    }
    tile.raw().sums[0] += sum;
    tile.raw().sums[1] += kept.count;
  }

  static simd::ElementSums Run(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in) {
    return HWY_DYNAMIC_DISPATCH(LabelFloats)(tile, in, nullptr);
  }
  static simd::ElementSums Run(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in) {
    return HWY_DYNAMIC_DISPATCH(LabelDoubles)(tile, in, nullptr);
  }

  bool topk_;
  double share_, bound_;
  int64_t min_kept_;
  std::vector<double> class_weights_, unweighted_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("ohem_cross_entropy", "Gradeline", "1.0.0", "Apache-2.0", gradeline::OhemCrossEntropy)
#endif  // HWY_ONCE

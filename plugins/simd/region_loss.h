// Losses of regions of pixels: the passes, what is summed over the batch or over each image, and what the classes of a
// region make together. A loss says what one class's overlap is worth (region_index.h) or all of them
// (generalized_dice).
#ifndef GRADELINE_PLUGINS_SIMD_REGION_LOSS_H_
#define GRADELINE_PLUGINS_SIMD_REGION_LOSS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "plugins/simd/finite.h"
#include "plugins/simd/region.h"

namespace gradeline::simd {

/// What the classes of a region are worth, and whether any of them counted; else the value is 0.
struct RegionValue {
  double value = 0;
  bool counts = false;
};

/// What pixels say of the classes: one of c, each of c yes or no, or yes or no.
enum class PixelSignal { kMulticlass, kMultilabel, kBinary };

/// Tensors and signals of a loss for pixels of one signal.
template <PixelSignal kSignal>
struct PixelTensors;

template <>
struct PixelTensors<PixelSignal::kMulticlass> {
  static constexpr const char* kSignals[] = {"pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N c *", "logits", "one logit per class, for a softmax"),
                                               sdk::LabelTarget("N *", "c", "ignore_index", "number of the class")};
};

template <>
struct PixelTensors<PixelSignal::kMultilabel> {
  static constexpr const char* kSignals[] = {"pixel-multilabel"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c *", "logits", "one logit per class, for a sigmoid each"),
      sdk::LabelTarget("N c *", nullptr, "ignore_index", "1 of the class, 0 not", 1),
      sdk::RealTarget("N c *", "probability", 0, 1, "probability of the class", 1)};
};

template <>
struct PixelTensors<PixelSignal::kBinary> {
  static constexpr const char* kSignals[] = {"pixel-binary"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N *", "logits", "one logit, for a sigmoid"),
                                               sdk::LabelTarget("N *", nullptr, "ignore_index", "1 yes, 0 no", 1),
                                               sdk::RealTarget("N *", "probability", 0, 1, "probability of yes", 1)};
};

inline constexpr const char* kAggregates[] = {"batch", "image", nullptr};
inline constexpr const char* kAbsentClass[] = {"skip", "count", nullptr};

/// Parameters of every such loss.
constexpr GdlParamSpec RegionIgnoreIndex() {
  return sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored pixel");
}
constexpr GdlParamSpec RegionAggregate() {
  return sdk::Choice("aggregate", kAggregates, 0,
                     "sums over the whole batch, or over each image, whose losses are averaged");
}
constexpr GdlParamSpec RegionAbsentClass() {
  return sdk::Choice("absent_class", kAbsentClass, 0,
                     "whether a class that is true of no pixel is left out of the mean");
}

/// Base of a loss whose last component is of regions; the first may be the cross-entropy of the same pixels. `Loss` has
/// kTensors as above, and, const,
///   RegionValue Value(const Overlap* overlaps, int64_t classes, Slopes* slopes)   slopes: of every class, all stored
/// Pass 0 adds up, pass 1 writes the gradient. Sums over the batch: overlaps, folded to a value. Sums over images: each
/// whole image is valued in pass 0, its slopes stay in batch scratch; the sums are the values and how many counted.
template <typename Loss, bool kSoftmax, bool kEntropy = false>
class RegionLoss {
 public:
  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    const int64_t classes = shape.small[0];
    if (kSoftmax && classes == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose probability is always 1; allowed: 2 or more"};
    }
    uint64_t inputs = 3;
    if (!kSoftmax && shape.small[1] < 0) inputs = 5;
    const int64_t scratch = RegionScratch(classes, shape.dtype);
    GdlPass& sums =
        plan.AddPass(by_image_ ? GDL_WHOLE_OUTER : 0, inputs, kEntropySums + (by_image_ ? 2 : classes * kOverlapSums));
    sums.scratch_bytes = scratch + (by_image_ ? classes * static_cast<int64_t>(sizeof(Overlap)) : 0);
    plan.AddPass(GDL_GRADIENT_ONLY | GDL_WRITES_GRADIENT, inputs, 0).scratch_bytes = scratch;
    const int64_t slopes = classes * static_cast<int64_t>(sizeof(Slopes));
    plan.raw().carry_bytes = static_cast<int64_t>(sizeof(Carry)) + (by_image_ ? 0 : slopes);
    plan.raw().batch_bytes = by_image_ ? shape.outer * slopes : 0;
  }

  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    const RegionPixels<Real> pixels(tile, Soft(tile));
    if (tile.raw().pass == 1) {
      StoreGradient(tile, pixels);
      return;
    }
    PixelEntropy entropy{class_weights_};
    const bool finite = by_image_ ? AddImages(tile, pixels, entropy) : AddBatch(tile, pixels, entropy);
    if constexpr (kEntropy) {
      tile.raw().sums[0] += entropy.numerator;
      tile.raw().sums[1] += entropy.denominator;
    }
    if (finite) return;
    if constexpr (kSoftmax) {
      ReportNonFinite(tile, {0});
    } else {
      ReportNonFinite(tile, {0, 2});
    }
  }

  void Fold(const GdlFold& fold) const {
    Carry& carry = *static_cast<Carry*>(fold.carry);
    if (fold.pass == 0) {
      const double* sums = fold.sums + kEntropySums;
      if constexpr (kEntropy) {
        carry.entropy = fold.sums[0];
        carry.weight = fold.sums[1];
      }
      if (by_image_) {
        carry.share = sums[1] > 0 ? 1 / sums[1] : 0;
        carry.value = sums[0] * carry.share;
      } else {
        carry.share = 1;
        carry.value = ValueOf(reinterpret_cast<const Overlap*>(sums), fold.shape->small[0], SlopesBehind(carry)).value;
      }
    }
    if constexpr (kEntropy) {
      fold.numerator[0] = carry.entropy;
      fold.denominator[0] = carry.weight;
    }
    fold.numerator[kEntropy ? 1 : 0] = carry.value;
    fold.denominator[kEntropy ? 1 : 0] = 1;
  }

 protected:
  // NOLINTNEXTLINE(bugprone-crtp-constructor-accessibility): a base of several losses may stand between
  RegionLoss(const sdk::Params& params, std::vector<double> entropy_weights = {})
      : by_image_(params.Choice("aggregate") == 1), class_weights_(std::move(entropy_weights)) {}

 private:
  static constexpr int64_t kOverlapSums = sizeof(Overlap) / sizeof(double);
  static constexpr int64_t kEntropySums = kEntropy ? 2 : 0;

  struct Carry {
    double entropy, weight, value;
    double share;  ///< of one region in the value
  };
  static Slopes* SlopesBehind(Carry& carry) { return reinterpret_cast<Slopes*>(&carry + 1); }
  static const Slopes* SlopesBehind(const Carry& carry) { return reinterpret_cast<const Slopes*>(&carry + 1); }

  RegionValue ValueOf(const Overlap* overlaps, int64_t classes, Slopes* slopes) const {
    return static_cast<const Loss&>(*this).Value(overlaps, classes, slopes);
  }

  template <typename Real>
  static sdk::View<const Real> Soft(const sdk::Tile<Real>& tile) {
    if constexpr (kSoftmax) return {};
    return tile.Input(2);
  }

  template <typename Real>
  static bool Add(const RegionPixels<Real>& pixels, Overlap* overlaps, PixelEntropy& entropy) {
    if constexpr (kSoftmax) return AddSoftmaxRegions(pixels, overlaps, kEntropy ? &entropy : nullptr);
    return AddSigmoidRegions(pixels, overlaps);
  }

  template <typename Real>
  bool AddBatch(const sdk::Tile<Real>& tile, const RegionPixels<Real>& pixels, PixelEntropy& entropy) const {
    return Add(pixels, reinterpret_cast<Overlap*>(tile.raw().sums + kEntropySums), entropy);
  }

  template <typename Real>
  bool AddImages(const sdk::Tile<Real>& tile, const RegionPixels<Real>& pixels, PixelEntropy& entropy) const {
    const int64_t classes = pixels.logits.small;
    auto* const overlaps =
        reinterpret_cast<Overlap*>(static_cast<char*>(pixels.scratch) + RegionScratch(classes, sizeof(Real)));
    auto* const slopes = static_cast<Slopes*>(tile.raw().batch);
    bool finite = true;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      std::fill(overlaps, overlaps + classes, Overlap{});
      finite &= Add(pixels.One(o), overlaps, entropy);
      const RegionValue image = ValueOf(overlaps, classes, slopes + (tile.first_outer() + o) * classes);
      tile.raw().sums[kEntropySums] += image.value;
      tile.raw().sums[kEntropySums + 1] += image.counts ? 1 : 0;
    }
    return finite;
  }

  template <typename Real>
  void StoreGradient(const sdk::Tile<Real>& tile, const RegionPixels<Real>& pixels) const {
    const Carry& carry = *static_cast<const Carry*>(tile.raw().carry);
    const PixelEntropy entropy{class_weights_, kEntropy ? tile.raw().scale[0] : 0};
    const double scale = tile.raw().scale[kEntropy ? 1 : 0] * carry.share;
    const auto store = [&](const RegionPixels<Real>& part, const Slopes* slopes) {
      if constexpr (kSoftmax) {
        SoftmaxRegionGradient(part, slopes, scale, kEntropy ? &entropy : nullptr);
      } else {
        SigmoidRegionGradient(part, slopes, scale);
      }
    };
    if (!by_image_) return store(pixels, SlopesBehind(carry));
    const auto* const slopes = static_cast<const Slopes*>(tile.raw().batch);
    for (int64_t o = 0; o < tile.outer(); ++o) {
      store(pixels.One(o), slopes + (tile.first_outer() + o) * pixels.logits.small);
    }
  }

  bool by_image_;
  std::vector<double> class_weights_;  // of the cross-entropy
};

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_REGION_LOSS_H_

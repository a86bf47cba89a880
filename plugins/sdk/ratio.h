// Losses of one additive component: sum of item losses / sum of item weights. Ratio plans the passes and folds;
// Elementwise adds the loops of losses whose items are single numbers, so that such a loss is one function. Losses of
// several components or of whole-batch sums (Dice) write Plan and Fold themselves.
#ifndef GRADELINE_PLUGINS_SDK_RATIO_H_
#define GRADELINE_PLUGINS_SDK_RATIO_H_

#include <cstdint>
#include <string_view>

#include "plugins/sdk/loss.h"

namespace gradeline::sdk {

/// Index of the tensor called `name` of that kind; -1 if the loss has none.
template <typename Loss>
constexpr int FindTensor(std::string_view name, uint32_t kind) {
  int index = 0;
  for (const GdlTensorSpec& spec : Loss::kTensors) {
    if (name == spec.name && kind == spec.kind) return index;
    ++index;
  }
  return -1;
}

/// Base of a loss of one additive component. The denominator comes from labels and weights alone, so that it is known
/// before the gradient is written without reading the predictions twice. `Loss` has, const and for every Real:
///   double Denominators(const Tile<Real>&)  the tile's sum of item denominators; reads labels and weights only
///   Sums Terms(const Tile<Real>&)           the tile's sums; stores gradient and item losses where they are wanted
template <typename Loss>
class Ratio {
 public:
  struct Sums {
    double numerator = 0, denominator = 0;
  };

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    uint64_t present = 0, counted = 0;
    int index = 0;
    for (const GdlTensorSpec& spec : Loss::kTensors) {
      const uint64_t bit = shape.small[index] >= 0 ? uint64_t{1} << index : 0;
      present |= bit;
      if (Counts(spec)) counted |= bit;
      ++index;
    }
    if (counted != 0) {
      plan.AddPass(GDL_GRADIENT_ONLY | GDL_DENOMINATOR_ONLY, counted, 1);
    } else {
      plan.raw().items_are_denominator = 1;
    }
    plan.AddPass(GDL_WRITES_GRADIENT, present, 2);
  }

  template <typename Real>
  void Compute(const Tile<Real>& tile) const {
    const Loss& loss = static_cast<const Loss&>(*this);
    if (IsLast(*tile.raw().shape, tile.raw().pass)) {
      const Sums sums = loss.Terms(tile);
      tile.raw().sums[0] += sums.numerator;
      tile.raw().sums[1] += sums.denominator;
    } else {
      tile.raw().sums[0] += loss.Denominators(tile);
    }
  }

  void Fold(const GdlFold& fold) const {
    if (IsLast(*fold.shape, fold.pass)) {
      fold.numerator[0] = fold.sums[0];
      fold.denominator[0] = fold.sums[1];
    } else {
      fold.denominator[0] = fold.sums[0];
    }
  }

 protected:
  Ratio() = default;

 private:
  static bool Counts(const GdlTensorSpec& spec) {
    return spec.kind == GDL_LABEL || std::string_view(spec.name) == "weight";
  }
  static bool IsLast(const GdlShape& shape, uint32_t pass) {
    int index = 0;
    for (const GdlTensorSpec& spec : Loss::kTensors) {
      if (Counts(spec) && shape.small[index] >= 0) return pass == 1;
      ++index;
    }
    return pass == 0;
  }
};

/// Loss of one number and its derivative by the prediction.
struct Term {
  double loss = 0, slope = 0;
};

/// Base of a loss whose items are single numbers: "prediction", "target" (real, labels or either) and perhaps "weight",
/// all of the same dims without small axes. `Loss` has
///   Term At(double prediction, double target, int64_t outer) const    outer: number of the item's outer in the batch
/// Labels arrive as 0 and 1; ignored ones do not arrive, count nothing and get gradient 0.
template <typename Loss>
class Elementwise : public Ratio<Loss> {
 public:
  using Sums = typename Ratio<Loss>::Sums;

  template <typename Real>
  double Denominators(const Tile<Real>& tile) const {
    const Columns<Real> in(tile);
    double sum = 0;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) {
        if (!in.Ignored(o, i)) sum += in.WeightOf(o, i);
      }
    }
    return sum;
  }

  template <typename Real>
  Sums Terms(const Tile<Real>& tile) const {
    const Loss& loss = static_cast<const Loss&>(*this);
    const Columns<Real> in(tile);
    const View<const Real> prediction = tile.Input(0);
    const View<Real> gradient = tile.Gradient(0);
    const double scale = gradient ? tile.raw().scale[0] : 0;
    double* item_loss = tile.raw().item_loss;
    Sums sums;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) {
        Term term;
        if (!in.Ignored(o, i)) {
          const double weight = in.WeightOf(o, i);
          term = loss.At(prediction.Run(o)[i], in.Target(o, i), tile.first_outer() + o);
          term.loss *= weight;
          term.slope *= weight;
          sums.numerator += term.loss;
          sums.denominator += weight;
        }
        if (gradient) gradient.Run(o)[i] = static_cast<Real>(scale * term.slope);
        if (item_loss != nullptr) *item_loss++ = term.loss;
      }
    }
    return sums;
  }

 private:
  /// Targets and weights of a tile; whichever of them came.
  template <typename Real>
  struct Columns {
    static constexpr int kLabel = FindTensor<Loss>("target", GDL_LABEL);
    static constexpr int kReal = FindTensor<Loss>("target", GDL_REAL);
    static constexpr int kWeight = FindTensor<Loss>("weight", GDL_REAL);

    explicit Columns(const Tile<Real>& tile) {
      if constexpr (kLabel >= 0) labels = tile.Labels(kLabel);
      if constexpr (kReal >= 0) reals = tile.Input(kReal);
      if constexpr (kWeight >= 0) weights = tile.Input(kWeight);
    }
    bool Ignored(int64_t o, int64_t i) const { return labels && labels.Run(o)[i] < 0; }
    double Target(int64_t o, int64_t i) const { return labels ? labels.Run(o)[i] : reals.Run(o)[i]; }
    double WeightOf(int64_t o, int64_t i) const { return weights ? weights.Run(o)[i] : 1; }

    View<const int32_t> labels;
    View<const Real> reals, weights;
  };

  Elementwise() = default;
  friend Loss;
};

}  // namespace gradeline::sdk

#endif  // GRADELINE_PLUGINS_SDK_RATIO_H_

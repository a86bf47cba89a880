// Losses whose items are single numbers, on vectors: the base class and what a kernel is given. The kernel's loop is in
// elementwise-inl.h; losses/mse is the shortest example.
#ifndef GRADELINE_PLUGINS_SIMD_ELEMENTWISE_H_
#define GRADELINE_PLUGINS_SIMD_ELEMENTWISE_H_

#include <algorithm>
#include <cstdint>

#include "plugins/sdk/ratio.h"
#include "plugins/simd/finite.h"

namespace gradeline::simd {

/// A run of consecutive elements. Either `real` or `labels` (0, 1, or negative: ignored) is there; NULL: not wanted or
/// not given. Without predictions only the weights are added up.
template <typename Real>
struct ElementRun {
  const Real* prediction;
  const Real* real;
  const int32_t* labels;
  const Real* weights;
  const Real* factors;  ///< a number of each element that the loss asked for (ElementFactor), else NULL
  Real* gradient;
  double* item_loss;
  double scale;
  int64_t n;
  bool stream;

  /// `count` elements of it, from element `begin` on; without factors.
  ElementRun From(int64_t begin, int64_t count) const {
    const auto at = [&](auto* column) { return column == nullptr ? nullptr : column + begin; };
    return {at(prediction), at(real),      at(labels), at(weights), nullptr,
            at(gradient),   at(item_loss), scale,      count,       stream};
  }
};

struct ElementSums {
  double numerator = 0, denominator = 0;
  bool finite = true;

  void Add(const ElementSums& other) {
    numerator += other.numerator;
    denominator += other.denominator;
    finite &= other.finite;
  }
};

/// Base of a loss with tensors "prediction", "target" (real, labels or either) and perhaps "weight", of the same dims
/// without small axes; checks by itself that they are finite (kFlags has GDL_CHECKS_FINITE). `Loss` has
///   ElementSums Run(const ElementRun<Real>&) const   for both types: the vector loop with its kernel
///   double ElementFactor(int64_t outer) const        optional: a number for all elements of an outer of the batch
///   bool has_factors() const                         with it: whether it is not 1 everywhere
template <typename Loss>
class Elementwise : public sdk::Ratio<Loss> {
 public:
  using Sums = typename sdk::Ratio<Loss>::Sums;

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    const Columns<Real> in(tile);
    ElementSums sums;
    for (int64_t o = 0; o < in.outer; ++o) sums.Add(static_cast<const Loss&>(*this).Run(in.Run(o)));
    return sums.denominator;
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    const Loss& loss = static_cast<const Loss&>(*this);
    const Columns<Real> in(tile);
    ElementSums sums;
    for (int64_t o = 0; o < in.outer; ++o) {
      if constexpr (requires { loss.has_factors(); }) {
        if (loss.has_factors()) {
          RunWithFactors(tile, in.Run(o), o * in.inner, sums);
          continue;
        }
      }
      sums.Add(loss.Run(in.Run(o)));
    }
    if (!sums.finite) ReportNonFinite(tile, {0, kReal >= 0 ? size_t{kReal} : 0, kWeight >= 0 ? size_t{kWeight} : 0});
    return {sums.numerator, sums.denominator};
  }

 protected:
  Elementwise() = default;

 private:
  static constexpr int kLabel = sdk::FindTensor<Loss>("target", GDL_LABEL);
  static constexpr int kReal = sdk::FindTensor<Loss>("target", GDL_REAL);
  static constexpr int kWeight = sdk::FindTensor<Loss>("weight", GDL_REAL);
  static constexpr int64_t kChunk = 512;

  /// The tile as runs: one of all elements where they lie one behind the other, else one for each outer.
  template <typename Real>
  struct Columns {
    explicit Columns(const sdk::Tile<Real>& tile)
        : prediction(tile.Input(0)), gradient(tile.Gradient(0)), outer(tile.outer()), inner(tile.inner()) {
      if constexpr (kLabel >= 0) labels = tile.Labels(kLabel);
      if constexpr (kReal >= 0) real = tile.Input(kReal);
      if constexpr (kWeight >= 0) weights = tile.Input(kWeight);
      item_loss = tile.raw().item_loss;
      scale = gradient ? tile.raw().scale[0] : 0;
      stream = (tile.raw().flags & GDL_STREAM) != 0;
      if (Dense(prediction) && Dense(real) && Dense(labels) && Dense(weights) && Dense(gradient)) {
        inner *= outer;
        outer = 1;
      }
    }
    template <typename T>
    bool Dense(const sdk::View<T>& view) const {
      return !view || view.outer_stride == inner;
    }
    template <typename T>
    static T* At(const sdk::View<T>& view, int64_t o) {
      return view ? view.Run(o) : nullptr;
    }
    ElementRun<Real> Run(int64_t o) const {
      return {At(prediction, o),
              At(real, o),
              At(labels, o),
              At(weights, o),
              nullptr,
              At(gradient, o),
              item_loss == nullptr ? nullptr : item_loss + o * inner,
              scale,
              inner,
              stream};
    }

    sdk::View<const Real> prediction, real, weights;
    sdk::View<const int32_t> labels;
    sdk::View<Real> gradient;
    double* item_loss;
    double scale;
    bool stream;
    int64_t outer, inner;
  };

  /// `first`: number of the run's first element in the tile.
  template <typename Real>
  void RunWithFactors(const sdk::Tile<Real>& tile, const ElementRun<Real>& whole, int64_t first,
                      ElementSums& sums) const {
    const Loss& loss = static_cast<const Loss&>(*this);
    alignas(64) Real factors[kChunk];
    for (int64_t begin = 0; begin < whole.n; begin += kChunk) {
      const int64_t n = std::min(kChunk, whole.n - begin);
      for (int64_t i = 0; i < n;) {
        const int64_t outer = (first + begin + i) / tile.inner();
        const int64_t end = std::min(n, (outer + 1) * tile.inner() - first - begin);
        const auto factor = static_cast<Real>(loss.ElementFactor(tile.first_outer() + outer));
        for (; i < end; ++i) factors[i] = factor;
      }
      ElementRun<Real> run = whole.From(begin, n);
      run.factors = factors;
      sums.Add(loss.Run(run));
    }
  }
};

/// Tensors, signals and tasks of a loss of predicted values.
struct ValueTensors {
  static constexpr const char* kSignals[] = {"value"};
  static constexpr const char* kTasks[] = {"regression"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N *", nullptr, "predicted values"),
                                               sdk::RealTarget("N *", nullptr, 0, 0, "true values"),
                                               sdk::Weight("N *")};
};

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_ELEMENTWISE_H_

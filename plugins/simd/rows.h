// Losses whose items are rows of numbers that are added up one by one (a sigmoid per class), on vectors. The kernel is
// one of elementwise-inl.h; losses/quality_focal and losses/asymmetric are the examples.
#ifndef GRADELINE_PLUGINS_SIMD_ROWS_H_
#define GRADELINE_PLUGINS_SIMD_ROWS_H_

#include <algorithm>
#include <cstdint>

#include "plugins/simd/elementwise.h"

namespace gradeline::simd {

/// Elements of a row that a kernel sees at a time, in memory on the stack where they do not lie one behind the other.
inline constexpr int64_t kRowPiece = 256;

/// `n` numbers that lie `stride` apart, from `from` on; copied to `room` unless they are dense already.
template <typename T>
const T* Gather(const T* from, int64_t stride, int64_t n, T* room) {
  if (stride == 1 || from == nullptr) return from;
  for (int64_t i = 0; i < n; ++i) room[i] = from[i * stride];
  return room;
}

/// Base of a loss with a prediction "N c" and either
/// - targets "N c" (labels, reals or either) and perhaps a weight "N c": each element has its own, or
/// - labels "N" of c, a real "quality" "N" and perhaps a weight "N": the target of class `label` is the row's quality,
///   that of all others 0.
/// The loss checks by itself that its inputs are finite (kFlags has GDL_CHECKS_FINITE). `Loss` has
///   ElementSums Run(const ElementRun<Real>&) const   for both types: the vector loop with its kernel
///   double RowShare(int64_t c) const                 denominator of a row of weight 1 and c valid elements
/// A row whose elements are ignored or weighted counts as their share of its c elements.
template <typename Loss>
class Rows : public sdk::Ratio<Loss> {
 public:
  using Sums = typename sdk::Ratio<Loss>::Sums;

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    const Columns<Real> in(tile);
    double sum = 0;
    for (int64_t o = 0; o < tile.outer(); ++o) sum += Row(in, o).denominator;
    return sum;
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    const Columns<Real> in(tile);
    ElementSums sums;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      const ElementSums row = Row(in, o);
      if (tile.raw().item_loss != nullptr) tile.raw().item_loss[o] = row.numerator;
      sums.Add(row);
    }
    const auto present = [](int tensor) { return static_cast<size_t>(std::max(tensor, 0)); };
    if (!sums.finite) ReportNonFinite(tile, {0, present(kReal), present(kQuality), present(kWeight)});
    return {sums.numerator, sums.denominator};
  }

 protected:
  Rows() = default;

 private:
  static constexpr int kLabel = sdk::FindTensor<Loss>("target", GDL_LABEL);
  static constexpr int kReal = sdk::FindTensor<Loss>("target", GDL_REAL);
  static constexpr int kQuality = sdk::FindTensor<Loss>("quality", GDL_REAL);
  static constexpr int kWeight = sdk::FindTensor<Loss>("weight", GDL_REAL);

  template <typename Real>
  struct Columns {
    explicit Columns(const sdk::Tile<Real>& tile)
        : prediction(tile.Input(0)), gradient(tile.Gradient(0)), labels(tile.Labels(kLabel)) {
      if constexpr (kReal >= 0) real = tile.Input(kReal);
      if constexpr (kQuality >= 0) quality = tile.Input(kQuality);
      if constexpr (kWeight >= 0) weights = tile.Input(kWeight);
      scale = gradient ? tile.raw().scale[0] : 0;
      classes = tile.raw().shape->small[0];
    }
    sdk::View<const Real> prediction, real, quality, weights;
    sdk::View<Real> gradient;
    sdk::View<const int32_t> labels;
    double scale;
    int64_t classes;
  };

  template <typename Real>
  ElementSums Row(const Columns<Real>& in, int64_t o) const {
    if constexpr (kQuality >= 0) {
      return RowOfClass(in, o);
    } else {
      ElementSums row;
      for (int64_t begin = 0; begin < in.classes; begin += kRowPiece) {
        const int64_t n = std::min(kRowPiece, in.classes - begin);
        Room<Real> reals, weights;
        int32_t labels[kRowPiece];
        ElementRun<Real> run{};
        run.real = At(in.real, o, begin, n, reals.numbers);
        run.labels = At(in.labels, o, begin, n, labels);
        run.weights = At(in.weights, o, begin, n, weights.numbers);
        row.Add(Piece(in, o, begin, n, in.scale, run));
      }
      row.denominator *= Share(in.classes) / static_cast<double>(in.classes);
      return row;
    }
  }

  template <typename Real>
  ElementSums RowOfClass(const Columns<Real>& in, int64_t o) const {
    const int32_t label = *in.labels.Run(o);
    const double weight = in.weights ? static_cast<double>(*in.weights.Run(o)) : 1;
    ElementSums row;
    row.finite = std::isfinite(weight);
    const double counted = label < 0 ? 0 : weight;
    if (in.prediction) {
      row.finite &= std::isfinite(*in.quality.Run(o));
      for (int64_t begin = 0; begin < in.classes; begin += kRowPiece) {
        const int64_t n = std::min(kRowPiece, in.classes - begin);
        Room<Real> target;
        std::fill_n(target.numbers, n, Real{0});
        if (label >= begin && label < begin + n) target.numbers[label - begin] = *in.quality.Run(o);
        ElementRun<Real> run{};
        run.real = target.numbers;
        row.Add(Piece(in, o, begin, n, in.scale * counted, run));
      }
    }
    row.numerator = counted == 0 ? 0 : counted * row.numerator;
    row.denominator = counted * Share(in.classes);
    return row;
  }

  /// Runs elements [begin, begin + n) of a row; `run` has their targets.
  template <typename Real>
  ElementSums Piece(const Columns<Real>& in, int64_t o, int64_t begin, int64_t n, double scale,
                    ElementRun<Real>& run) const {
    Room<Real> prediction, gradient;
    run.prediction = At(in.prediction, o, begin, n, prediction.numbers);
    const bool dense = in.gradient.small_stride == 1;
    run.gradient = !in.gradient ? nullptr : dense ? in.gradient.Run(o, begin) : gradient.numbers;
    run.scale = scale;
    run.n = n;
    const ElementSums sums = static_cast<const Loss&>(*this).Run(run);
    for (int64_t i = 0; in.gradient && !dense && i < n; ++i) *in.gradient.Run(o, begin + i) = gradient.numbers[i];
    return sums;
  }

  template <typename Real>
  struct alignas(64) Room {
    Real numbers[kRowPiece];
  };

  template <typename T, typename U>
  static const U* At(const sdk::View<T>& view, int64_t o, int64_t begin, int64_t n, U* room) {
    return view ? Gather<U>(view.Run(o, begin), view.small_stride, n, room) : nullptr;
  }

  double Share(int64_t classes) const { return static_cast<const Loss&>(*this).RowShare(classes); }
};

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_ROWS_H_

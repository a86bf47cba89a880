// Items of C classes as C decisions each: yes for the class of the item's label, no for all others. Kernels of
// elementwise-inl.h see runs of such decisions.
#ifndef GRADELINE_PLUGINS_SIMD_ONE_VS_ALL_H_
#define GRADELINE_PLUGINS_SIMD_ONE_VS_ALL_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "plugins/simd/elementwise.h"

namespace gradeline::simd {

/// The decisions of a tile with tensors "prediction" N c * (0), labels "target" N * (1; c: none of the classes) and
/// "weight" N * (2).
template <typename Real>
class OneVsAll {
 public:
  /// `class_weights`: factor of each class's decisions, or none.
  OneVsAll(const sdk::Tile<Real>& tile, const std::vector<double>& class_weights)
      : tile_(tile),
        logits_(tile.Input(0)),
        labels_(tile.Labels(1)),
        weights_(tile.Input(2)),
        gradient_(tile.Gradient(0)),
        class_weights_(class_weights),
        classes_(tile.raw().shape->small[0]),
        scale_(gradient_ ? tile.raw().scale[0] : 0),
        stream_((tile.raw().flags & GDL_STREAM) != 0) {}

  /// Weights of all valid decisions.
  double Denominator() const {
    double sum = 0;
    for (int64_t o = 0; o < tile_.outer(); ++o) {
      for (int64_t i = 0; i < tile_.inner(); ++i) {
        if (labels_.Run(o)[i] >= 0) sum += weights_ ? static_cast<double>(weights_.Run(o)[i]) : 1;
      }
    }
    return sum * static_cast<double>(classes_);
  }

  /// `loss.Run(ElementRun<Real>)` over all decisions. The denominator is left at 0.
  template <typename Loss>
  ElementSums Run(const Loss& loss) const {
    ElementSums sums;
    const bool rows = tile_.inner() == 1 && logits_.small_stride == 1 && (!gradient_ || gradient_.small_stride == 1);
    for (int64_t o = 0; o < tile_.outer(); o += rows ? RowsAtOnce() : 1) {
      if (rows) {
        RunRows(loss, o, std::min(RowsAtOnce(), tile_.outer() - o), sums);
      } else {
        RunOuter(loss, o, sums);
      }
    }
    sums.denominator = 0;
    return sums;
  }

 private:
  static constexpr int64_t kPiece = 1024;  ///< most decisions of a run

  double ClassWeight(int64_t k) const { return class_weights_.empty() ? 1 : class_weights_[static_cast<size_t>(k)]; }
  int32_t Label(int64_t o, int64_t i) const { return labels_.Run(o)[i]; }

  /// Rows that lie one behind the other and make up a run.
  int64_t RowsAtOnce() const {
    const bool dense = logits_.outer_stride == classes_ && (!gradient_ || gradient_.outer_stride == classes_);
    return dense ? std::max<int64_t>(1, kPiece / classes_) : 1;
  }

  template <typename Loss>
  void RunRows(const Loss& loss, int64_t first, int64_t rows, ElementSums& sums) const {
    double* const items = tile_.raw().item_loss;
    if (items != nullptr) std::fill_n(items + first, rows, 0.0);
    for (int64_t begin = 0; begin < classes_; begin += kPiece) {
      const int64_t wide = std::min(kPiece, classes_ - begin), n = rows * wide;  // one row where it is not whole
      int32_t yes[kPiece];
      Real weights[kPiece], factors[kPiece];
      double losses[kPiece];
      std::fill_n(yes, n, 0);
      for (int64_t r = 0; r < rows; ++r) {
        const int32_t label = Label(first + r, 0);
        if (label < 0) std::fill_n(yes + r * wide, wide, -1);
        if (label >= begin && label < begin + wide) yes[r * wide + label - begin] = 1;
        if (weights_) std::fill_n(weights + r * wide, wide, *weights_.Run(first + r));
        for (int64_t k = 0; k < wide && !class_weights_.empty(); ++k) {
          factors[r * wide + k] = static_cast<Real>(ClassWeight(begin + k));
        }
      }
      ElementRun<Real> run{};
      run.prediction = logits_.Run(first, begin);
      run.labels = yes;
      run.weights = weights_ ? weights : nullptr;
      run.factors = class_weights_.empty() ? nullptr : factors;
      run.gradient = gradient_ ? gradient_.Run(first, begin) : nullptr;
      run.item_loss = items == nullptr ? nullptr : losses;
      run.scale = scale_;
      run.n = n;
      run.stream = stream_;
      sums.Add(loss.Run(run));
      for (int64_t j = 0; items != nullptr && j < n; ++j) items[first + j / wide] += losses[j];
    }
  }

  template <typename Loss>
  void RunOuter(const Loss& loss, int64_t o, ElementSums& sums) const {
    for (int64_t begin = 0; begin < tile_.inner(); begin += kPiece) {
      const int64_t n = std::min(kPiece, tile_.inner() - begin);
      double* const items = tile_.raw().item_loss;
      double* const own = items == nullptr ? nullptr : items + o * tile_.inner() + begin;
      if (own != nullptr) std::fill_n(own, n, 0.0);
      for (int64_t k = 0; k < classes_; ++k) {
        const double factor = ClassWeight(k);
        int32_t yes[kPiece];
        double losses[kPiece];
        for (int64_t j = 0; j < n; ++j) {
          const int32_t label = Label(o, begin + j);
          yes[j] = label < 0 ? -1 : label == k ? 1 : 0;
        }
        ElementRun<Real> run{};
        run.prediction = logits_.Run(o, k) + begin;
        run.labels = yes;
        run.weights = weights_ ? weights_.Run(o) + begin : nullptr;
        run.gradient = gradient_ ? gradient_.Run(o, k) + begin : nullptr;
        run.item_loss = own == nullptr ? nullptr : losses;
        run.scale = scale_ * factor;
        run.n = n;
        run.stream = stream_;
        ElementSums part = loss.Run(run);
        part.numerator *= factor;
        sums.Add(part);
        for (int64_t j = 0; own != nullptr && j < n; ++j) own[j] += factor * losses[j];
      }
    }
  }

  const sdk::Tile<Real>& tile_;
  const sdk::View<const Real> logits_;
  const sdk::View<const int32_t> labels_;
  const sdk::View<const Real> weights_;
  const sdk::View<Real> gradient_;
  const std::vector<double>& class_weights_;
  const int64_t classes_;
  const double scale_;
  const bool stream_;
};

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_ONE_VS_ALL_H_

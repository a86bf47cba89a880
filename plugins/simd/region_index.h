// Indices of overlap: Dice, Jaccard and Tversky are one formula. And the mean of what classes are worth.
#ifndef GRADELINE_PLUGINS_SIMD_REGION_INDEX_H_
#define GRADELINE_PLUGINS_SIMD_REGION_INDEX_H_

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <vector>

#include "plugins/simd/region_loss.h"

namespace gradeline::simd {

/// A loss of one overlap, and its slopes.
struct OverlapLoss {
  double loss = 0;
  Slopes slopes;

  Slopes SlopesTimes(double factor) const { return {slopes.in * factor, slopes.out * factor}; }
};

/// 1 - index, index = (hit + smooth) / max(hit + extra_weight extra + missed_weight missed + smooth, eps). Weights 1/2
/// with half the smooth and eps: Dice; weights 1: Jaccard. The difference from 1 is summed as such: no digit is lost
/// where the index is near 1.
struct OverlapIndex {
  double extra_weight, missed_weight, smooth, eps;

  OverlapLoss Loss(const Overlap& overlap) const {
    const double wrong = extra_weight * overlap.extra + missed_weight * overlap.missed;
    const double good = overlap.hit + smooth, size = good + wrong;
    if (IsSmall(size)) return {1 - good / Least(eps), {-1 / Least(eps), 0}};
    const double loss = wrong / size, index = good / size;
    return {loss, {-(missed_weight * index + loss) / size, extra_weight * index / size}};
  }

  /// -log of the index, which counts as `least_index` where it is less.
  OverlapLoss MinusLog(const Overlap& overlap, double least_index) const {
    const OverlapLoss plain = Loss(overlap);
    const double wrong = extra_weight * overlap.extra + missed_weight * overlap.missed;
    const double good = overlap.hit + smooth, size = good + wrong;
    const double index = good / (IsSmall(size) ? Least(eps) : size);
    if (index < Least(least_index)) return {-std::log(Least(least_index)), {}};
    return {index < 0.5 ? -std::log(index) : -std::log1p(-plain.loss), plain.SlopesTimes(1 / index)};
  }

 private:
  bool IsSmall(double size) const { return size <= eps || size == 0; }
  static double Least(double given) { return std::max(given, DBL_MIN); }
};

/// Twice the overlap over the sum of the areas: half of everything leaves no 2.
inline OverlapIndex DiceIndex(const sdk::Params& params) {
  return {0.5, 0.5, params.Number("smooth") / 2, params.Number("eps") / 2};
}

/// The overlap over the union.
inline OverlapIndex JaccardIndex(const sdk::Params& params) {
  return {1, 1, params.Number("smooth"), params.Number("eps")};
}

/// loss^exponent.
inline OverlapLoss Power(const OverlapLoss& of, double exponent) {
  if (exponent == 1) return of;
  if (of.loss <= 0) return {};  // the limit of a gradient by logits
  const double power = std::pow(of.loss, exponent);
  return {power, of.SlopesTimes(exponent * power / of.loss)};
}

/// The weighted mean over classes that have pixels, without those that are true of none unless they are to count.
struct ClassMean {
  bool absent_count;
  std::vector<double> weights;  ///< empty: 1

  ClassMean(const sdk::Params& params, std::vector<double> class_weights)
      : absent_count(params.Choice("absent_class") == 1), weights(std::move(class_weights)) {}

  double Weight(const Overlap& overlap, int64_t k) const {
    if (overlap.pixels == 0 || (overlap.truth() == 0 && !absent_count)) return 0;
    return weights.empty() ? 1 : weights[static_cast<size_t>(k)];
  }

  /// `loss_of(overlap)`: the OverlapLoss of one class.
  template <typename LossOf>
  RegionValue Of(const Overlap* overlaps, int64_t classes, Slopes* slopes, const LossOf& loss_of) const {
    double total = 0, sum = 0;
    for (int64_t k = 0; k < classes; ++k) total += Weight(overlaps[k], k);
    for (int64_t k = 0; k < classes; ++k) {
      slopes[k] = {};
      const double weight = Weight(overlaps[k], k);
      if (weight == 0) continue;
      const OverlapLoss loss = loss_of(overlaps[k]);
      sum += weight * loss.loss;
      slopes[k] = loss.SlopesTimes(weight / total);
    }
    return {total > 0 ? sum / total : 0, total > 0};
  }
};

/// Weights of the classes in the mean; binary pixels have none.
template <PixelSignal kSignal>
std::vector<double> MeanWeights(const sdk::Params& params) {
  if constexpr (kSignal == PixelSignal::kBinary) return {};
  return params.Vector("class_weights");
}

constexpr GdlParamSpec RegionClassWeights() {
  return sdk::Vector("class_weights", "c", 0, sdk::kInfinity, "weight of each class in the mean; 0 leaves it out");
}

/// A loss's own parameters, with class_weights before them where there are classes.
template <PixelSignal kSignal, size_t n>
constexpr auto WithClassWeights(const GdlParamSpec (&own)[n]) {
  constexpr size_t kMore = kSignal == PixelSignal::kBinary ? 0 : 1;
  std::array<GdlParamSpec, n + kMore> all{};
  if constexpr (kMore == 1) all[0] = RegionClassWeights();
  for (size_t i = 0; i < n; ++i) all[i + kMore] = own[i];
  return all;
}

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_REGION_INDEX_H_

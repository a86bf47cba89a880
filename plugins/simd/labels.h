// Base of losses of one right class out of C from logits: a softmax and one term of each item.
#ifndef GRADELINE_PLUGINS_SIMD_LABELS_H_
#define GRADELINE_PLUGINS_SIMD_LABELS_H_

#include <utility>
#include <vector>

#include "plugins/sdk/ratio.h"
#include "plugins/simd/softmax.h"

namespace gradeline::simd {

/// Tensors: "prediction" N c *, labels "target" N *, "weight" N *, in this order. The loss checks by itself that they
/// are finite (kFlags has GDL_CHECKS_FINITE). `Loss` has
///   ElementSums Run(const Tile<Real>&, const LabelledItems<Real>&) const   for both types: RunLabels with its kernel
template <typename Loss>
class Labels : public sdk::Ratio<Loss> {
 public:
  using Sums = typename sdk::Ratio<Loss>::Sums;

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (shape.small[0] == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose softmax is always 1; allowed: 2 or more"};
    }
    sdk::Ratio<Loss>::Plan(shape, plan);
    plan.raw().pass[plan.raw().pass_count - 1]->scratch_bytes = LabelBytes(shape);
  }

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    return LabelledItems<Real>(tile, 0, 1, 2, class_weights_).TotalWeight(tile);
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    const LabelledItems<Real> in(tile, 0, 1, 2, class_weights_);
    const ElementSums sums = static_cast<const Loss&>(*this).Run(tile, in);
    if (!sums.finite) ReportNonFinite(tile, {0, 2});
    return {sums.numerator, sums.denominator};
  }

 private:
  friend Loss;

  /// `class_weights`: a number for each class, or none.
  explicit Labels(std::vector<double> class_weights) : class_weights_(std::move(class_weights)) {}

  std::vector<double> class_weights_;
};

}  // namespace gradeline::simd

#endif  // GRADELINE_PLUGINS_SIMD_LABELS_H_

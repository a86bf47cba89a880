// Cross-entropy and the first term of its Taylor series in 1 - p once more (PolyLoss, Leng et al.).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/poly1_cross_entropy/poly1_cross_entropy.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/labels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

class Poly1 {
 public:
  explicit Poly1(const double* epsilon) : epsilon_(*epsilon) {}

  template <class D, class V>
  HWY_INLINE LabelTerm<V> At(D d, V minus_log_p, V p, V q) const {
    using T = hn::TFromD<D>;
    const V epsilon = hn::Set(d, static_cast<T>(epsilon_));
    const V loss = hn::MulAdd(epsilon, q, minus_log_p);
    if (epsilon_ >= 0) return {loss, hn::MulAdd(epsilon, p, hn::Set(d, T{1}))};
    return {loss, hn::NegMulAdd(epsilon, q, hn::Set(d, static_cast<T>(1 + epsilon_)))};  // 1 + epsilon p, all positive
  }

 private:
  double epsilon_;
};

GRADELINE_LABEL_KERNEL(Poly1)

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "plugins/simd/labels.h"

namespace gradeline {
namespace {

HWY_EXPORT(LabelFloats);
HWY_EXPORT(LabelDoubles);

class Poly1CrossEntropy : public simd::Labels<Poly1CrossEntropy> {
 public:
  static constexpr const char* kId = "poly1_cross_entropy";
  static constexpr const char* kDoc = "Softmax cross-entropy plus epsilon times 1 - p of the right class.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"multiclass", "pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N c *", "logits", "one logit per class"),
                                               sdk::LabelTarget("N *", "c", "ignore_index", "number of the class"),
                                               sdk::Weight("N *")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Number("epsilon", 1, -1, sdk::kInfinity, "factor of 1 - p"),
      sdk::Vector("class_weights", "c", 0, sdk::kInfinity, "weight of each class"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored item")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Additive("poly1_cross_entropy", "item losses / class weights of the valid targets")};

  explicit Poly1CrossEntropy(const sdk::Params& params)
      : Labels(params.Vector("class_weights")), epsilon_(params.Number("epsilon")) {}

  simd::ElementSums Run(const sdk::Tile<float>& tile, const simd::LabelledItems<float>& in) const {
    return HWY_DYNAMIC_DISPATCH(LabelFloats)(tile, in, &epsilon_);
  }
  simd::ElementSums Run(const sdk::Tile<double>& tile, const simd::LabelledItems<double>& in) const {
    return HWY_DYNAMIC_DISPATCH(LabelDoubles)(tile, in, &epsilon_);
  }

 private:
  double epsilon_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("poly1_cross_entropy", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Poly1CrossEntropy)
#endif  // HWY_ONCE

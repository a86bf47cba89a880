// Lovász-softmax of pixels: the Jaccard loss of each class, extended to probabilities (Berman et al.).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/lovasz_softmax/lovasz_softmax.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/lovasz.h"
#include "plugins/simd/right-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

/// Stores the errors of a block: 1 - p of the right class, with a sign, and p of the others.
template <class D, class T = hn::TFromD<D>>
void ErrorsOfBlock(D d, const sdk::Tile<T>& tile, const BlockItems& block, const sdk::View<T>& errors,
                   FiniteCheck<D>& finite) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const sdk::View<const T> logits = tile.Input(0);
  const sdk::View<const int32_t> labels = tile.Labels(1);
  const int64_t padded = WholeVectors(d, block.items), classes = logits.small;
  RightBlock<T, ExponentialsOfDifferences> softmax;  // equal errors stay equal: their order is that of the items
  softmax.plane = ScratchPlane(static_cast<T*>(tile.raw().scratch), classes);
  BlockLabels<T> items;
  items.Fill(d, labels, block);
  HWY_ALIGN T inverse[simd::kBlockItems];
  softmax.FillAndTake(d, logits, block, items.label, finite);
  for (int64_t j = 0; j < padded; j += lanes) {
    // Quotients, so that what is certain is exactly 1. Ignored items get 0.
    const RightOf<V> is = softmax.At(d, j);
    const V counts = hn::Load(d, items.weight + j), mine = hn::Neg(hn::Div(is.others, hn::Add(is.others, is.e)));
    hn::Store(hn::IfThenElseZero(hn::Ne(counts, hn::Zero(d)), mine), d, softmax.right + j);
    hn::Store(hn::Mul(counts, is.inverse), d, inverse + j);
  }
  for (int64_t k = 0; k < classes; ++k) {
    T* const run = softmax.plane.Run(k);
    for (int64_t j = 0; j < padded; j += lanes) {
      hn::Store(hn::Mul(hn::Load(d, run + j), hn::Load(d, inverse + j)), d, run + j);
    }
  }
  softmax.PutRight(0, block.items);
  StoreBlock(d, softmax.plane, block, errors, false);
}

/// Stores the gradient of a block: p_k times (slope of p_k less the mean of all slopes), with 1 - p_k kept whole.
template <class D, class T = hn::TFromD<D>>
void GradientOfBlock(D d, const sdk::Tile<T>& tile, const BlockItems& block, const simd::LovaszSlopes<T>& slopes) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const sdk::View<const T> logits = tile.Input(0);
  const int64_t padded = WholeVectors(d, block.items), classes = logits.small;
  const V one = hn::Set(d, T{1}), zero = hn::Zero(d);
  auto* const scratch = static_cast<T*>(tile.raw().scratch);
  SoftmaxBlock<T> softmax;
  softmax.logits = softmax.exponentials = ScratchPlane(scratch, classes);
  const Plane<T> slope = ScratchPlane(scratch, classes, 1);
  FiniteCheck<D> unused(d);
  LoadBlock(d, logits, block, softmax.logits);
  LoadBlock(d, slopes.of_errors, block, slope);
  softmax.Fill(d, padded, unused);
  HWY_ALIGN T factor[simd::kBlockItems];
  for (int64_t j = 0; j < padded; ++j) {
    factor[j] = slopes.Factor(j < block.items ? block.Outer(j) : block.outer);
  }
  for (int64_t j = 0; j < padded; j += lanes) {
    const V rest = hn::Load(d, softmax.rest + j), sum = hn::Add(rest, one), inverse = hn::Div(one, sum);
    // The first of the highest classes is the one that `rest` leaves out.
    V highest = zero, others = zero, before = zero;
    for (int64_t k = 0; k < classes; ++k) {
      const V e = hn::Load(d, softmax.exponentials.Run(k) + j), s = hn::Load(d, slope.Run(k) + j);
      const auto first = hn::And(hn::Ge(e, one), hn::Eq(before, zero));
      others = hn::Add(others, hn::IfThenZeroElse(first, hn::Mul(s, e)));
      highest = hn::IfThenElse(first, s, highest);
      before = hn::IfThenElse(first, one, before);
    }
    const V scale = hn::Mul(hn::Mul(inverse, inverse), hn::Load(d, factor + j));
    before = zero;
    for (int64_t k = 0; k < classes; ++k) {
      T* const at = softmax.exponentials.Run(k) + j;
      const V e = hn::Load(d, at), s = hn::Load(d, slope.Run(k) + j);
      const auto first = hn::And(hn::Ge(e, one), hn::Eq(before, zero));
      before = hn::IfThenElse(first, one, before);
      // s * (sum of e) - (sum of s * e), less what e of the first has in both.
      const V own = hn::MulAdd(s, rest, hn::IfThenZeroElse(first, hn::Sub(s, highest)));
      hn::Store(hn::Mul(hn::Mul(e, scale), hn::Sub(own, others)), d, at);
    }
  }
  StoreBlock(d, softmax.exponentials, block, tile.Gradient(0), (tile.raw().flags & GDL_STREAM) != 0);
}

template <class D, class T = hn::TFromD<D>>
bool RunErrors(D d, const sdk::Tile<T>& tile, const sdk::View<T>& errors) {
  FiniteCheck<D> finite(d);
  ForEachBlock(tile.outer(), tile.inner(), simd::BlockItems(errors.small, sizeof(T)),
               [&](const BlockItems& block) HWY_ATTR { ErrorsOfBlock(d, tile, block, errors, finite); });
  return !finite.Failed();
}

template <class D, class T = hn::TFromD<D>>
void RunGradient(D d, const sdk::Tile<T>& tile, const simd::LovaszSlopes<T>& slopes) {
  ForEachBlock(tile.outer(), tile.inner(), simd::BlockItems(slopes.of_errors.small, sizeof(T)),
               [&](const BlockItems& block) HWY_ATTR { GradientOfBlock(d, tile, block, slopes); });
  if ((tile.raw().flags & GDL_STREAM) != 0) hwy::FlushStream();
}

bool ErrorsOfFloats(const sdk::Tile<float>& tile, const sdk::View<float>& errors) {
  return RunErrors(hn::ScalableTag<float>(), tile, errors);
}
bool ErrorsOfDoubles(const sdk::Tile<double>& tile, const sdk::View<double>& errors) {
  return RunErrors(hn::ScalableTag<double>(), tile, errors);
}
void GradientOfFloats(const sdk::Tile<float>& tile, const simd::LovaszSlopes<float>& slopes) {
  RunGradient(hn::ScalableTag<float>(), tile, slopes);
}
void GradientOfDoubles(const sdk::Tile<double>& tile, const simd::LovaszSlopes<double>& slopes) {
  RunGradient(hn::ScalableTag<double>(), tile, slopes);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(ErrorsOfFloats);
HWY_EXPORT(ErrorsOfDoubles);
HWY_EXPORT(GradientOfFloats);
HWY_EXPORT(GradientOfDoubles);

class LovaszSoftmax : public simd::Lovasz<LovaszSoftmax> {
 public:
  static constexpr const char* kId = "lovasz_softmax";
  static constexpr const char* kDoc = "Lovász extension of the Jaccard loss of each class, from logits.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_CHECKS_FINITE, kMerge = GDL_MERGE_NONE;
  static constexpr const char* kSignals[] = {"pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N c *", "logits", "one logit per class"),
                                               sdk::LabelTarget("N *", "c", "ignore_index", "number of the class")};
  static constexpr const char* kClassChoices[] = {"present", "all", nullptr};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Choice("classes", kClassChoices, 0, "which classes the mean is over: those with a pixel, or all"),
      sdk::Bool("per_image", false, "a loss of each image, averaged, instead of one of the batch"),
      sdk::Integer("ignore_index", -100, -2147483648.0, 2147483647.0, "label value that marks an ignored pixel")};
  static constexpr GdlComponentSpec kComponents[] = {
      sdk::Aggregate("lovasz_softmax", "mean over the classes of the extended Jaccard losses")};

  static constexpr uint64_t kGradientInputs = 1;

  explicit LovaszSoftmax(const sdk::Params& params)
      : all_classes_(params.Choice("classes") == 1), per_image_(params.Bool("per_image")) {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (shape.small[0] == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose softmax is always 1; allowed: 2 or more"};
    }
    Lovasz::Plan(shape, plan);
  }

  int64_t Classes(const GdlShape& shape) const { return shape.small[0]; }
  int64_t ScratchBytes(const GdlShape& shape) const { return simd::BlockBytes(shape.small[0], shape.dtype, 2); }
  bool CountsAbsent() const { return all_classes_; }
  bool per_image() const { return per_image_; }

  template <typename Real>
  void Errors(const sdk::Tile<Real>& tile, const sdk::View<Real>& errors) const {
    bool finite;
    if constexpr (sizeof(Real) == 4) {
      finite = HWY_DYNAMIC_DISPATCH(ErrorsOfFloats)(tile, errors);
    } else {
      finite = HWY_DYNAMIC_DISPATCH(ErrorsOfDoubles)(tile, errors);
    }
    if (!finite) simd::ReportNonFinite(tile, {0});
  }

  template <typename Real>
  void Gradient(const sdk::Tile<Real>& tile, const simd::LovaszSlopes<Real>& slopes) const {
    if constexpr (sizeof(Real) == 4) {
      HWY_DYNAMIC_DISPATCH(GradientOfFloats)(tile, slopes);
    } else {
      HWY_DYNAMIC_DISPATCH(GradientOfDoubles)(tile, slopes);
    }
  }

 private:
  bool all_classes_, per_image_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("lovasz_softmax", "Gradeline", "1.0.0", "Apache-2.0", gradeline::LovaszSoftmax)
#endif  // HWY_ONCE

// Boundary loss: probabilities times the signed distances to the true boundaries, which the worker sends.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/boundary/boundary.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/softmax-inl.h"

#ifndef GRADELINE_LOSSES_BOUNDARY_TENSORS_
#define GRADELINE_LOSSES_BOUNDARY_TENSORS_
namespace gradeline {

template <typename Real>
struct BoundaryPixels {
  sdk::View<const Real> logits, distances, weights;
  sdk::View<Real> gradient;
  double* item_loss;
  double scale;

  explicit BoundaryPixels(const sdk::Tile<Real>& tile)
      : logits(tile.Input(0)),
        distances(tile.Input(1)),
        weights(tile.Input(2)),
        gradient(tile.Gradient(0)),
        item_loss(tile.raw().item_loss),
        scale(gradient ? tile.raw().scale[0] : 0) {}
};

}  // namespace gradeline
#endif  // GRADELINE_LOSSES_BOUNDARY_TENSORS_

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

/// Sums numbers g_k of an item under the exponentials of its classes: that of the top class apart from the others'.
template <class D, class V = hn::Vec<D>>
struct PartedSum {
  V top, others;

  explicit PartedSum(D d) : top(hn::Zero(d)), others(hn::Zero(d)) {}
  /// A class as high as the top one takes its place, and what was the top becomes one of the others.
  template <class M>
  HWY_INLINE void Add(V e, M below, V number) {
    others = hn::Add(others, hn::IfThenElse(below, hn::Mul(e, number), top));
    top = hn::IfThenElse(below, top, number);
  }
  /// Mean of g_k - g_top over the classes, each with its probability.
  HWY_INLINE V Away(V rest, V inverse) const { return hn::Mul(hn::NegMulAdd(rest, top, others), inverse); }
};

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void RunBlock(D d, const BoundaryPixels<T>& in, const BlockItems& block, bool stream, T* scratch,
                         FiniteCheck<D>& finite, SumOf<D>& numerator) {
  using V = hn::Vec<D>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = WholeVectors(d, block.items), classes = in.logits.small;
  const V one = hn::Set(d, T{1}), zero = hn::Zero(d), scale = hn::Set(d, static_cast<T>(in.scale));
  SoftmaxBlock<T> softmax;
  softmax.logits = softmax.exponentials = ScratchPlane(scratch, classes);
  const Plane<T> distance = ScratchPlane(scratch, classes, 1);
  LoadBlock(d, in.logits, block, softmax.logits);
  LoadBlock(d, in.distances, block, distance);
  HWY_ALIGN T weight[simd::kBlockItems] = {};
  for (int64_t j = 0; j < block.items; ++j) {
    weight[j] = in.weights ? in.weights.Run(block.Outer(j))[block.Inner(j)] : T{1};
  }
  HWY_ALIGN T top[simd::kBlockItems];
  HWY_ALIGN T away[simd::kBlockItems];
  PartedSum<D> parted(d);
  const auto visit = [&](int64_t k, int64_t j, V e, auto below) HWY_ATTR {
    const V g = hn::Load(d, distance.Run(k) + j);
    finite.See(g);
    parted.Add(e, below, g);
    if (k + 1 < classes) return;
    hn::Store(parted.top, d, top + j);
    hn::Store(parted.others, d, away + j);
    parted = PartedSum<D>(d);
  };
  softmax.FillAndVisit(d, padded, finite, visit);
  for (int64_t j = 0; j < padded; j += lanes) {
    const V rest = hn::Load(d, softmax.rest + j), inverse = hn::Div(one, hn::Add(rest, one));
    const V w = hn::Load(d, weight + j);
    finite.See(w);
    parted.top = hn::Load(d, top + j);
    parted.others = hn::Load(d, away + j);
    const auto counts = hn::Ne(w, zero);
    const V mean = hn::Mul(hn::Add(parted.top, parted.others), inverse);
    const V loss = hn::IfThenElseZero(counts, hn::Mul(mean, w));
    numerator.Add(loss);
    if (in.item_loss != nullptr) StoreItems(d, loss, block.items - j, in.item_loss + block.number + j);
    hn::Store(parted.Away(rest, inverse), d, away + j);
    hn::Store(hn::IfThenElseZero(counts, hn::Mul(hn::Mul(inverse, w), scale)), d, weight + j);
  }
  if (!in.gradient) return;
  for (int64_t k = 0; k < classes; ++k) {
    T* const run = softmax.exponentials.Run(k);
    for (int64_t j = 0; j < padded; j += lanes) {
      const V g = hn::Sub(hn::Sub(hn::Load(d, distance.Run(k) + j), hn::Load(d, top + j)), hn::Load(d, away + j));
      hn::Store(hn::Mul(hn::Mul(hn::Load(d, run + j), hn::Load(d, weight + j)), g), d, run + j);
    }
    if (!block.rows) CopyRun(d, run, block.items, in.gradient.Run(block.outer, k) + block.first, stream);
  }
  if (block.rows) StoreBlock(d, softmax.exponentials, block, in.gradient, stream);
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE simd::ElementSums RunBlocks(D d, const sdk::Tile<T>& tile, const BoundaryPixels<T>& in) {
  const bool stream = (tile.raw().flags & GDL_STREAM) != 0;
  FiniteCheck<D> finite(d);
  SumOf<D> numerator(d);
  ForEachBlock(tile.outer(), tile.inner(), simd::BlockItems(in.logits.small, sizeof(T)),
               [&](const BlockItems& block) HWY_ATTR {
                 RunBlock(d, in, block, stream, static_cast<T*>(tile.raw().scratch), finite, numerator);
               });
  if (stream) hwy::FlushStream();
  return {numerator.Total(), 0, !finite.Failed()};
}

simd::ElementSums Floats(const sdk::Tile<float>& tile, const BoundaryPixels<float>& in) {
  return RunBlocks(hn::ScalableTag<float>(), tile, in);
}
simd::ElementSums Doubles(const sdk::Tile<double>& tile, const BoundaryPixels<double>& in) {
  return RunBlocks(hn::ScalableTag<double>(), tile, in);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(Floats);
HWY_EXPORT(Doubles);

class Boundary : public sdk::Ratio<Boundary> {
 public:
  static constexpr const char* kId = "boundary";
  static constexpr const char* kDoc = "Probabilities times the signed distances to the true boundaries of the classes.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"pixel-multiclass"};
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N c *", "logits", "one logit per class"),
      {sizeof(GdlTensorSpec), GDL_REAL, 0, 0, "distance",
       "signed distance to the boundary of the class: negative inside, positive outside; 0 leaves a class out", "N c *",
       nullptr, nullptr, nullptr, 0, 0},
      sdk::Weight("N *")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("boundary", "expected distances / pixels")};

  explicit Boundary(const sdk::Params&) {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    if (shape.small[0] == 1) {
      throw sdk::Refusal{"prediction", "has 1 class, whose probability is always 1; allowed: 2 or more"};
    }
    Ratio::Plan(shape, plan);
    plan.raw().pass[plan.raw().pass_count - 1]->scratch_bytes = simd::BlockBytes(shape.small[0], shape.dtype, 2);
  }

  template <typename Real>
  double Denominators(const sdk::Tile<Real>& tile) const {
    const sdk::View<const Real> weights = tile.Input(2);
    if (!weights) return static_cast<double>(tile.outer() * tile.inner());
    double sum = 0;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) sum += static_cast<double>(weights.Run(o)[i]);
    }
    return sum;
  }

  template <typename Real>
  Sums Terms(const sdk::Tile<Real>& tile) const {
    const simd::ElementSums sums = Run(tile, BoundaryPixels<Real>(tile));
    if (!sums.finite) simd::ReportNonFinite(tile, {0, 1, 2});
    return {sums.numerator, Denominators(tile)};
  }

 private:
  static simd::ElementSums Run(const sdk::Tile<float>& tile, const BoundaryPixels<float>& in) {
    return HWY_DYNAMIC_DISPATCH(Floats)(tile, in);
  }
  static simd::ElementSums Run(const sdk::Tile<double>& tile, const BoundaryPixels<double>& in) {
    return HWY_DYNAMIC_DISPATCH(Doubles)(tile, in);
  }
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("boundary", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Boundary)
#endif  // HWY_ONCE

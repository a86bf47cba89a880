// Box regression: smooth L1 or L1 of the four numbers, or 1 - GIoU, DIoU or CIoU of the boxes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/bounding_box_regression/bounding_box_regression.cc"
#include <hwy/foreach_target.h>

#include "plugins/losses/bounding_box_regression/settings.h"
#include "plugins/simd/boxes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

/// Smooth L1 of each number, summed; L1 where beta is 0.
class Coordinates {
 public:
  explicit Coordinates(double beta) : beta_(beta), inverse_(beta > 0 ? 1 / beta : 0) {}

  HWY_INLINE BoxTerm At(BoxD d, const BoxNumbers& prediction, const BoxNumbers& target) const {
    BoxTerm term;
    const BoxV loss0 = One(d, hn::Sub(prediction.n0, target.n0), term.slope.n0);
    const BoxV loss1 = One(d, hn::Sub(prediction.n1, target.n1), term.slope.n1);
    const BoxV loss2 = One(d, hn::Sub(prediction.n2, target.n2), term.slope.n2);
    const BoxV loss3 = One(d, hn::Sub(prediction.n3, target.n3), term.slope.n3);
    term.loss = hn::Add(hn::Add(loss0, loss1), hn::Add(loss2, loss3));
    term.least_side = hn::Zero(d);
    return term;
  }

 private:
  HWY_INLINE BoxV One(BoxD d, BoxV difference, BoxV& slope) const {
    const BoxV half = hn::Set(d, 0.5), beta = hn::Set(d, beta_), one = hn::Set(d, 1.0);
    const BoxV size = hn::Abs(difference), steep = hn::Mul(difference, hn::Set(d, inverse_));
    const auto curved = hn::Lt(size, beta);
    const BoxV sign = hn::IfThenElseZero(hn::Gt(size, hn::Zero(d)), hn::CopySign(one, difference));
    slope = hn::IfThenElse(curved, steep, sign);
    return hn::IfThenElse(curved, hn::Mul(hn::Mul(half, difference), steep), hn::NegMulAdd(half, beta, size));
  }

  double beta_, inverse_;
};

/// 1 - IoU + a penalty that also draws boxes together that do not meet.
class Overlap {
 public:
  explicit Overlap(const box::Settings& settings) : at_(settings) {}

  HWY_INLINE BoxTerm At(BoxD d, const BoxNumbers& prediction, const BoxNumbers& target) const {
    const BoxOverlap is = OverlapOf(d, at_.format, prediction, target, at_.eps);
    Edges edges{hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d), is.miss};
    if (at_.type == box::Type::kGiou) {
      AddEnclosure(d, is, edges);
    } else {
      AddDistance(d, is, edges);
      if (at_.type == box::Type::kCiou) AddAspect(d, is, edges);
    }
    edges.x_low = hn::Add(edges.x_low, is.IouSlope(d, is.x.low, is.inner_y, is.y.only));
    edges.x_high = hn::Sub(edges.x_high, is.IouSlope(d, is.x.high, is.inner_y, is.y.only));
    edges.y_low = hn::Add(edges.y_low, is.IouSlope(d, is.y.low, is.inner_x, is.x.only));
    edges.y_high = hn::Sub(edges.y_high, is.IouSlope(d, is.y.high, is.inner_x, is.x.only));
    BoxTerm term;
    term.loss = edges.loss;
    term.least_side = LeastSide(is);
    SlopesOf(d, at_.format, edges.x_low, edges.x_high, term.slope.n0, term.slope.n2);
    SlopesOf(d, at_.format, edges.y_low, edges.y_high, term.slope.n1, term.slope.n3);
    return term;
  }

 private:
  /// The loss and its derivatives by the edges of the prediction.
  struct Edges {
    BoxV x_low, x_high, y_low, y_high, loss;
  };

  /// GIoU: (enclosing area - union) / (enclosing area + eps).
  HWY_INLINE void AddEnclosure(BoxD d, const BoxOverlap& is, Edges& edges) const {
    const BoxV divisor = hn::Add(hn::Add(is.covered, is.empty), hn::Set(d, at_.eps));
    const BoxV inverse = Inverse(d, divisor);
    const auto none = hn::Eq(inverse, hn::Zero(d));
    const BoxV filled = hn::IfThenZeroElse(none, hn::Div(hn::Add(is.covered, hn::Set(d, at_.eps)), divisor));
    edges.loss = hn::MulAdd(is.empty, inverse, edges.loss);
    // By an edge that moves outwards: the hull grows by `reach` where the edge bounds it, the union by what is new.
    const auto slope = [&](BoxV bounds, BoxV inner, BoxV side, BoxV reach) HWY_ATTR {
      const BoxV hull = hn::NegMulAdd(bounds, reach, reach);
      return hn::Mul(hn::MulSub(hull, filled, hn::NegMulAdd(bounds, inner, side)), inverse);
    };
    edges.x_low = hn::Neg(slope(is.x.low, is.inner_y, is.y.side, is.y.hull));
    edges.x_high = slope(is.x.high, is.inner_y, is.y.side, is.y.hull);
    edges.y_low = hn::Neg(slope(is.y.low, is.inner_x, is.x.side, is.x.hull));
    edges.y_high = slope(is.y.high, is.inner_x, is.x.side, is.x.hull);
  }

  /// DIoU: squared distance of the centres / (squared diagonal of the hull + eps).
  HWY_INLINE void AddDistance(BoxD d, const BoxOverlap& is, Edges& edges) const {
    const BoxV apart = hn::MulAdd(is.x.offset, is.x.offset, hn::Mul(is.y.offset, is.y.offset));
    const BoxV squares = hn::MulAdd(is.x.hull, is.x.hull, hn::Mul(is.y.hull, is.y.hull));
    const BoxV inverse = Inverse(d, hn::Add(squares, hn::Set(d, at_.eps)));
    const BoxV penalty = hn::Mul(apart, inverse);
    edges.loss = hn::Add(edges.loss, penalty);
    const BoxV twice = hn::Add(penalty, penalty);
    const auto pull = [&](const BoxAxis& axis, BoxV bounds)
                          HWY_ATTR { return hn::Mul(twice, hn::NegMulAdd(bounds, axis.hull, axis.hull)); };
    edges.x_low = hn::Mul(hn::Add(is.x.offset, pull(is.x, is.x.low)), inverse);
    edges.x_high = hn::Mul(hn::Sub(is.x.offset, pull(is.x, is.x.high)), inverse);
    edges.y_low = hn::Mul(hn::Add(is.y.offset, pull(is.y, is.y.low)), inverse);
    edges.y_high = hn::Mul(hn::Sub(is.y.offset, pull(is.y, is.y.high)), inverse);
  }

  /// CIoU: alpha v, v = 4/pi^2 angle^2, angle = atan(target width / height) - atan(width / height), alpha held constant
  /// in the gradient. One arc tangent of a quotient that is 0/0 only if a box is a point (angle 0), never infinity less
  /// infinity.
  HWY_INLINE void AddAspect(BoxD d, const BoxOverlap& is, Edges& edges) const {
    const BoxV width = is.x.side, height = is.y.side, zero = hn::Zero(d), tiny = hn::Set(d, DBL_MIN);
    const BoxV across =
        hn::NegMulAdd(width, hn::Sub(is.y.target_side, height), hn::Mul(height, hn::Sub(is.x.target_side, width)));
    const BoxV along = hn::MulAdd(height, is.y.target_side, hn::Mul(width, is.x.target_side));
    const BoxV ratio = hn::Div(across, hn::Max(along, tiny));
    const BoxV most = hn::Set(d, 1e300);
    const BoxV angle = hn::Atan(d, hn::Max(hn::Neg(most), hn::Min(ratio, most)));
    const BoxV v = hn::Mul(hn::Mul(angle, angle), hn::Set(d, 4 / (kPi * kPi)));
    const BoxV share = Inverse(d, hn::Add(hn::Add(is.miss, v), hn::Set(d, at_.eps)));
    const BoxV alpha = hn::IfThenElseZero(hn::Gt(is.iou, hn::Set(d, at_.aspect_above)), hn::Mul(v, share));
    edges.loss = hn::MulAdd(alpha, v, edges.loss);
    const BoxV turn = Inverse(d, hn::MulAdd(width, width, hn::Mul(height, height)));
    const BoxV steep = hn::Mul(hn::Mul(alpha, hn::Mul(angle, hn::Set(d, 8 / (kPi * kPi)))), turn);
    const BoxV by_width = hn::Sub(zero, hn::Mul(steep, height)), by_height = hn::Mul(steep, width);
    edges.x_low = hn::Sub(edges.x_low, by_width);
    edges.x_high = hn::Add(edges.x_high, by_width);
    edges.y_low = hn::Sub(edges.y_low, by_height);
    edges.y_high = hn::Add(edges.y_high, by_height);
  }

  static constexpr double kPi = 3.14159265358979323846;
  box::Settings at_;
};

template <typename Real>
simd::BoxSums RunType(const simd::BoxRun<Real>& run, const box::Settings& settings) {
  if (settings.overlaps()) return RunBoxes(Overlap(settings), run);
  return RunBoxes(Coordinates(settings.beta), run);
}

simd::BoxSums RunFloats(const simd::BoxRun<float>& run, const box::Settings& settings) {
  return RunType(run, settings);
}
simd::BoxSums RunDoubles(const simd::BoxRun<double>& run, const box::Settings& settings) {
  return RunType(run, settings);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class BoundingBoxRegression : public simd::Boxes<BoundingBoxRegression> {
 public:
  static constexpr const char* kId = "bounding_box_regression";
  static constexpr const char* kDoc =
      "Smooth L1 or L1 of box deltas, or 1 - GIoU, DIoU or CIoU of boxes, averaged over boxes.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"box"};
  static constexpr const char* kEncoding = "box:{format|delta}";
  static constexpr const char* kTypes[] = {"smooth_l1", "l1", "giou", "diou", "ciou", nullptr};
  static constexpr const char* kOverlaps = "type=giou|diou|ciou";
  static constexpr GdlTensorSpec kTensors[] = {
      sdk::Prediction("N 4", kEncoding, "deltas, or any four numbers (smooth_l1, l1); boxes (giou, diou, ciou)"),
      sdk::RealTarget("N 4", kEncoding, 0, 0, "the true ones, encoded in the same way"), sdk::Weight("N")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Choice("type", kTypes, 0, "smooth_l1 and l1 compare numbers, giou, diou and ciou compare boxes"),
      sdk::When("type=smooth_l1",
                sdk::Number("beta", 1, 0, sdk::kInfinity, "error where the parabola ends; below 1e-5: L1")),
      sdk::When(kOverlaps, sdk::Choice("format", simd::kBoxFormats, 0, "what the four numbers of a box are")),
      sdk::When(kOverlaps, sdk::Number("eps", 0, 0, sdk::kInfinity,
                                       "added to every divisor, in squared units of the boxes; torchvision: 1e-7")),
      sdk::When("type=ciou", sdk::Number("aspect_above", sdk::kOff, 0, 1,
                                         "the aspect term counts only where IoU is above this; mmdetection 3: 0.5",
                                         GDL_MAY_BE_OFF))};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("bounding_box_regression", "box losses / boxes")};

  explicit BoundingBoxRegression(const sdk::Params& params) {
    settings_.type = static_cast<box::Type>(params.Choice("type"));
    settings_.format = static_cast<simd::BoxFormat>(params.Choice("format"));
    const double beta = params.Number("beta");
    settings_.beta = settings_.type == box::Type::kL1 || beta < 1e-5 ? 0 : beta;
    settings_.eps = params.Number("eps");
    settings_.aspect_above = params.IsOff("aspect_above") ? -1 : params.Number("aspect_above");
  }

  bool has_sides() const { return settings_.overlaps(); }
  simd::BoxFormat format() const { return settings_.format; }
  simd::BoxSums Run(const simd::BoxRun<float>& run) const { return HWY_DYNAMIC_DISPATCH(RunFloats)(run, settings_); }
  simd::BoxSums Run(const simd::BoxRun<double>& run) const { return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, settings_); }

 private:
  box::Settings settings_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("bounding_box_regression", "Gradeline", "1.0.0", "Apache-2.0", gradeline::BoundingBoxRegression)
#endif  // HWY_ONCE

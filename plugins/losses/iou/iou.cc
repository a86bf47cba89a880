// A loss of the IoU alone: -ln IoU, 1 - IoU, or 1 - IoU^2.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/losses/iou/iou.cc"
#include <hwy/foreach_target.h>

#include "plugins/losses/iou/settings.h"
#include "plugins/simd/boxes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

class OfIou {
 public:
  explicit OfIou(const iou::Settings& settings) : at_(settings) {}

  HWY_INLINE BoxTerm At(BoxD d, const BoxNumbers& prediction, const BoxNumbers& target) const {
    const BoxOverlap is = OverlapOf(d, at_.format, prediction, target, 0);
    BoxTerm term;
    term.least_side = LeastSide(is);
    BoxV steep;
    term.loss = Loss(d, is, steep);
    const auto slope = [&](BoxV bounds, BoxV inner, BoxV only)
                           HWY_ATTR { return hn::Mul(is.IouSlope(d, bounds, inner, only), steep); };
    const BoxV x_low = hn::Neg(slope(is.x.low, is.inner_y, is.y.only)),
               x_high = slope(is.x.high, is.inner_y, is.y.only);
    const BoxV y_low = hn::Neg(slope(is.y.low, is.inner_x, is.x.only)),
               y_high = slope(is.y.high, is.inner_x, is.x.only);
    SlopesOf(d, at_.format, x_low, x_high, term.slope.n0, term.slope.n2);
    SlopesOf(d, at_.format, y_low, y_high, term.slope.n1, term.slope.n3);
    return term;
  }

 private:
  /// `steep`: derivative by IoU.
  HWY_INLINE BoxV Loss(BoxD d, const BoxOverlap& is, BoxV& steep) const {
    const BoxV one = hn::Set(d, 1.0);
    if (at_.mode == iou::Mode::kLinear) {
      steep = hn::Neg(one);
      return is.miss;
    }
    if (at_.mode == iou::Mode::kSquare) {
      steep = hn::Mul(hn::Set(d, -2.0), is.iou);
      return hn::Mul(is.miss, hn::Add(one, is.iou));
    }
    // -ln IoU = ln(1 + unshared / shared): digits at both ends, and no logarithm of 0.
    const BoxV least = hn::Set(d, at_.eps);
    const auto counts = hn::Ge(is.iou, least);
    const BoxV odds = hn::Div(is.unshared, hn::IfThenElse(counts, is.shared, one));
    steep = hn::IfThenElseZero(counts, hn::Neg(hn::Div(one, hn::Max(is.iou, least))));
    return hn::IfThenElse(counts, LogOnePlus(d, hn::IfThenElseZero(counts, odds)), hn::Set(d, at_.most));
  }

  iou::Settings at_;
};

simd::BoxSums RunFloats(const simd::BoxRun<float>& run, const iou::Settings& settings) {
  return RunBoxes(OfIou(settings), run);
}
simd::BoxSums RunDoubles(const simd::BoxRun<double>& run, const iou::Settings& settings) {
  return RunBoxes(OfIou(settings), run);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cmath>

namespace gradeline {
namespace {

HWY_EXPORT(RunFloats);
HWY_EXPORT(RunDoubles);

class Iou : public simd::Boxes<Iou> {
 public:
  static constexpr const char* kId = "iou";
  static constexpr const char* kDoc = "-ln IoU, 1 - IoU or 1 - IoU^2 of predicted and true boxes, averaged over boxes.";
  static constexpr uint32_t kVersion = 1, kFlags = GDL_ITEMS_INDEPENDENT | GDL_CHECKS_FINITE, kMerge = GDL_MERGE_RATIO;
  static constexpr const char* kSignals[] = {"box"};
  static constexpr const char* kEncoding = "box:{format}";
  static constexpr const char* kModes[] = {"log", "linear", "square", nullptr};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N 4", kEncoding, "predicted boxes"),
                                               sdk::RealTarget("N 4", kEncoding, 0, 0, "true boxes"), sdk::Weight("N")};
  static constexpr GdlParamSpec kParams[] = {
      sdk::Choice("mode", kModes, 0, "log: -ln IoU; linear: 1 - IoU; square: 1 - IoU^2"),
      sdk::Choice("format", simd::kBoxFormats, 0, "what the four numbers of a box are"),
      sdk::When("mode=log",
                sdk::Number("eps", 1e-6, 0, 1, "IoU below this counts as this, with gradient 0", GDL_MIN_OPEN))};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("iou", "box losses / boxes")};

  explicit Iou(const sdk::Params& params) {
    settings_.mode = static_cast<iou::Mode>(params.Choice("mode"));
    settings_.format = static_cast<simd::BoxFormat>(params.Choice("format"));
    settings_.eps = params.Number("eps");
    settings_.most = -std::log(settings_.eps);
  }

  bool has_sides() const { return true; }
  simd::BoxFormat format() const { return settings_.format; }
  simd::BoxSums Run(const simd::BoxRun<float>& run) const { return HWY_DYNAMIC_DISPATCH(RunFloats)(run, settings_); }
  simd::BoxSums Run(const simd::BoxRun<double>& run) const { return HWY_DYNAMIC_DISPATCH(RunDoubles)(run, settings_); }

 private:
  iou::Settings settings_;
};

}  // namespace
}  // namespace gradeline

GDL_LOSS_PLUGIN("iou", "Gradeline", "1.0.0", "Apache-2.0", gradeline::Iou)
#endif  // HWY_ONCE

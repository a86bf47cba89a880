#include "plugins/losses/golden/boxes_reference.h"
#include "plugins/losses/golden/golden.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }
enum Type { kSmoothL1, kL1, kGiou, kDiou, kCiou };

Case OverlapCase(Type type, int format, int64_t boxes) {
  Case c{"overlap " + std::to_string(type) + ", " + kReferenceEncodings[format],
         {{"N", boxes}},
         {{"type", {static_cast<double>(type)}}, {"format", {static_cast<double>(format)}}}};
  c.encoding = kReferenceEncodings[format];
  c.derivative = type != kCiou;  // alpha is held constant
  return c;
}

std::vector<Case> Cases() {
  std::vector<Case> cases{{"deltas", {{"N", 37}}, {}},
                          {"l1", {{"N", 5}}, {{"type", {kL1}}}},
                          {"beta", {{"N", 70}}, {{"beta", {1.0 / 9}}}, 1.0}};
  // Boxes are four numbers too, and what is tried at every type.
  for (Case& c : cases) c.encoding = "box:xyxy";
  for (const Type type : {kGiou, kDiou, kCiou}) {
    for (int format = 0; format < 3; ++format) cases.push_back(OverlapCase(type, format, 11 + 60 * format));
  }
  return cases;
}
GDL_CONFORMANCE(BoundingBoxRegression, Loss(), Cases());

RunResult RunBoxes(const ParamValues& params, const std::vector<double>& prediction,
                   const std::vector<double>& target) {
  const auto boxes = static_cast<int64_t>(prediction.size()) / 4;
  return RunArrays(Loss(), params,
                   {{"prediction", {false, {boxes, 4}, prediction}}, {"target", {false, {boxes, 4}, target}}});
}

double LossOf(const ParamValues& params, const std::vector<double>& prediction, const std::vector<double>& target) {
  return RunBoxes(params, prediction, target).numerator[0];
}

TEST(BoundingBoxRegression, SumsTheFourNumbers) {
  const std::vector<double> d{.5, -2, .05, 0}, zero{0, 0, 0, 0};
  EXPECT_DOUBLE_EQ(LossOf({}, d, zero), 1.62625);
  EXPECT_DOUBLE_EQ(LossOf({{"beta", {1.0 / 9}}}, d, zero), 2.400138888888889);
  EXPECT_DOUBLE_EQ(LossOf({{"beta", {0}}}, d, zero), 2.55);
  EXPECT_DOUBLE_EQ(LossOf({{"beta", {9e-6}}}, d, zero), 2.55) << "below 1e-5: L1";
  EXPECT_DOUBLE_EQ(LossOf({{"type", {kL1}}}, d, zero), 2.55);
  EXPECT_EQ(RunBoxes({{"type", {kL1}}}, d, zero).gradient[0], (std::vector<double>{1, -1, 1, 0}));
  EXPECT_EQ(RunBoxes({}, d, zero).denominator[0], 1) << "boxes, not numbers";
}

TEST(BoundingBoxRegression, KnownOverlapsWithAbsoluteEps) {
  const std::vector<double> p{0, 0, 4, 2}, g{1, 0, 4, 4};
  const auto eps = [](Type type) { return ParamValues{{"type", {static_cast<double>(type)}}, {"eps", {1e-7}}}; };
  EXPECT_NEAR(LossOf(eps(kGiou), p, g), 0.696428574, 1e-9);
  EXPECT_NEAR(LossOf(eps(kDiou), p, g), 0.610491074, 1e-9);
  EXPECT_NEAR(LossOf(eps(kCiou), p, g), 0.622017171, 1e-9);
  ParamValues gated = eps(kCiou);
  gated["aspect_above"] = {0.5};
  EXPECT_NEAR(LossOf(gated, p, g), 0.610491074, 1e-9);
  const std::vector<double> far{3, 4, 5, 6}, one{0, 0, 1, 1}, same{0, 0, 2, 2};
  EXPECT_NEAR(LossOf(eps(kGiou), one, far), 1.833333331, 1e-9);
  EXPECT_NEAR(LossOf(eps(kDiou), one, far), 1.532786884, 1e-9);
  for (const Type type : {kGiou, kDiou, kCiou}) EXPECT_NEAR(LossOf(eps(type), same, same), 2.5e-8, 1e-13);
}

TEST(BoundingBoxRegression, EqualBoxesCostNothingAtAnySizeAndPlace) {
  for (const Type type : {kGiou, kDiou, kCiou}) {
    const ParamValues params{{"type", {static_cast<double>(type)}}};
    for (const double side : {1e-4, 1.0 / 3, 1e4}) {
      for (const double at : {0.0, 0.1, 9999.7}) {
        const std::vector<double> box{at, at / 2, at + side, at / 2 + 0.7 * side};
        const RunResult got = RunBoxes(params, box, box);
        EXPECT_EQ(got.numerator[0], 0) << type << ", side " << side << " at " << at;
        EXPECT_EQ(Largest(got.gradient[0]), 0) << type << ", side " << side << " at " << at;
      }
    }
  }
  const std::vector<double> small{0, 0, 1e-4, 1e-4};
  EXPECT_NEAR(LossOf({{"type", {kGiou}}, {"eps", {1e-7}}}, small, small), 1 / 1.1, 1e-9) << "as torchvision";
}

TEST(BoundingBoxRegression, FlatBoxesHaveLossesAndGradients) {
  const std::vector<double> point{1, 2, 1, 2}, flat{0, 0, 0, 3}, wide{1, 1, 4, 1}, box{0, 0, 2, 3};
  for (const Type type : {kGiou, kDiou, kCiou}) {
    const ParamValues params{{"type", {static_cast<double>(type)}}};
    EXPECT_EQ(LossOf(params, point, point), 1) << "coincident, without area";
    EXPECT_EQ(LossOf(params, flat, flat), 1);
    for (const auto& p : {point, flat, wide, box}) {
      for (const auto& g : {point, flat, wide, box}) {
        const RunResult got = RunBoxes(params, p, g);
        EXPECT_TRUE(std::isfinite(got.numerator[0]));
        for (double slope : got.gradient[0]) EXPECT_TRUE(std::isfinite(slope)) << type;
      }
    }
  }
}

TEST(BoundingBoxRegression, RefusesNegativeSides) {
  const char* const wrong[][2] = {{"x2 < x1; allowed: x1 <= x2", "y2 < y1; allowed: y1 <= y2"},
                                  {"width < 0; allowed: 0 or more", "height < 0; allowed: 0 or more"},
                                  {"width < 0; allowed: 0 or more", "height < 0; allowed: 0 or more"}};
  for (int format = 0; format < 3; ++format) {
    const Case c = OverlapCase(kGiou, format, 7);
    const State state(Loss(), c.params);
    for (const size_t tensor : {0u, 1u}) {
      for (const size_t axis : {0u, 1u}) {
        Batch batch = RandomBatch(Loss(), c, {true, true, false}, 1);
        for (const size_t item : {6u, 3u}) {
          double& second = batch.tensors[tensor].real[4 * item + 2 + axis];
          second = format == 0 ? batch.tensors[tensor].real[4 * item + axis] - 0.5 : -0.5;
          const RunResult got = RunBatch(Loss(), state, batch, {});
          EXPECT_EQ(got.fault_kind, uint32_t{GDL_FAULT_VALUE});
          EXPECT_EQ(got.fault_tensor, tensor);
          EXPECT_EQ(got.fault_item, static_cast<int64_t>(item)) << "the lowest";
          EXPECT_EQ(got.fault_what, wrong[format][axis]);
        }
        batch.tensors[1].real[4 * 2] = std::nan("");
        EXPECT_EQ(RunBatch(Loss(), state, batch, {}).fault_item, 2) << "NaN before it";
        batch.tensors[1].real[4 * 2] = 0, batch.tensors[1].real[4 * 5] = std::nan("");
        EXPECT_EQ(RunBatch(Loss(), state, batch, {}).fault_item, 3) << "NaN behind it";
      }
    }
  }
  EXPECT_EQ(RunBoxes({}, {3, 0, 1, 1}, {0, 0, 1, 1}).fault_kind, 0u) << "deltas may be anything";
}

TEST(BoundingBoxRegression, EqualsTorchvision) { EXPECT_EQ(CheckGolden(Loss()), 32u); }

Carried PlainOverlap(const OverlapOfReference& is, Type type, long double eps, double aspect_above) {
  const Carried iou = is.intersection / (is.whole + eps);
  if (type == kGiou) return Carried(1) - iou + (is.enclosing - is.whole) / (is.enclosing + eps);
  const Carried distance = Carried(1) - iou + is.apart / (is.diagonal + eps);
  const bool points =
      (is.width.value == 0 && is.height.value == 0) || (is.target_width.value == 0 && is.target_height.value == 0);
  if (type == kDiou || points) return distance;
  const long double pi = std::acos(-1.0L);
  const Carried turn = Angle(is.target_width, is.target_height) - Angle(is.width, is.height);
  const Carried v = Carried(4 / (pi * pi)) * turn * turn;
  const long double divisor = 1 - iou.value + v.value + eps;
  const long double alpha = iou.value > aspect_above && divisor != 0 ? v.value / divisor : 0;
  return distance + Carried(alpha) * v;
}

Carried PlainNumbers(const Batch& batch, size_t item, long double beta) {
  Carried sum;
  for (size_t k = 0; k < 4; ++k) {
    const long double d =
        static_cast<long double>(batch.tensors[0].real[4 * item + k]) - batch.tensors[1].real[4 * item + k];
    const bool curved = std::abs(d) < beta;
    sum.value += curved ? d * d / (2 * beta) : std::abs(d) - beta / 2;
    sum.slope[k] = curved ? d / beta : (d > 0 ? 1 : (d < 0 ? -1 : 0));
  }
  return sum;
}

Reference Plain(const Batch& batch, const ParamValues& params) {
  const auto type = static_cast<Type>(Given(params, "type", 0));
  const int format = static_cast<int>(Given(params, "format", 0));
  const double beta = type == kL1 ? 0 : Given(params, "beta", 1);
  return ReferenceOfBoxes(batch, [&](size_t item) {
    if (type == kSmoothL1 || type == kL1) return PlainNumbers(batch, item, beta < 1e-5 ? 0 : beta);
    const OverlapOfReference is = ReferenceOverlap(ReferenceBox(batch.tensors[0].real, item, format, true),
                                                   ReferenceBox(batch.tensors[1].real, item, format, false));
    return PlainOverlap(is, type, Given(params, "eps", 0), Given(params, "aspect_above", -1));
  });
}

TEST(BoundingBoxRegression, FollowsLongDouble) {
  CheckReference(
      Loss(), 1500,
      [](std::mt19937_64& random) {
        const auto boxes = 1 + static_cast<int64_t>(random() % 90);
        const auto type = static_cast<Type>(random() % 5);
        if (type == kSmoothL1 || type == kL1) {
          return Case{"numbers",
                      {{"N", boxes}},
                      {{"type", {static_cast<double>(type)}}, {"beta", {static_cast<double>(random() % 3) / 3}}}};
        }
        Case c = OverlapCase(type, static_cast<int>(random() % 3), boxes);
        // With much less, equal boxes leave of the plain formula's terms fewer digits than a long double has.
        if (random() % 3 == 0) c.params["eps"] = {1e-3};
        if (random() % 4 == 0) c.params["aspect_above"] = {0.5};
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/boxes_reference.h"
#include "plugins/losses/golden/golden.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }
enum Mode { kLog, kLinear, kSquare };

Case ModeCase(Mode mode, int format, int64_t boxes) {
  Case c{"mode " + std::to_string(mode) + ", " + kReferenceEncodings[format],
         {{"N", boxes}},
         {{"mode", {static_cast<double>(mode)}}, {"format", {static_cast<double>(format)}}}};
  c.encoding = kReferenceEncodings[format];
  return c;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Mode mode : {kLog, kLinear, kSquare}) {
    for (int format = 0; format < 3; ++format) cases.push_back(ModeCase(mode, format, 11 + 60 * format));
  }
  return cases;
}
GDL_CONFORMANCE(Iou, Loss(), Cases());

RunResult RunPair(const ParamValues& params, const std::vector<double>& prediction, const std::vector<double>& target) {
  return RunArrays(Loss(), params, {{"prediction", {false, {1, 4}, prediction}}, {"target", {false, {1, 4}, target}}});
}

TEST(Iou, KnownValues) {
  const std::vector<double> p{0, 0, 4, 2}, g{1, 0, 4, 4}, one{0, 0, 1, 1}, far{3, 4, 5, 6};
  EXPECT_NEAR(RunPair({}, p, g).numerator[0], -std::log(3.0 / 7), 1e-15);
  EXPECT_NEAR(RunPair({{"mode", {kLinear}}}, p, g).numerator[0], 4.0 / 7, 1e-15);
  EXPECT_NEAR(RunPair({{"mode", {kSquare}}}, p, g).numerator[0], 40.0 / 49, 1e-15);
  EXPECT_NEAR(RunPair({}, one, far).numerator[0], 13.815510558, 1e-9);
  EXPECT_NEAR(RunPair({{"eps", {1e-3}}}, one, far).numerator[0], -std::log(1e-3), 1e-15);
  EXPECT_EQ(RunPair({{"mode", {kLinear}}}, one, far).numerator[0], 1);
  for (const Mode mode : {kLog, kLinear, kSquare}) {
    const ParamValues params{{"mode", {static_cast<double>(mode)}}};
    EXPECT_EQ(Largest(RunPair(params, one, far).gradient[0]), 0) << "no pull without a meeting";
    const std::vector<double> small{0.1, 0.1, 0.1001, 0.1002}, point{1, 1, 1, 1};
    EXPECT_EQ(RunPair(params, small, small).numerator[0], 0);
    EXPECT_NEAR(RunPair(params, point, point).numerator[0], mode == kLog ? 13.815510558 : 1, 1e-9);
  }
}

TEST(Iou, RefusesNegativeSides) {
  const Case c = ModeCase(kLog, 1, 5);
  const State state(Loss(), c.params);
  Batch batch = RandomBatch(Loss(), c, {true, true, true}, 1);
  batch.tensors[1].real[4 * 3 + 3] = -1e-30;
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.fault_kind, uint32_t{GDL_FAULT_VALUE});
  EXPECT_EQ(got.fault_tensor, 1u);
  EXPECT_EQ(got.fault_item, 3);
  EXPECT_EQ(got.fault_what, "height < 0; allowed: 0 or more");
}

TEST(Iou, EqualsTorchvision) { EXPECT_EQ(CheckGolden(Loss()), 18u); }

Reference Plain(const Batch& batch, const ParamValues& params) {
  const auto mode = static_cast<Mode>(Given(params, "mode", 0));
  const int format = static_cast<int>(Given(params, "format", 0));
  const long double eps = Given(params, "eps", 1e-6);
  return ReferenceOfBoxes(batch, [&](size_t item) {
    const OverlapOfReference is = ReferenceOverlap(ReferenceBox(batch.tensors[0].real, item, format, true),
                                                   ReferenceBox(batch.tensors[1].real, item, format, false));
    const Carried iou = is.intersection / is.whole;
    if (mode == kLinear) return Carried(1) - iou;
    if (mode == kSquare) return Carried(1) - iou * iou;
    if (iou.value < eps) return Carried(-std::log(eps));
    return Combine(iou, 0, -std::log(iou.value), -1 / iou.value, 0);
  });
}

TEST(Iou, FollowsLongDouble) {
  CheckReference(
      Loss(), 1000,
      [](std::mt19937_64& random) {
        Case c = ModeCase(static_cast<Mode>(random() % 3), static_cast<int>(random() % 3),
                          1 + static_cast<int64_t>(random() % 90));
        if (random() % 4 == 0) c.params["eps"] = {0.01};
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

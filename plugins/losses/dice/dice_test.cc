#include "plugins/losses/golden/region_cases.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }
const GdlLoss& Multilabel() { return *GDL_PLUGIN_SYMBOL.losses[1]; }
const GdlLoss& Binary() { return *GDL_PLUGIN_SYMBOL.losses[2]; }

std::vector<Case> Cases() {
  return RegionCases({}, {{"smooth", {1}}, {"log_loss", {1}}}, {{"class_weights", {1, 0.5}}});
}
GDL_CONFORMANCE(Dice, Loss(), Cases());
GDL_CONFORMANCE(MultilabelDice, Multilabel(), Cases());

std::vector<Case> BinaryCases() { return BinaryRegionCases({}, {{"smooth", {1}}, {"log_loss", {1}}}); }
GDL_CONFORMANCE(BinaryDice, Binary(), BinaryCases());

TEST(Dice, KnownValue) {
  const RunResult got = RunArrays(Loss(), {{"eps", {0}}}, FourPixels());
  EXPECT_NEAR(got.numerator[0], 0.3733333333333333, 1e-15);
  EXPECT_EQ(got.denominator[0], 1);
}

TEST(Dice, PixelsWhoseDifferenceNoFloatHoldsAreCertain) {
  const GoldenArray logits{false, {1, 2, 2}, {2e38, -3e38, -2e38, 3e38}};
  RunOptions options;
  options.dtype = 4;
  const RunResult got =
      RunArrays(Loss(), {{"eps", {0}}}, {{"prediction", logits}, {"target", {true, {1, 2}, {0, 1}}}}, options);
  EXPECT_EQ(got.numerator[0], 0);
  EXPECT_EQ(got.gradient[0], (std::vector<double>{0, 0, 0, 0}));
}

TEST(Dice, LogarithmOfKnownValue) {
  const RunResult got = RunArrays(Loss(), {{"log_loss", {1}}}, FourPixels());
  EXPECT_NEAR(got.numerator[0], -0.5 * (std::log(0.72) + std::log(1.6 / 3)), 1e-15);
}

TEST(Dice, AnAbsentClassIsLeftOutOrCounts) {
  // Three classes, the last true of no pixel: skipped, or worth 1.
  const GoldenArray logits{false, {2, 3}, {std::log(0.5), std::log(0.25), std::log(0.25), 0, 0, 0}};
  const std::map<std::string, GoldenArray> inputs = {{"prediction", logits}, {"target", {true, {2}, {0, 1}}}};
  const double first = 1 - 1 / (1 + 0.5 + 1.0 / 3), second = 1 - 2.0 / 3 / (1 + 0.25 + 1.0 / 3);
  EXPECT_NEAR(RunArrays(Loss(), {}, inputs).numerator[0], (first + second) / 2, 1e-15);
  EXPECT_NEAR(RunArrays(Loss(), {{"absent_class", {1}}}, inputs).numerator[0], (first + second + 1) / 3, 1e-15);
}

TEST(Dice, IgnoredPixelsAloneCostNothing) {
  for (const double aggregate : {0.0, 1.0}) {
    const RunResult got =
        RunArrays(Loss(), {{"aggregate", {aggregate}}, {"absent_class", {1}}},
                  {{"prediction", {false, {1, 2, 2}, {1, 2, 3, 4}}}, {"target", {true, {1, 2}, {-100, -100}}}});
    EXPECT_EQ(got.numerator[0], 0);
    EXPECT_EQ(got.denominator[0], 1);
    EXPECT_EQ(Largest(got.gradient[0]), 0);
  }
}

TEST(Dice, NearlyPerfectPixelsKeepTheirDigits) {
  // Each pixel is sure and right up to e = exp(-30): loss = mean of e / (1 + e) over a divisor of 1.
  const RunResult got =
      RunArrays(Loss(), {}, {{"prediction", {false, {2, 2}, {30, 0, 0, 30}}}, {"target", {true, {2}, {0, 1}}}});
  const double e = std::exp(-30.0), q = e / (1 + e);
  EXPECT_NEAR(got.numerator[0] / q, 1, 1e-12);
}

TEST(Dice, OneClassIsRefused) {
  const State state(Loss(), {});
  const Batch batch = RandomBatch(Loss(), {{"N", 4}, {"c", 1}}, Presences(Loss())[0], 1, 1);
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.status, 3);
  EXPECT_EQ(got.refusal, "prediction: has 1 class, whose probability is always 1; allowed: 2 or more");
}

TEST(Dice, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 24u); }

RegionWorth Plain(const std::vector<DualOverlap>& classes, const ParamValues& params) {
  const long double smooth = params.at("smooth")[0], eps = params.at("eps")[0];
  return MeanOfClasses(classes, params, true, [&](const DualOverlap& of) {
    return IndexLoss(of, 0.5L, 0.5L, smooth / 2, eps / 2, params.at("log_loss")[0] == 1, eps);
  });
}

TEST(Dice, FollowsLongDouble) { CheckMulticlassRegions(Loss(), LogIndexCase, Plain); }

TEST(Dice, OfMultilabelPixelsFollowsLongDouble) { CheckMultilabelRegions(Multilabel(), LogIndexCase, Plain); }

TEST(Dice, OfBinaryPixelsFollowsLongDouble) { CheckBinaryRegions(Binary(), LogIndexCase, Plain); }

}  // namespace
}  // namespace gradeline::conformance

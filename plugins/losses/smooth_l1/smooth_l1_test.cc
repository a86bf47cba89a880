#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference_elements.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 37}}, {}},
          {"grid", {{"N", 3}, {"*", 29}}, {{"beta", {0.25}}}},
          {"absolute", {{"N", 5}, {"*", 4}}, {{"beta", {0}}}},
          {"squares", {{"N", 21}}, {{"beta", {100}}}}};
}
GDL_CONFORMANCE(SmoothL1, Loss(), Cases());

const GoldenArray kPrediction = {false, {4}, {0.5, -2, 0.05, 0}};
const GoldenArray kZeros = {false, {4}, {0, 0, 0, 0}};

RunResult RunWith(double beta) {
  return RunArrays(Loss(), {{"beta", {beta}}}, {{"prediction", kPrediction}, {"target", kZeros}});
}

TEST(SmoothL1, KnownValues) {
  EXPECT_NEAR(RunWith(1).numerator[0], 1.62625, 1e-15);
  EXPECT_NEAR(RunWith(1.0 / 9).numerator[0], 2.400138888888889, 1e-15);
  EXPECT_EQ(RunWith(0).numerator[0], 2.55);
}

TEST(SmoothL1, TinyBetaIsTheAbsoluteDifference) {
  EXPECT_EQ(RunWith(0.99e-5).numerator[0], 2.55);
  EXPECT_EQ(RunWith(0).gradient[0], (std::vector<double>{0.25, -0.25, 0.25, 0}));
  EXPECT_NEAR(RunWith(1e-5).numerator[0], 2.55 - 3 * 0.5e-5, 1e-15);
}

TEST(SmoothL1, BetaBeyondFloatsLeavesNothing) {
  RunOptions options;
  options.dtype = 4;
  const RunResult got =
      RunArrays(Loss(), {{"beta", {1e39}}}, {{"prediction", kPrediction}, {"target", kZeros}}, options);
  EXPECT_NEAR(got.numerator[0], 0, 1e-30);
  for (const double slope : got.gradient[0]) EXPECT_NEAR(slope, 0, 1e-30);
}

TEST(SmoothL1, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 18u); }

TEST(SmoothL1, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        const double betas[] = {0, 1e-5, 1.0 / 9, 1, 3, 1e3, 1e30};
        return Case{"grid", {{"N", size(9)}, {"*", size(30)}}, {{"beta", {betas[random() % 7]}}}};
      },
      [](const Batch& batch, const ParamValues& params) {
        const long double beta = params.at("beta")[0];
        return ReferenceOfNumbers(batch, [=](long double p, long double t) {
          const long double d = p - t;
          if (beta >= 1e-5L && std::abs(d) < beta) return ReferenceTerm{d * d / (2 * beta), d / beta};
          return ReferenceTerm{std::abs(d) - (beta < 1e-5L ? 0 : beta / 2), d == 0 ? 0 : d / std::abs(d)};
        });
      });
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference_elements.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 13}, {"c", 5}}, {}},
          {"one_class", {{"N", 23}, {"c", 1}}, {{"beta", {1.5}}}},
          {"entropy", {{"N", 7}, {"c", 3}}, {{"beta", {0}}}},
          {"long_rows", {{"N", 3}, {"c", 300}}, {{"beta", {1}}}}};
}
GDL_CONFORMANCE(QualityFocal, Loss(), Cases());

TEST(QualityFocal, KnownValue) {
  const RunResult got = RunArrays(
      Loss(), {},
      {{"prediction", {false, {1, 2}, {1, -2}}}, {"target", {true, {1}, {0}}}, {"quality", {false, {1}, {0.8}}}});
  EXPECT_NEAR(got.numerator[0], 0.004243054359774023, 1e-17);
  EXPECT_EQ(got.denominator[0], 1);
}

TEST(QualityFocal, BackgroundHasNoClass) {
  // Label c: every class should say 0, whatever the quality.
  const RunResult got = RunArrays(
      Loss(), {},
      {{"prediction", {false, {1, 2}, {0, 0}}}, {"target", {true, {1}, {2}}}, {"quality", {false, {1}, {1}}}});
  EXPECT_NEAR(got.numerator[0], 2 * 0.25 * std::log(2.0), 1e-15);
  EXPECT_EQ(got.denominator[0], 1);
}

TEST(QualityFocal, SmallLossesKeepTheirDigits) {
  // sigmoid(30) - 1 = -sigmoid(-30), although sigmoid(30) is 1 - 9.4e-14.
  const RunResult got =
      RunArrays(Loss(), {{"beta", {1}}},
                {{"prediction", {false, {1, 1}, {30}}}, {"target", {true, {1}, {0}}}, {"quality", {false, {1}, {1}}}});
  const double tail = 9.3576229688401746e-14;  // exp(-30)
  EXPECT_NEAR(got.numerator[0] / (tail / (1 + tail) * std::log1p(tail)), 1, 1e-13);
}

TEST(QualityFocal, EqualsTheAuthorsCode) { EXPECT_EQ(CheckGolden(Loss()), 12u); }

TEST(QualityFocal, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        const double betas[] = {0, 0.5, 1, 2, 3.5};
        return Case{"rows", {{"N", size(9)}, {"c", size(20)}}, {{"beta", {betas[random() % 5]}}}};
      },
      [](const Batch& batch, const ParamValues& params) {
        const long double beta = params.at("beta")[0];
        return ReferenceOfDenseRows(batch, [=](long double z, long double q) {
          const LogisticReference is(z);
          const long double d = z > 0 ? (1 - q) - is.no : is.yes - q, focus = std::pow(std::abs(d), beta);
          const long double entropy = q * is.minus_log_yes + (1 - q) * is.minus_log_no;
          const long double bend = d == 0 ? 0 : beta * focus / d * is.yes * is.no * entropy;
          // A probability close to the quality is a difference.
          const long double near = q == 0 || q == 1 || d == 0 ? 0 : 1 / std::abs(d);
          return ReferenceTerm{focus * entropy, focus * d + bend, beta * focus * entropy * near,
                               (1 + beta) * near * (focus * std::abs(d) + std::abs(bend)) + focus * near * 0.25L};
        });
      });
}

}  // namespace
}  // namespace gradeline::conformance

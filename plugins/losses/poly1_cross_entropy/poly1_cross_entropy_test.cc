#include "plugins/losses/golden/golden.h"
#include "plugins/losses/golden/softmax.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 23}, {"c", 5}}, {}},
          {"weighted", {{"N", 19}, {"c", 4}}, {{"class_weights", {1, 2, 0.5, 0}}, {"epsilon", {3}}}},
          {"pixels", {{"N", 3}, {"c", 3}, {"*", 13}}, {{"epsilon", {-1}}}},
          {"long_rows", {{"N", 5}, {"c", 70}}, {{"epsilon", {-0.5}}}}};
}
GDL_CONFORMANCE(Poly1CrossEntropy, Loss(), Cases());

RunResult RunOn(double epsilon, const std::vector<double>& logits) {
  return RunArrays(Loss(), {{"epsilon", {epsilon}}},
                   {{"prediction", {false, {1, 2}, logits}}, {"target", {true, {1}, {0}}}});
}

TEST(Poly1CrossEntropy, KnownValue) {
  // p = 3/4: log(4/3) + 2 / 4; gradient (1 + 2 * 3/4) (p - y).
  const RunResult got = RunOn(2, {std::log(3.0), 0});
  EXPECT_NEAR(got.numerator[0], std::log(4.0 / 3) + 0.5, 1e-15);
  EXPECT_EQ(Difference("gradient", {-2.5 / 4, 2.5 / 4}, got.gradient[0], 1e-15), "");
}

TEST(Poly1CrossEntropy, EpsilonMinusOneKeepsTheGradientOfWhatIsNearlyRight) {
  const double q = 9.3576229688392989e-14;  // exp(-30) / (1 + exp(-30)); gradient (1 - p) (p - y)
  const RunResult got = RunOn(-1, {30, 0});
  EXPECT_NEAR(got.gradient[0][0] / (-q * q), 1, 1e-13);
}

TEST(Poly1CrossEntropy, OneClassIsRefused) {
  const State state(Loss(), {});
  const Batch batch = RandomBatch(Loss(), {{"N", 4}, {"c", 1}}, Presences(Loss())[0], 1, 1);
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.status, 3);
  EXPECT_EQ(got.refusal, "prediction: has 1 class, whose softmax is always 1; allowed: 2 or more");
}

TEST(Poly1CrossEntropy, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 16u); }

Reference Plain(const Batch& batch, const ParamValues& params) {
  const long double epsilon = params.at("epsilon")[0];
  const auto weight = [&](int32_t label) { return ClassWeight(params, label); };
  return LabelReference(batch, weight, weight, [&](long double minus_log_p, long double p, long double q) {
    // Below 0 the two parts of the loss cancel where p is near 1.
    const long double magnitude = epsilon < 0 ? minus_log_p - epsilon * q : 0;
    return PlainTerm{minus_log_p + epsilon * q, p < 0.5L ? 1 + epsilon * p : 1 + epsilon - epsilon * q, magnitude};
  });
}

TEST(Poly1CrossEntropy, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        Case c = LabelCase(random);
        const double epsilons[] = {1, 0, -1, 6 * std::uniform_real_distribution<double>(0, 1)(random) - 1};
        c.params["epsilon"] = {epsilons[random() % 4]};
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

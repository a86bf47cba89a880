#include "plugins/losses/golden/golden.h"
#include "plugins/losses/golden/softmax.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"plain", {{"N", 23}, {"c", 5}}, {}},
          {"rows", {{"N", 19}, {"c", 4}}, {{"samples_per_class", {1000, 10, 1, 77}}}},
          {"pixels", {{"N", 3}, {"c", 3}, {"*", 13}}, {{"samples_per_class", {5, 2, 90}}, {"beta", {0.9}}}}};
}
GDL_CONFORMANCE(ClassBalancedCrossEntropy, Loss(), Cases());

/// The weight of each of two classes, from the denominators of an item of each.
std::vector<double> WeightsOf(const ParamValues& params) {
  std::vector<double> weights;
  for (double label : {0.0, 1.0}) {
    const RunResult got =
        RunArrays(Loss(), params, {{"prediction", {false, {1, 2}, {0, 0}}}, {"target", {true, {1}, {label}}}});
    weights.push_back(got.denominator[0]);
    EXPECT_NEAR(got.numerator[0], got.denominator[0] * std::log(2.0), 1e-14);
  }
  return weights;
}

TEST(ClassBalancedCrossEntropy, KnownWeights) {
  const std::vector<double> want = {.03100029432783509, 1.9689997056721649};
  EXPECT_EQ(Difference("weights", want, WeightsOf({{"samples_per_class", {1000, 10}}}), 1e-13), "");
}

TEST(ClassBalancedCrossEntropy, BetaGoesFromEqualToInverse) {
  EXPECT_EQ(WeightsOf({{"samples_per_class", {1000, 10}}, {"beta", {0}}}), (std::vector<double>{1, 1}));
  const std::vector<double> inverse = {2 * 10 / 1010.0, 2 * 1000 / 1010.0};
  const std::vector<double> got = WeightsOf({{"samples_per_class", {1000, 10}}, {"beta", {1 - 1e-12}}});
  EXPECT_EQ(Difference("weights", inverse, got, 1e-8), "");
  EXPECT_EQ(WeightsOf({}), (std::vector<double>{1, 1}));
}

TEST(ClassBalancedCrossEntropy, PartsOfSamplesAreRefused) {
  const State state(Loss(), {{"samples_per_class", {1000, 2.5}}});
  EXPECT_EQ(state.status(), 3);
  EXPECT_EQ(state.refusal(), "samples_per_class: has 2.5 at [1]; allowed: whole numbers of 1 or more");
}

TEST(ClassBalancedCrossEntropy, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 12u); }

Reference Plain(const Batch& batch, const ParamValues& params) {
  const auto samples = params.find("samples_per_class");
  const long double beta = params.at("beta")[0];
  std::vector<long double> weights;
  long double sum = 0;
  for (int64_t k = 0; k < batch.tensors[0].small; ++k) {
    const long double n = samples == params.end() ? 1 : samples->second[static_cast<size_t>(k)];
    weights.push_back((1 - beta) / (1 - std::pow(beta, n)));
    sum += weights.back();
  }
  const auto weight = [&](int32_t label) {
    return weights[static_cast<size_t>(label)] * static_cast<long double>(weights.size()) / sum;
  };
  return LabelReference(batch, weight, weight, [](long double minus_log_p, long double, long double) {
    return PlainTerm{minus_log_p, 1};
  });
}

TEST(ClassBalancedCrossEntropy, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        Case c = LabelCase(random);
        c.params.erase("class_weights");
        const double betas[] = {0.999, 0.9999, 0, std::uniform_real_distribution<double>(0, 1)(random)};
        c.params["beta"] = {betas[random() % 4]};
        for (int64_t k = 0, n = random() % 5 == 0 ? 0 : c.axes["c"]; k < n; ++k) {
          c.params["samples_per_class"].push_back(static_cast<double>(1 + random() % (random() % 2 == 0 ? 5 : 100000)));
        }
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

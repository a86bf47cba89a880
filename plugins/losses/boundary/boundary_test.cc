#include "plugins/losses/golden/region_cases.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 23}, {"c", 5}}, {}},
          {"pixels", {{"N", 3}, {"c", 3}, {"*", 13}}, {}, 20},
          {"long_runs", {{"N", 1}, {"c", 2}, {"*", 300}}, {}}};
}
GDL_CONFORMANCE(Boundary, Loss(), Cases());

TEST(Boundary, KnownValue) {
  // Probabilities 1/4 and 3/4; distances -2 and 1 of the first pixel, 0 and -4 of the second.
  const double z = std::log(3.0);
  const RunResult got = RunArrays(
      Loss(), {}, {{"prediction", {false, {2, 2}, {0, z, 0, z}}}, {"distance", {false, {2, 2}, {-2, 1, 0, -4}}}});
  EXPECT_NEAR(got.item_loss[0], 0.25, 1e-15);
  EXPECT_NEAR(got.item_loss[1], -3, 1e-15);
  EXPECT_EQ(got.denominator[0], 2);
  EXPECT_NEAR(got.gradient[0][0], 0.5 * 0.25 * (-2 - 0.25), 1e-15);
}

TEST(Boundary, SurePixelsKeepTheDigitsOfTheirGradient) {
  const RunResult got =
      RunArrays(Loss(), {}, {{"prediction", {false, {1, 2}, {30, 0}}}, {"distance", {false, {1, 2}, {-1, 2}}}});
  const double e = std::exp(-30.0), q = e / (1 + e);
  EXPECT_NEAR(got.gradient[0][0] / (-3 * q * (1 - q)), 1, 1e-13);
  EXPECT_NEAR(got.gradient[0][1] / (3 * q * (1 - q)), 1, 1e-13);
}

TEST(Boundary, OneClassIsRefused) {
  const State state(Loss(), {});
  const Batch batch = RandomBatch(Loss(), {{"N", 4}, {"c", 1}}, Presences(Loss())[0], 1, 1);
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.status, 3);
  EXPECT_EQ(got.refusal, "prediction: has 1 class, whose probability is always 1; allowed: 2 or more");
}

TEST(Boundary, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 6u); }

Reference Plain(const Batch& batch, const ParamValues&) {
  const TensorData &logits = batch.tensors[0], &distance = batch.tensors[1], &weight = batch.tensors[2];
  Reference want;
  want.derivative.resize(logits.real.size());
  for (int64_t item = 0; item < batch.items(); ++item) {
    const auto at = [&](int64_t k) {
      return static_cast<size_t>(DenseIndex(batch, logits, item / batch.inner, k, item % batch.inner));
    };
    const long double w = weight.present ? weight.real[static_cast<size_t>(item)] : 1;
    long double top = logits.real[at(0)], sum = 0, loss = 0, magnitude = 0;
    for (int64_t k = 1; k < logits.small; ++k) top = std::max<long double>(top, logits.real[at(k)]);
    for (int64_t k = 0; k < logits.small; ++k) sum += std::exp(logits.real[at(k)] - top);
    const auto p = [&](int64_t k) { return std::exp(logits.real[at(k)] - top) / sum; };
    for (int64_t k = 0; k < logits.small; ++k) {
      const long double g = distance.real[at(k)];
      loss += w * p(k) * g;
      magnitude += w * p(k) * std::abs(g);
      long double terms = 0;
      for (int64_t j = 0; j < logits.small; ++j) {
        if (j == k) continue;
        const long double other = distance.real[at(j)];
        want.derivative[at(k)] += w * p(k) * p(j) * (g - other);
        terms += w * p(k) * p(j) * (std::abs(g) + std::abs(other));
      }
      want.terms = std::max(want.terms, terms);
    }
    want.item_loss.push_back(loss);
    want.item_magnitude = std::max(want.item_magnitude, magnitude);
    want.magnitude += magnitude;
    want.denominator += w;
  }
  return want;
}

TEST(Boundary, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        Case c{"grid", {{"N", size(5)}, {"c", 1 + size(7)}, {"*", size(12)}}, {}};
        if (random() % 16 == 0) c.axes["*"] = 250 + size(400);  // several blocks of a kernel
        c.fix = KeepProbabilitiesInRange;
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

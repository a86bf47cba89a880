#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference_elements.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 23}, {"c", 5}}, {}},
          {"pixels", {{"N", 3}, {"c", 3}, {"*", 13}}, {}},
          {"two_classes", {{"N", 2}, {"c", 2}, {"*", 50}}, {}}};
}
GDL_CONFORMANCE(KlDivergence, Loss(), Cases());

TEST(KlDivergence, KnownValues) {
  // log(1/2 / 1/4) in the first row; the second is a one-hot target: -log p.
  const RunResult got = RunArrays(Loss(), {},
                                  {{"prediction", {false, {2, 4}, {0, 0, 0, 0, 2, 0, 0, 0}}},
                                   {"target", {false, {2, 4}, {0.5, 0.5, 0, 0, 1, 0, 0, 0}}}});
  EXPECT_NEAR(got.item_loss[0], std::log(2.0), 1e-15);
  EXPECT_NEAR(got.item_loss[1], std::log1p(3 * std::exp(-2.0)), 1e-15);
  EXPECT_EQ(got.denominator[0], 2);
  EXPECT_EQ(got.gradient[0][2], 0.125);
}

TEST(KlDivergence, EqualDistributionsDivergeByNothing) {
  const RunResult got =
      RunArrays(Loss(), {},
                {{"prediction", {false, {1, 4}, {7, 7, 7, 7}}}, {"target", {false, {1, 4}, {0.25, 0.25, 0.25, 0.25}}}});
  EXPECT_NEAR(got.numerator[0], 0, 1e-15);
  EXPECT_EQ(Largest(got.gradient[0]), 0);
}

TEST(KlDivergence, OneClassIsRefused) {
  const State state(Loss(), {});
  const Batch batch = RandomBatch(Loss(), {{"N", 4}, {"c", 1}}, Presences(Loss())[0], 1, 1);
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.status, 3);
  EXPECT_EQ(got.refusal, "prediction: has 1 class, whose probability is always 1; allowed: 2 or more");
}

TEST(KlDivergence, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 8u); }

Reference Plain(const Batch& batch, const ParamValues&) {
  const TensorData &logits = batch.tensors[0], &target = batch.tensors[1], &weight = batch.tensors[2];
  Reference want;
  want.derivative.resize(logits.real.size());
  for (int64_t item = 0; item < batch.items(); ++item) {
    const auto at = [&](int64_t k) {
      return static_cast<size_t>(DenseIndex(batch, logits, item / batch.inner, k, item % batch.inner));
    };
    const long double w = weight.present ? weight.real[static_cast<size_t>(item)] : 1;
    int64_t best = 0;
    for (int64_t k = 1; k < logits.small; ++k) best = logits.real[at(k)] > logits.real[at(best)] ? k : best;
    const long double top = logits.real[at(best)];
    long double loss = 0, cross = 0, entropy = 0, rest = 0, mass = 0;
    for (int64_t k = 0; k < logits.small; ++k) {
      if (k != best) rest += std::exp(logits.real[at(k)] - top);
      mass += target.real[at(k)];
    }
    for (int64_t k = 0; k < logits.small; ++k) {
      const long double y = target.real[at(k)], minus_log = top - logits.real[at(k)] + std::log1p(rest);
      const long double p = std::exp(logits.real[at(k)] - top) / (1 + rest);
      cross += y * minus_log;
      if (y > 0) entropy -= y * std::log(y);
      if (y > 0) loss += y * (std::log(y) + minus_log);
      want.derivative[at(k)] = w * (p * (mass - y) - (k == best ? rest / (1 + rest) : 1 - p) * y);
      want.terms = std::max(want.terms, w * (p * mass + y));
    }
    want.item_loss.push_back(w * loss);
    want.item_magnitude = std::max(want.item_magnitude, w * (cross + entropy));
    want.denominator += w;
  }
  return want;
}

TEST(KlDivergence, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        Case c{"grid", {{"N", size(5)}, {"c", 1 + size(9)}, {"*", size(12)}}, {}};
        if (random() % 16 == 0) c.axes["*"] = 250 + size(400);  // several blocks of a kernel
        if (random() % 2 == 0) {
          c.fix = [](Batch& batch) {  // targets that sum to 1
            TensorData& target = batch.tensors[1];
            for (int64_t item = 0; item < batch.items(); ++item) {
              double sum = 0;
              for (int pass = 0; pass < 2; ++pass) {
                for (int64_t k = 0; k < target.small; ++k) {
                  const auto at =
                      static_cast<size_t>(DenseIndex(batch, target, item / batch.inner, k, item % batch.inner));
                  if (pass == 0) sum += target.real[at];
                  if (pass == 1 && sum > 0) target.real[at] = static_cast<float>(target.real[at] / sum);
                }
              }
            }
          };
        }
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"binary", {{"N", 41}}, {}},
          {"multilabel", {{"N", 9}, {"C", 4}}, {{"pos_weight", {0.5, 1, 2, 7}}}},
          {"pixels", {{"N", 2}, {"C", 3}, {"*", 11}}, {{"pos_weight", {3, 0.25, 1}}}},
          {"one_weight_for_all", {{"N", 2}, {"C", 5}, {"*", 7}}, {{"pos_weight", {2.5}}}}};
}
GDL_CONFORMANCE(BinaryCrossEntropy, Loss(), Cases());

const GoldenArray kLogits = {false, {4}, {2, -1, 0.5, -3}};
const GoldenArray kLabels = {true, {4}, {1, 0, 1, 1}};

TEST(BinaryCrossEntropy, KnownValues) {
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", kLogits}, {"target", kLabels}});
  const std::vector<double> want = {0.1269280110429725, 0.31326168751822286, 0.4740769841801067, 3.048587351573742};
  EXPECT_EQ(Difference("items", want, got.item_loss, 1e-15), "");
  EXPECT_NEAR(got.numerator[0] / got.denominator[0], 0.9907135085787611, 1e-15);
}

TEST(BinaryCrossEntropy, SmallLossesKeepTheirDigits) {
  const GoldenArray logits = {false, {2}, {30, -30}}, labels = {true, {2}, {1, 0}};
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", labels}});
  const double tail = 9.3576229688401746e-14;  // exp(-30)
  EXPECT_NEAR(got.item_loss[0] / std::log1p(tail), 1, 1e-13);
  EXPECT_NEAR(got.item_loss[1] / std::log1p(tail), 1, 1e-13);
  EXPECT_NEAR(got.gradient[0][0] / (-0.5 * tail / (1 + tail)), 1, 1e-13);
  EXPECT_NEAR(got.gradient[0][1] / (0.5 * tail / (1 + tail)), 1, 1e-13);
}

TEST(BinaryCrossEntropy, PositiveWeight) {
  const RunResult got = RunArrays(Loss(), {{"pos_weight", {3}}}, {{"prediction", kLogits}, {"target", kLabels}});
  EXPECT_NEAR(got.numerator[0] / got.denominator[0], 2.8155096819771717, 1e-14);
  EXPECT_EQ(got.denominator[0], 4);
}

TEST(BinaryCrossEntropy, PositiveWeightsFollowTheClassAxis) {
  // Shape [2, 2, 2]: the class is the middle axis. Only class 1 is weighted, by 10.
  const GoldenArray zeros = {false, {2, 2, 2}, std::vector<double>(8, 0)};
  const GoldenArray yes = {true, {2, 2, 2}, std::vector<double>(8, 1)};
  const RunResult got = RunArrays(Loss(), {{"pos_weight", {1, 10}}}, {{"prediction", zeros}, {"target", yes}});
  const double ln2 = std::log(2.0);
  const std::vector<double> want = {ln2, ln2, 10 * ln2, 10 * ln2, ln2, ln2, 10 * ln2, 10 * ln2};
  EXPECT_EQ(Difference("items", want, got.item_loss, 1e-15), "");
}

TEST(BinaryCrossEntropy, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 60u); }

long double Softplus(long double z) { return std::max(z, 0.0L) + std::log1p(std::exp(-std::abs(z))); }

Reference Plain(const Batch& batch, const ParamValues& params) {
  const TensorData &logit = batch.tensors[0], &label = batch.tensors[1], &soft = batch.tensors[2],
                   &weight = batch.tensors[3];
  const auto found = params.find("pos_weight");
  Reference want;
  for (size_t i = 0; i < logit.real.size(); ++i) {
    const size_t outer = i / static_cast<size_t>(batch.inner);
    const long double positive = found == params.end() ? 1 : found->second[outer % found->second.size()];
    long double w = weight.present ? weight.real[i] : 1;
    if (label.present && label.labels[i] < 0) w = 0;
    const long double y = label.present ? label.labels[i] : soft.real[i];
    const long double z = logit.real[i];
    const long double sigmoid = 1 / (1 + std::exp(-z)), rest = 1 / (1 + std::exp(z));
    want.item_loss.push_back(w == 0 ? 0 : w * (positive * y * Softplus(-z) + (1 - y) * Softplus(z)));
    want.derivative.push_back(w == 0 ? 0 : w * ((1 - y) * sigmoid - positive * y * rest));
    want.terms = std::max(want.terms, w * ((1 - y) * sigmoid + positive * y * rest));
    want.denominator += w;
  }
  return want;
}

TEST(BinaryCrossEntropy, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        Case c{"grid", {{"N", size(6)}, {"C", size(5)}, {"*", size(9)}}, {}};
        std::uniform_real_distribution<double> weight(0, 5);
        for (int64_t k = 0, n = random() % 2 == 0 ? 1 : c.axes["C"]; k < n && random() % 3 != 0; ++k) {
          c.params["pos_weight"].assign(static_cast<size_t>(n), weight(random));
          c.params["pos_weight"][static_cast<size_t>(k)] = weight(random);
        }
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/focal.h"
#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[1]; }

std::vector<Case> Cases() {
  return {{"decisions", {{"N", 37}}, {}},
          {"classes", {{"N", 5}, {"C", 3}, {"*", 7}}, {{"alpha", {0.25}}, {"class_weights", {1, 0, 2.5}}}},
          {"root", {{"N", 4}, {"C", 3}, {"*", 5}}, {{"gamma", {0.5}}}},
          {"odd_power", {{"N", 41}}, {{"gamma", {0.3}}, {"alpha", {1}}}},
          {"sure", {{"N", 31}}, {{"gamma", {0.5}}}, 60}};
}
GDL_CONFORMANCE(BinaryFocal, Loss(), Cases());

const GoldenArray kLogits = {false, {4}, {2, -1, 0.5, -3}}, kLabels = {true, {4}, {1, 0, 1, 1}};

RunResult RunOn(const ParamValues& params) {
  return RunArrays(Loss(), params, {{"prediction", kLogits}, {"target", kLabels}});
}

TEST(BinaryFocal, KnownValues) {
  const RunResult balanced = RunOn({{"alpha", {0.25}}}), off = RunOn({});
  EXPECT_NEAR(balanced.numerator[0], .7259079167258521, 1e-15);
  EXPECT_EQ(balanced.denominator[0], 4);
  EXPECT_NEAR(off.numerator[0] / 4, .7145788879716184, 1e-15);
}

TEST(BinaryFocal, GammaZeroIsCrossEntropy) {
  const RunResult got = RunOn({{"gamma", {0}}});
  const std::vector<double> want = {0.1269280110429725, 0.31326168751822286, 0.4740769841801067, 3.048587351573742};
  EXPECT_EQ(Difference("items", want, got.item_loss, 1e-15), "");
}

TEST(BinaryFocal, SureDecisionsHaveGradientsWithEveryGamma) {
  // 1 - p of the last two is 0: a power below 1 has no derivative there, the loss has: 0.
  const GoldenArray logits = {false, {4}, {30, -30, 1000, -1000}}, labels = {true, {4}, {1, 0, 1, 0}};
  for (double gamma : {0.0, 0.1, 0.5, 0.9, 1.0, 2.0}) {
    RunOptions options;
    options.scale = {1};
    const RunResult got =
        RunArrays(Loss(), {{"gamma", {gamma}}}, {{"prediction", logits}, {"target", labels}}, options);
    const double missing = 9.3576229688392989e-14;
    const double slope = std::pow(missing, gamma) * missing * (1 + gamma);
    EXPECT_EQ(Difference("gradient", {-slope, slope, 0, 0}, got.gradient[0], 1e-12), "") << gamma;
  }
}

TEST(BinaryFocal, ClassWeightsMultiplyLossesOnly) {
  const GoldenArray zeros = {false, {2, 2}, {0, 0, 0, 0}}, yes = {true, {2, 2}, {1, 1, 1, 1}};
  const RunResult got = RunArrays(Loss(), {{"class_weights", {1, 10}}}, {{"prediction", zeros}, {"target", yes}});
  const double item = std::log(2.0) / 4;
  EXPECT_EQ(Difference("items", {item, 10 * item, item, 10 * item}, got.item_loss, 1e-15), "");
  EXPECT_EQ(got.denominator[0], 4);
}

TEST(BinaryFocal, EqualsTorchvision) { EXPECT_EQ(CheckGolden(Loss()), 24u); }

Reference Plain(const Batch& batch, const ParamValues& params) {
  const TensorData &logit = batch.tensors[0], &label = batch.tensors[1], &soft = batch.tensors[2],
                   &weight = batch.tensors[3];
  const auto classes = params.find("class_weights");
  Reference want;
  for (size_t i = 0; i < logit.real.size(); ++i) {
    const size_t outer = i / static_cast<size_t>(batch.inner);
    const long double factor = classes == params.end() ? 1 : classes->second[outer % classes->second.size()];
    long double w = weight.present ? weight.real[i] : 1;
    if (label.present && label.labels[i] < 0) w = 0;
    const PlainDecision of = PlainFocal(logit.real[i], label.present ? label.labels[i] : soft.real[i], params);
    want.item_loss.push_back(w == 0 ? 0 : w * factor * of.loss);
    want.derivative.push_back(w == 0 ? 0 : w * factor * of.derivative);
    want.terms = std::max(want.terms, w * factor * of.terms);
    want.denominator += w;
  }
  return want;
}

TEST(BinaryFocal, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        Case c{"grid", {{"N", size(6)}, {"C", size(5)}, {"*", size(9)}}, {}};
        DrawFocal(c.params, random);
        for (int64_t k = 0, n = random() % 2 == 0 ? c.axes["C"] : 0; k < n; ++k) {
          c.params["class_weights"].push_back(std::uniform_real_distribution<double>(0, 5)(random));
        }
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

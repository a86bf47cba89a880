#include "plugins/losses/golden/focal.h"

#include "plugins/losses/golden/golden.h"
#include "plugins/losses/golden/softmax.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

/// A softmax has no place for the background.
void TakeOutBackground(Batch& batch) {
  TensorData& label = batch.tensors[1];
  for (int32_t& is : label.labels) is = std::min(is, static_cast<int32_t>(batch.tensors[0].small) - 1);
}

std::vector<Case> Cases() {
  const std::vector<double> weights = {1, 2, 0.5, 0};
  std::vector<Case> cases = {
      {"sigmoid_rows", {{"N", 23}, {"c", 5}}, {{"alpha", {0.25}}}},
      {"sigmoid_weighted", {{"N", 19}, {"c", 4}}, {{"class_weights", weights}, {"gamma", {1.5}}}},
      {"sigmoid_pixels", {{"N", 3}, {"c", 4}, {"*", 13}}, {{"class_weights", weights}, {"gamma", {0.3}}}},
      {"sigmoid_many", {{"N", 3}, {"c", 1100}}, {}},
      {"one_class", {{"N", 9}, {"c", 1}}, {}},
      {"softmax_rows", {{"N", 23}, {"c", 5}}, {{"activation", {1}}}},
      {"softmax_pixels",
       {{"N", 3}, {"c", 4}, {"*", 13}},
       {{"activation", {1}}, {"class_weights", weights}, {"gamma", {0.5}}}},
      {"softmax_long_rows", {{"N", 5}, {"c", 70}}, {{"activation", {1}}, {"gamma", {0.3}}}}};
  for (Case& c : cases) {
    if (c.params.count("activation")) c.fix = TakeOutBackground;
    c.encoding = "logits";  // so that the activation stays
  }
  cases[3].derivative = false;  // takes long, and is no other than the first's
  return cases;
}
GDL_CONFORMANCE(Focal, Loss(), Cases());

const GoldenArray kLogits = {false, {4, 3}, {2, 0.5, -1, 0, 1, 3, -1, 2, 0.5, 1, 1, 1}};
const GoldenArray kTargets = {true, {4}, {0, 1, 1, -100}};

TEST(Focal, KnownValueOfSoftmax) {
  const RunResult got = RunArrays(Loss(), {{"activation", {1}}}, {{"prediction", kLogits}, {"target", kTargets}});
  EXPECT_NEAR(got.numerator[0] / got.denominator[0], .5749184978689205, 1e-15);
  EXPECT_EQ(got.denominator[0], 3);
}

TEST(Focal, SoftmaxWithGammaZeroIsCrossEntropy) {
  const RunResult got =
      RunArrays(Loss(), {{"activation", {1}}, {"gamma", {0}}}, {{"prediction", kLogits}, {"target", kTargets}});
  const std::vector<double> want = {0.24131129665715703, 2.1698460195562856, 0.24131129665715703, 0};
  EXPECT_EQ(Difference("items", want, got.item_loss, 1e-15), "");
}

TEST(Focal, SigmoidTakesEveryClassAndTheBackground) {
  // One row of each: class 0, background. Known values of single decisions: 2 yes, -1 no; then 2 no, -1 no.
  const GoldenArray logits = {false, {2, 2}, {2, -1, 2, -1}}, labels = {true, {2}, {0, 2}};
  const RunResult got = RunArrays(Loss(), {{"gamma", {0}}}, {{"prediction", logits}, {"target", labels}});
  const double no = 0.31326168751822286;
  EXPECT_EQ(Difference("items", {0.1269280110429725 + no, 2.1269280110429727 + no}, got.item_loss, 1e-15), "");
  EXPECT_EQ(got.denominator[0], 4);
}

TEST(Focal, SureRightClassesHaveGradientsWithEveryGamma) {
  const GoldenArray logits = {false, {2, 2}, {30, 0, 0, 2000}}, labels = {true, {2}, {0, 1}};
  const double missing = 9.3576229688392989e-14;
  for (double gamma : {0.0, 0.1, 0.5, 0.9, 1.0, 2.0}) {
    RunOptions options;
    options.scale = {1};
    const RunResult got = RunArrays(Loss(), {{"activation", {1}}, {"gamma", {gamma}}},
                                    {{"prediction", logits}, {"target", labels}}, options);
    const double slope = std::pow(missing, gamma) * missing * (1 + gamma);
    EXPECT_EQ(Difference("gradient", {-slope, slope, 0, 0}, got.gradient[0], 1e-12), "") << gamma;
  }
}

TEST(Focal, SoftmaxRefusesWhatItHasNoPlaceFor) {
  const State alpha(Loss(), {{"activation", {1}}, {"alpha", {0.25}}});
  EXPECT_EQ(alpha.status(), 3);
  EXPECT_EQ(alpha.refusal(), "alpha: is 0.250000 with activation softmax, which has no yes and no; allowed: -1 (off)");
  const State softmax(Loss(), {{"activation", {1}}});
  const Batch one = RandomBatch(Loss(), {{"N", 4}, {"c", 1}}, Presences(Loss())[0], 1, 1);
  EXPECT_EQ(RunBatch(Loss(), softmax, one, {}).refusal,
            "prediction: has 1 class, whose softmax is always 1; allowed: 2 or more");
  Batch background = RandomBatch(Loss(), {{"N", 4}, {"c", 3}}, Presences(Loss())[0], 1, 1, 0);
  TakeOutBackground(background);
  background.tensors[1].labels[2] = 3;
  const RunResult got = RunBatch(Loss(), softmax, background, {});
  EXPECT_EQ(got.fault_kind, uint32_t{GDL_FAULT_VALUE});
  EXPECT_EQ(got.fault_tensor, 1u);
  EXPECT_EQ(got.fault_item, 2);
}

TEST(Focal, EqualsPyTorchAndTorchvision) { EXPECT_EQ(CheckGolden(Loss()), 24u); }

Reference PlainSigmoid(const Batch& batch, const ParamValues& params) {
  const TensorData &logits = batch.tensors[0], &label = batch.tensors[1], &weight = batch.tensors[2];
  Reference want;
  want.derivative.resize(logits.real.size());
  for (int64_t item = 0; item < batch.items(); ++item) {
    const auto number = static_cast<size_t>(item);
    const bool valid = label.labels[number] >= 0;
    const long double w = !valid ? 0 : weight.present ? static_cast<long double>(weight.real[number]) : 1;
    long double loss = 0;
    for (int64_t k = 0; k < logits.small && w != 0; ++k) {
      const auto at = static_cast<size_t>(DenseIndex(batch, logits, item / batch.inner, k, item % batch.inner));
      const PlainDecision of = PlainFocal(logits.real[at], label.labels[number] == k ? 1 : 0, params);
      const long double factor = w * ClassWeight(params, static_cast<int32_t>(k));
      loss += factor * of.loss;
      want.derivative[at] = factor * of.derivative;
      want.terms = std::max(want.terms, factor * of.terms);
    }
    want.item_loss.push_back(loss);
    want.denominator += w * static_cast<long double>(logits.small);
  }
  return want;
}

Reference Plain(const Batch& batch, const ParamValues& params) {
  if (params.at("activation")[0] == 0) return PlainSigmoid(batch, params);
  const long double gamma = params.at("gamma")[0];
  const auto class_weight = [&](int32_t is) { return ClassWeight(params, is); };
  return LabelReference(
      batch, class_weight, [](int32_t) { return 1.0L; },
      [&](long double minus_log_p, long double p, long double q) {
        const long double power = std::pow(q, gamma);
        const long double more = gamma == 0 || q == 0 ? 0 : gamma * p * std::pow(q, gamma - 1) * minus_log_p;
        return PlainTerm{power * minus_log_p, power + more};
      });
}

TEST(Focal, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        Case c = LabelCase(random);
        DrawFocal(c.params, random);
        c.params["activation"] = {static_cast<double>(random() % 2)};
        if (c.params["activation"][0] != 0) {
          c.params["alpha"] = {-1};
          c.fix = TakeOutBackground;
        }
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 23}, {"c", 5}}, {}},
          {"weighted", {{"N", 19}, {"c", 4}}, {{"class_weights", {1, 2, 0.5, 0}}}},
          {"smoothed_pixels",
           {{"N", 3}, {"c", 3}, {"*", 13}},
           {{"label_smoothing", {0.1}}, {"class_weights", {1, 2, 0.5}}}},
          {"long_runs", {{"N", 1}, {"c", 2}, {"*", 150}}, {{"label_smoothing", {1}}}}};
}
GDL_CONFORMANCE(CrossEntropy, Loss(), Cases());

const GoldenArray kLogits = {false, {4, 3}, {2, 0.5, -1, 0, 1, 3, -1, 2, 0.5, 1, 1, 1}};
const GoldenArray kTargets = {true, {4}, {0, 1, 1, -100}};
const std::vector<double> kWeights = {1, 2, 0.5};

RunResult RunOn(const ParamValues& params) {
  return RunArrays(Loss(), params, {{"prediction", kLogits}, {"target", kTargets}});
}
double Mean(const RunResult& result) { return result.numerator[0] / result.denominator[0]; }

TEST(CrossEntropy, KnownValues) {
  const RunResult got = RunOn({});
  const std::vector<double> want = {0.24131129665715703, 2.1698460195562856, 0.24131129665715703, 0};
  EXPECT_EQ(Difference("items", want, got.item_loss, 1e-15), "");
  EXPECT_NEAR(Mean(got), 0.8841562042901999, 1e-15);
  EXPECT_NEAR(got.numerator[0] / 4, 0.66311715321765, 1e-14);
}

TEST(CrossEntropy, KnownValuesOfWeightsAndSmoothing) {
  EXPECT_NEAR(Mean(RunOn({{"class_weights", kWeights}})), 1.0127251858168085, 1e-15);
  EXPECT_NEAR(Mean(RunOn({{"label_smoothing", {0.1}}})), 0.9730450931790889, 1e-15);
  EXPECT_NEAR(Mean(RunOn({{"label_smoothing", {0.1}}, {"class_weights", kWeights}})), 1.0283436015354417, 1e-15);
}

TEST(CrossEntropy, SmallLossesKeepTheirDigits) {
  // Sure and right: rest = exp(-30) + exp(-35), loss = log1p(rest), gradient of the first = -rest / (1 + rest).
  const RunResult got =
      RunArrays(Loss(), {}, {{"prediction", {false, {1, 3}, {30, 0, -5}}}, {"target", {true, {1}, {0}}}});
  const double rest = 9.420674136441645e-14;
  EXPECT_NEAR(got.item_loss[0] / std::log1p(rest), 1, 1e-13);
  EXPECT_NEAR(got.gradient[0][0] / (-rest / (1 + rest)), 1, 1e-13);
}

TEST(CrossEntropy, SmallLossesOfLongRowsKeepTheirDigits) {
  GoldenArray logits = {false, {1, 70}, std::vector<double>(70, -30)};
  logits.values[5] = 30;
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", {true, {1}, {5}}}});
  const double rest = 69 * 8.75651076269652e-27;  // exp(-60)
  EXPECT_NEAR(got.item_loss[0] / rest, 1, 1e-13);
  EXPECT_NEAR(got.gradient[0][5] / -rest, 1, 1e-13);
}

TEST(CrossEntropy, OneClassIsRefused) {
  const State state(Loss(), {});
  const Batch batch = RandomBatch(Loss(), {{"N", 4}, {"c", 1}}, Presences(Loss())[0], 1, 1);
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.status, 3);
  EXPECT_EQ(got.refusal, "prediction: has 1 class, whose cross-entropy is always 0; allowed: 2 or more");
}

TEST(CrossEntropy, ZeroWeightsGiveAnEmptyDenominator) {
  const RunResult got = RunOn({{"class_weights", {0, 0, 0}}});
  EXPECT_EQ(got.numerator[0], 0);
  EXPECT_EQ(got.denominator[0], 0);
  EXPECT_EQ(Largest(got.gradient[0]), 0);
}

TEST(CrossEntropy, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 96u); }

Reference Plain(const Batch& batch, const ParamValues& params) {
  const TensorData &logits = batch.tensors[0], &label = batch.tensors[1], &soft = batch.tensors[2],
                   &weight = batch.tensors[3];
  const auto weights = params.find("class_weights");
  const long double smoothing = params.at("label_smoothing")[0];
  const int64_t classes = logits.small;
  const auto class_weight = [&](int64_t k) {
    return weights == params.end() ? 1.0L : static_cast<long double>(weights->second[static_cast<size_t>(k)]);
  };
  Reference want;
  want.derivative.resize(logits.real.size());
  for (int64_t item = 0; item < batch.items(); ++item) {
    const size_t number = static_cast<size_t>(item);
    const auto at = [&](int64_t k) {
      return static_cast<size_t>(DenseIndex(batch, logits, item / batch.inner, k, item % batch.inner));
    };
    long double w = weight.present ? weight.real[number] : 1;
    if (label.present && label.labels[number] < 0) w = 0;
    long double top = logits.real[at(0)], sum = 0, loss = 0;
    for (int64_t k = 1; k < classes; ++k) top = std::max<long double>(top, logits.real[at(k)]);
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(logits.real[at(k)] - top);
    std::vector<long double> target;
    for (int64_t k = 0; k < classes; ++k) {
      const long double hard = label.present ? (label.labels[number] == k ? 1 : 0) : soft.real[at(k)];
      target.push_back((1 - smoothing) * hard + smoothing / static_cast<long double>(classes));
    }
    for (int64_t k = 0; k < classes; ++k) {
      const long double p = std::exp(logits.real[at(k)] - top) / sum;
      // -log p_k, and the sums over the other classes that make up 1 - p_k, without cancellation.
      long double others = 0;
      for (int64_t j = 0; j < classes; ++j) {
        if (j != k) others += std::exp(logits.real[at(j)] - top);
      }
      const long double mine = class_weight(k) * target[static_cast<size_t>(k)];
      const long double minus_log =
          others < 1 && p > 0.5L ? std::log1p(others / (sum - others)) : top - logits.real[at(k)] + std::log(sum);
      loss += mine * minus_log;
      long double derivative = -mine * (others / sum), terms = -derivative;
      for (int64_t j = 0; j < classes; ++j) {
        if (j == k) continue;
        derivative += class_weight(j) * target[static_cast<size_t>(j)] * p;
        terms += class_weight(j) * target[static_cast<size_t>(j)] * p;
      }
      want.derivative[at(k)] = w * derivative;
      want.terms = std::max(want.terms, w * terms);
    }
    want.item_loss.push_back(w * loss);
    const bool counted = label.present && label.labels[number] >= 0;
    want.denominator += label.present ? (counted ? w * class_weight(label.labels[number]) : 0) : w;
  }
  return want;
}

TEST(CrossEntropy, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        Case c{"grid", {{"N", size(5)}, {"c", 1 + size(7)}, {"*", size(12)}}, {}};
        if (random() % 16 == 0) c.axes["*"] = 250 + size(400);  // several blocks of a kernel
        std::uniform_real_distribution<double> unit(0, 1);
        const double smoothings[] = {0, 0, unit(random), 1};
        c.params["label_smoothing"] = {smoothings[random() % 4]};
        if (c.params["label_smoothing"][0] == 0 && random() % 4 == 0) {
          c.axes = {{"N", size(20)}, {"c", 60 + size(40)}};  // rows that are computed one by one
        }
        if (random() % 2 == 0) {
          for (int64_t k = 0; k < c.axes["c"]; ++k) {
            c.params["class_weights"].push_back(random() % 5 == 0 ? 0 : 3 * unit(random));
          }
        }
        return c;
      },
      Plain);
}

TEST(CrossEntropy, LongRowsOfEqualHugeLogits) {
  for (const double at : {1e11, -1e11, 1e20}) {
    const GoldenArray logits = {false, {1, 67}, std::vector<double>(67, at)};
    for (const uint32_t dtype : {4u, 8u}) {
      RunOptions options;
      options.dtype = dtype;
      const RunResult got = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", {true, {1}, {3}}}}, options);
      EXPECT_NEAR(got.item_loss[0], std::log(67), 1e-6) << at;
      EXPECT_NEAR(got.gradient[0][0], 1.0 / 67, 1e-8) << at;
    }
  }
}

TEST(CrossEntropy, LongRowsWhoseDifferencesNoFloatHolds) {
  GoldenArray logits = {false, {1, 70}, std::vector<double>(70, -3e38)};
  logits.values[0] = 3e38;
  RunOptions options;
  options.dtype = 4;
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", {true, {1}, {3}}}}, options);
  EXPECT_NEAR(got.item_loss[0], 6e38, 1e32);
  EXPECT_FLOAT_EQ(static_cast<float>(got.gradient[0][0]), 1);
  EXPECT_FLOAT_EQ(static_cast<float>(got.gradient[0][3]), -1);
}

TEST(CrossEntropy, PixelsWhoseDifferenceNoFloatHoldsAreCertain) {
  const GoldenArray logits = {false, {1, 2, 2}, {-3e38, 3e38, 3e38, -3e38}};
  RunOptions options;
  options.dtype = 4;
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", {true, {1, 2}, {1, 0}}}}, options);
  EXPECT_EQ(got.item_loss, (std::vector<double>{0, 0}));
  EXPECT_EQ(got.numerator[0], 0);
}

TEST(CrossEntropy, LogitsFarFromZeroKeepTheirDifferences) {
  // On both sides of where kernels take the highest logit away first, next to each other in a vector.
  const double bases[] = {0, 65535.5, 65536, -65536, -65535.5, 1e6, -3, 16777216, -1048576, 65530, 123456, 1e4};
  const double steps[] = {0, 0.5, 2, 16, 48, 86, 120};
  for (const int64_t classes : {7, 70}) {
    for (const uint32_t dtype : {4u, 8u}) {
      GoldenArray logits{false, {std::ssize(bases), classes}, {}}, labels{true, {std::ssize(bases)}, {}};
      std::vector<double> losses;
      std::vector<std::vector<double>> probabilities;
      for (int64_t item = 0; item < std::ssize(bases); ++item) {
        const int64_t label = item % 7;
        long double sum = 0;
        for (int64_t k = 0; k < classes; ++k) {
          const double logit = bases[item] - steps[k % 7];
          logits.values.push_back(dtype == 4 ? static_cast<float>(logit) : logit);
          sum += std::exp(static_cast<long double>(logits.values.back() - bases[item]));
        }
        const auto at = [&](int64_t k) { return logits.values[static_cast<size_t>(item * classes + k)]; };
        labels.values.push_back(static_cast<double>(label));
        losses.push_back(static_cast<double>(bases[item] - at(label) + std::log(sum)));
        probabilities.emplace_back();
        for (int64_t k = 0; k < classes; ++k) {
          const long double p = std::exp(static_cast<long double>(at(k) - bases[item])) / sum;
          probabilities.back().push_back(static_cast<double>(p - (k == label ? 1 : 0)) / std::ssize(bases));
        }
      }
      RunOptions options;
      options.dtype = dtype;
      const RunResult got = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", labels}}, options);
      for (size_t item = 0; item < losses.size(); ++item) {
        EXPECT_NEAR(got.item_loss[item], losses[item], 1e-6 * std::max(1.0, losses[item])) << bases[item];
        for (size_t k = 0; k < static_cast<size_t>(classes); ++k) {
          EXPECT_NEAR(got.gradient[0][item * static_cast<size_t>(classes) + k], probabilities[item][k], 1e-7)
              << bases[item] << " class " << k;
        }
      }
    }
  }
}

TEST(CrossEntropy, AnItemDoesNotDependOnTheOthers) {
  // One logit of one item decides whether a block goes the way of logits near 0: pixels, short rows and long ones.
  const std::vector<std::vector<int64_t>> shapes = {{1, 5, 40}, {40, 5}, {40, 70}};
  for (const std::vector<int64_t>& shape : shapes) {
    const int64_t items = 40, classes = shape[1], stride = shape.size() == 3 ? items : 1;
    std::mt19937_64 random(7);
    std::normal_distribution<double> normal(0, 4);
    GoldenArray logits{false, shape, {}}, labels{true, shape, {}};
    if (shape.size() == 3) labels.shape = {1, items};
    if (shape.size() == 2) labels.shape = {items};
    for (int64_t i = 0; i < items * classes; ++i) logits.values.push_back(static_cast<float>(normal(random)));
    for (int64_t i = 0; i < items; ++i) labels.values.push_back(static_cast<double>(random() % 5));
    RunOptions options;
    options.dtype = 4;
    const RunResult near = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", labels}}, options);
    for (const double far : {40.0, 39.99999, -40.0, 65536.0, -3e38}) {
      GoldenArray moved = logits;
      const int64_t item = 11, first = stride == 1 ? item * classes : item;
      moved.values[static_cast<size_t>(first + 2 * stride)] = static_cast<float>(far);
      const RunResult got = RunArrays(Loss(), {}, {{"prediction", moved}, {"target", labels}}, options);
      for (int64_t i = 0; i < items; ++i) {
        if (i == item) continue;
        EXPECT_EQ(got.item_loss[static_cast<size_t>(i)], near.item_loss[static_cast<size_t>(i)])
            << far << " item " << i;
        for (int64_t k = 0; k < classes; ++k) {
          const auto at = static_cast<size_t>((stride == 1 ? i * classes : i) + k * stride);
          EXPECT_EQ(got.gradient[0][at], near.gradient[0][at]) << far << " item " << i << " class " << k;
        }
      }
    }
  }
}

TEST(CrossEntropy, ManyClassesWhoseQuotientNoFloatHolds) {
  const int64_t classes = 100000;
  GoldenArray logits{false, {1, classes, 2}, std::vector<double>(2 * classes, static_cast<float>(39.9))};
  logits.values[6] = logits.values[7] = static_cast<float>(-39.9);
  RunOptions options;
  options.dtype = 4;
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", {true, {1, 2}, {3, 3}}}}, options);
  EXPECT_NEAR(got.item_loss[0], 79.8 + std::log(classes - 1), 1e-4);
  EXPECT_NEAR(got.gradient[0][6], -0.5, 1e-7);
}

TEST(CrossEntropy, SmoothingOverManyClassesKeepsItsDigits) {
  const Case c{"many", {{"N", 3}, {"c", 1000}}, {{"label_smoothing", {0.1}}}};
  std::mt19937_64 random(1);
  WorstError error;
  for (const uint32_t seed : {1u, 2u}) {
    const Batch batch = RandomBatch(Loss(), c, {true, true, false, false}, seed);
    for (const uint32_t dtype : {4u, 8u}) CheckAgainst(Loss(), batch, c, Plain(batch, c.params), dtype, random, error);
  }
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/golden.h"
#include "plugins/losses/golden/lovasz.h"
#include "plugins/losses/golden/ranks.h"
#include "plugins/sdk/reference.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"image", {{"N", 2}, {"c", 3}, {"*", 23}}, {}},
          {"images", {{"N", 3}, {"c", 4}, {"*", 17}}, {{"per_image", {1}}}},
          {"all", {{"N", 2}, {"c", 6}, {"*", 5}}, {{"classes", {1}}}},
          {"all_of_images", {{"N", 3}, {"c", 5}, {"*", 4}}, {{"classes", {1}}, {"per_image", {1}}}},
          {"rows", {{"N", 29}, {"c", 3}}, {}},
          {"single_pixels", {{"N", 7}, {"c", 3}}, {{"per_image", {1}}}}};
}
GDL_CONFORMANCE(LovaszSoftmax, Loss(), Cases());

double LogOf(double p) { return std::log(p); }
/// Logits whose softmax is exactly these probabilities of four pixels: [1, 2, 4].
GoldenArray Logits(const std::vector<double>& yes) {
  GoldenArray logits{false, {1, 2, static_cast<int64_t>(yes.size())}, {}};
  for (double p : yes) logits.values.push_back(LogOf(p));
  for (double p : yes) logits.values.push_back(LogOf(1 - p));
  return logits;
}

TEST(LovaszSoftmax, KnownValue) {
  const RunResult got =
      RunArrays(Loss(), {}, {{"prediction", Logits({0.9, 0.6, 0.2, 0.3})}, {"target", {true, {1, 4}, {0, 0, 1, 0}}}});
  EXPECT_NEAR(got.numerator[0], 0.4458333333333333, 1e-15);
  EXPECT_EQ(got.denominator[0], 1);
}

TEST(LovaszSoftmax, HardDecisionsGiveTheJaccardLoss) {
  // Class 0: right twice, missed once, taken for another once: 1 - 2 / 4. Class 1: 1 - 1 / 3.
  const GoldenArray logits = {false, {1, 2, 5}, {500, 500, 500, 0, 0, 0, 0, 0, 500, 500}};
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", {true, {1, 5}, {0, 0, 1, 0, 1}}}});
  EXPECT_NEAR(got.numerator[0], (0.5 + 2.0 / 3) / 2, 1e-15);
}

TEST(LovaszSoftmax, OfEqualErrorsTheLowerItemComesFirst) {
  // Both pixels have error 0.5 for both classes. Class 0: the positive first (Jaccard loss 1), then nothing is left.
  // Class 1: the negative first: from 0 to 1 - 1 / 2, then the positive to 1.
  const GoldenArray logits = {false, {1, 2, 2}, {0, 0, 0, 0}};
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", {true, {1, 2}, {0, 1}}}});
  EXPECT_NEAR(got.numerator[0], 0.5, 1e-15);
  // By p: class 0 pixel 0 -1, pixel 1 0; class 1 pixel 0 1/2, pixel 1 -1/2; halved by the mean, then p (1 - p) = 1/4.
  const std::vector<double> want = {-0.1875, 0.0625, 0.1875, -0.0625};
  EXPECT_EQ(Difference("gradient", want, got.gradient[0], 1e-15), "");
}

TEST(LovaszSoftmax, AbsentClassesCountOnlyWhenAllDo) {
  const GoldenArray logits = Logits({0.9, 0.6, 0.2, 0.3}), target = {true, {1, 4}, {0, 0, 0, 0}};
  const RunResult present = RunArrays(Loss(), {}, {{"prediction", logits}, {"target", target}});
  const RunResult all = RunArrays(Loss(), {{"classes", {1}}}, {{"prediction", logits}, {"target", target}});
  const double error = (0.1 + 0.4 + 0.8 + 0.7) / 4;
  EXPECT_NEAR(present.numerator[0], error, 1e-15);
  EXPECT_NEAR(all.numerator[0], (error + 0.8) / 2, 1e-15);  // of an absent class, the largest error
}

TEST(LovaszSoftmax, NothingValidIsNothing) {
  for (double classes : {0.0, 1.0}) {
    const RunResult got = RunArrays(Loss(), {{"classes", {classes}}},
                                    {{"prediction", Logits({0.9, 0.2})}, {"target", {true, {1, 2}, {-100, -100}}}});
    EXPECT_EQ(got.numerator[0], 0);
    EXPECT_EQ(got.gradient[0], std::vector<double>(4, 0));
  }
}

TEST(LovaszSoftmax, OneClassIsRefused) {
  const State state(Loss(), {});
  const Batch batch = RandomBatch(Loss(), {{"N", 4}, {"c", 1}}, Presences(Loss())[0], 1, 1);
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.status, 3);
  EXPECT_EQ(got.refusal, "prediction: has 1 class, whose softmax is always 1; allowed: 2 or more");
}

TEST(LovaszSoftmax, EqualsTheAuthorsCode) { EXPECT_EQ(CheckGolden(Loss()), 16u); }

/// Errors of all classes of an item: 1 - p of the right one, p of the others; p.
struct ItemErrors {
  std::vector<long double> error, p, q;
};

ItemErrors ErrorsOf(const Batch& batch, int64_t item) {
  const TensorData& logits = batch.tensors[0];
  const auto at = [&](int64_t k) {
    return static_cast<long double>(
        logits.real[static_cast<size_t>(DenseIndex(batch, logits, item / batch.inner, k, item % batch.inner))]);
  };
  ItemErrors errors;
  long double top = at(0), sum = 0;
  for (int64_t k = 1; k < logits.small; ++k) top = std::max(top, at(k));
  for (int64_t k = 0; k < logits.small; ++k) sum += std::exp(at(k) - top);
  for (int64_t k = 0; k < logits.small; ++k) {
    long double others = 0;
    for (int64_t j = 0; j < logits.small; ++j) others += j == k ? 0 : std::exp(at(j) - top);
    errors.p.push_back(std::exp(at(k) - top) / sum);
    errors.q.push_back(others / sum);
    errors.error.push_back(batch.tensors[1].labels[static_cast<size_t>(item)] == k ? others / sum : errors.p.back());
  }
  return errors;
}

Reference Plain(const Batch& batch, const ParamValues& params) {
  const TensorData &logits = batch.tensors[0], &label = batch.tensors[1];
  const bool per_image = params.at("per_image")[0] != 0, all = params.at("classes")[0] != 0;
  const int64_t groups = per_image ? batch.outer : 1, classes = logits.small;
  const int64_t run = groups == 0 ? 0 : batch.items() / groups;
  Reference want;
  want.denominator = 1;
  want.numerator = 0;
  want.derivative.resize(logits.real.size());
  for (int64_t group = 0; group < groups; ++group) {
    std::vector<LovaszReference> sets;
    long double counted = 0, loss = 0;
    for (int64_t k = 0; k < classes; ++k) {
      std::vector<LovaszItem> items;
      for (int64_t item = group * run; item < (group + 1) * run; ++item) {
        const int32_t is = label.labels[static_cast<size_t>(item)];
        if (is >= 0)
          items.push_back({item - group * run, ErrorsOf(batch, item).error[static_cast<size_t>(k)], is == k});
      }
      sets.push_back(PlainLovasz(items, run));
      if (!all && !sets.back().has_positives) sets.back() = {0, std::vector<long double>(static_cast<size_t>(run), 0)};
      loss += sets.back().loss;
      counted += all || sets.back().has_positives ? 1 : 0;
    }
    if (counted == 0) continue;
    const long double share = 1 / (counted * static_cast<long double>(groups));
    want.numerator += loss * share;
    for (int64_t item = group * run; item < (group + 1) * run; ++item) {
      if (label.labels[static_cast<size_t>(item)] < 0) continue;
      const ItemErrors of = ErrorsOf(batch, item);
      const auto slope = [&](size_t k) {
        const long double grows = sets[k].slope[static_cast<size_t>(item - group * run)] * share;
        return static_cast<int32_t>(k) == label.labels[static_cast<size_t>(item)] ? -grows : grows;
      };
      for (size_t k = 0; k < of.p.size(); ++k) {
        long double derivative = slope(k) * of.q[k], terms = std::abs(derivative);
        for (size_t j = 0; j < of.p.size(); ++j) {
          if (j == k) continue;
          derivative -= slope(j) * of.p[j];
          terms += std::abs(slope(j)) * of.p[j];
        }
        const int64_t at = DenseIndex(batch, logits, item / batch.inner, static_cast<int64_t>(k), item % batch.inner);
        want.derivative[static_cast<size_t>(at)] = of.p[k] * derivative;
        want.terms = std::max(want.terms, of.p[k] * terms);
      }
    }
  }
  return want;
}

TEST(LovaszSoftmax, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        Case c{"grid", {{"N", size(4)}, {"c", 1 + size(5)}, {"*", size(12)}}, {}};
        if (random() % 16 == 0) c.axes["*"] = 250 + size(400);  // several blocks of a kernel
        c.params["per_image"] = {static_cast<double>(random() % 2)};
        c.params["classes"] = {static_cast<double>(random() % 2)};
        c.fix = [](Batch& batch) { PartRanks(batch, [&](int64_t item) { return ErrorsOf(batch, item).error; }); };
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

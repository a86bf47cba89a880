#include "plugins/losses/golden/golden.h"
#include "plugins/losses/golden/ranks.h"
#include "plugins/losses/golden/softmax.h"
#include "plugins/sdk/reference.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"all", {{"N", 23}, {"c", 5}}, {}},
          {"third", {{"N", 3}, {"c", 4}, {"*", 13}}, {{"k", {0.3}}, {"class_weights", {1, 2, 0.5, 1.5}}}},
          {"probability", {{"N", 2}, {"c", 3}, {"*", 19}}, {{"mode", {1}}, {"threshold", {0.4}}, {"min_kept", {3}}}},
          {"fewest",
           {{"N", 31}, {"c", 3}},
           {{"mode", {1}}, {"threshold", {0.01}}, {"min_kept", {9}}, {"class_weights", {1, 2, 0.5}}}},
          {"long_rows", {{"N", 9}, {"c", 70}}, {{"k", {0.5}}}}};
}
GDL_CONFORMANCE(OhemCrossEntropy, Loss(), Cases());

/// Rows of two classes whose right one, class 0, has these probabilities.
GoldenArray Rows(const std::vector<double>& p) {
  GoldenArray logits{false, {static_cast<int64_t>(p.size()), 2}, {}};
  for (double right : p) {
    logits.values.push_back(std::log(right));
    logits.values.push_back(std::log(1 - right));
  }
  return logits;
}

RunResult RunOn(const std::vector<double>& p, const ParamValues& params, std::vector<double> labels = {}) {
  labels.resize(p.size(), 0);
  return RunArrays(Loss(), params,
                   {{"prediction", Rows(p)}, {"target", {true, {static_cast<int64_t>(p.size())}, labels}}});
}

/// How much of each row is kept, from the gradient by its first logit: -(1 - p) / number kept.
std::vector<double> KeptOf(const RunResult& result, const std::vector<double>& p) {
  std::vector<double> kept;
  for (size_t i = 0; i < p.size(); ++i) {
    kept.push_back(std::round(-1e9 * result.gradient[0][2 * i] / (1 - p[i]) * result.denominator[0]) / 1e9);
  }
  return kept;
}

TEST(OhemCrossEntropy, KeepsTheHardestShare) {
  const std::vector<double> p = {0.9, 0.2, 0.6, 0.4, 0.7};
  const RunResult got = RunOn(p, {{"k", {0.5}}});  // int(2.5) = 2
  EXPECT_NEAR(got.numerator[0], -std::log(0.2) - std::log(0.4), 1e-14);
  EXPECT_EQ(got.denominator[0], 2);
  EXPECT_EQ(KeptOf(got, p), (std::vector<double>{0, 1, 0, 1, 0}));
}

TEST(OhemCrossEntropy, KeepsAtLeastOneOfTheValid) {
  const std::vector<double> p = {0.9, 0.2, 0.6};
  const RunResult got = RunOn(p, {{"k", {0.01}}}, {0, -100, 0});
  EXPECT_NEAR(got.numerator[0], -std::log(0.6), 1e-15);
  EXPECT_EQ(got.denominator[0], 1);
}

TEST(OhemCrossEntropy, TiesShareWhatIsLeft) {
  const std::vector<double> p = {0.25, 0.5, 0.5, 0.5, 0.75};
  const RunResult got = RunOn(p, {{"k", {0.4}}});  // 2: the first, and a third of each of the next three
  EXPECT_NEAR(got.numerator[0], -std::log(0.25) - std::log(0.5), 1e-14);
  const std::vector<double> kept = KeptOf(got, p), want = {1, 1.0 / 3, 1.0 / 3, 1.0 / 3, 0};
  EXPECT_EQ(Difference("kept", want, kept, 1e-8), "");
}

TEST(OhemCrossEntropy, KeepsWhatIsBelowTheThreshold) {
  const std::vector<double> p = {0.9, 0.2, 0.6, 0.4, 0.7};
  const RunResult got = RunOn(p, {{"mode", {1}}, {"threshold", {0.65}}, {"min_kept", {1}}});
  EXPECT_EQ(got.denominator[0], 3);
  EXPECT_EQ(KeptOf(got, p), (std::vector<double>{0, 1, 1, 1, 0}));
}

TEST(OhemCrossEntropy, KeepsTheLeastNumberWhateverTheThreshold) {
  const std::vector<double> p = {0.9, 0.2, 0.6, 0.4, 0.7};
  const RunResult got = RunOn(p, {{"mode", {1}}, {"threshold", {0.3}}, {"min_kept", {4}}});
  EXPECT_EQ(KeptOf(got, p), (std::vector<double>{0, 1, 1, 1, 1}));
  EXPECT_EQ(RunOn(p, {{"mode", {1}}, {"threshold", {0.3}}}).denominator[0], 5);  // 100000: all there are
}

TEST(OhemCrossEntropy, ThresholdRanksByProbabilityAndSharesByLoss) {
  const std::vector<double> p = {0.2, 0.4, 0.9};
  const GoldenArray logits = Rows(p), labels = {true, {3}, {0, 1, 0}};  // of the second, 1 - p = 0.6 is right
  const ParamValues params = {{"mode", {1}}, {"threshold", {0.65}}, {"min_kept", {0}}, {"class_weights", {0.5, 8}}};
  const RunResult got = RunArrays(Loss(), params, {{"prediction", logits}, {"target", labels}});
  EXPECT_NEAR(got.numerator[0], -0.5 * std::log(0.2) - 8 * std::log(0.6), 1e-14);
  EXPECT_EQ(got.denominator[0], 2);
}

TEST(OhemCrossEntropy, OneClassIsRefused) {
  const State state(Loss(), {});
  const Batch batch = RandomBatch(Loss(), {{"N", 4}, {"c", 1}}, Presences(Loss())[0], 1, 1);
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.status, 3);
  EXPECT_EQ(got.refusal, "prediction: has 1 class, whose cross-entropy is always 0; allowed: 2 or more");
}

TEST(OhemCrossEntropy, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 24u); }

/// What an item is ranked by.
long double RankOf(const Batch& batch, const ParamValues& params, int64_t item) {
  const bool topk = params.at("mode")[0] == 0;
  const int32_t label = batch.tensors[1].labels[static_cast<size_t>(item)];
  return SoftmaxOf(batch, item).minus_log_p * (topk ? ClassWeight(params, label) : 1);
}

Reference Plain(const Batch& batch, const ParamValues& params) {
  const TensorData &logits = batch.tensors[0], &label = batch.tensors[1];
  std::vector<long double> ranks;
  for (int64_t item = 0; item < batch.items(); ++item) {
    if (label.labels[static_cast<size_t>(item)] >= 0) ranks.push_back(RankOf(batch, params, item));
  }
  std::sort(ranks.rbegin(), ranks.rend());
  const bool topk = params.at("mode")[0] == 0;
  long double bound = -std::log(static_cast<long double>(params.at("threshold")[0])), share = 0;
  auto kept = static_cast<size_t>(std::count_if(ranks.begin(), ranks.end(), [&](long double r) { return r > bound; }));
  const auto least =
      static_cast<size_t>(topk ? std::max(1.0, std::floor(params.at("k")[0] * static_cast<double>(ranks.size())))
                               : params.at("min_kept")[0]);
  if (!ranks.empty() && (topk || kept < least)) {
    kept = std::min(least, ranks.size());
    bound = ranks[kept - 1];
    const auto harder = std::count_if(ranks.begin(), ranks.end(), [&](long double r) { return r > bound; });
    share = static_cast<long double>(kept - static_cast<size_t>(harder)) /
            static_cast<long double>(std::count(ranks.begin(), ranks.end(), bound));
  }
  Reference want;
  want.numerator = 0;
  want.denominator = static_cast<long double>(kept);
  want.derivative.resize(logits.real.size());
  for (int64_t item = 0; item < batch.items(); ++item) {
    const int32_t is = label.labels[static_cast<size_t>(item)];
    if (is < 0) continue;
    const long double rank = RankOf(batch, params, item);
    const long double weight = (rank > bound ? 1 : rank == bound ? share : 0) * ClassWeight(params, is);
    const PlainSoftmax softmax = SoftmaxOf(batch, item);
    want.numerator += weight * softmax.minus_log_p;
    for (int64_t k = 0; k < logits.small; ++k) {
      const int64_t at = DenseIndex(batch, logits, item / batch.inner, k, item % batch.inner);
      const auto number = static_cast<size_t>(k);
      want.derivative[static_cast<size_t>(at)] = weight * (k == is ? -softmax.q[number] : softmax.p[number]);
    }
  }
  return want;
}

TEST(OhemCrossEntropy, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        std::uniform_real_distribution<double> unit(0, 1);
        Case c{"grid", {{"N", size(5)}, {"c", 1 + size(5)}, {"*", size(12)}}, {}};
        if (random() % 16 == 0) c.axes["*"] = 250 + size(400);  // several blocks of a kernel
        c.params["mode"] = {static_cast<double>(random() % 2)};
        c.params["k"] = {random() % 4 == 0 ? 1 : 1 - unit(random)};
        c.params["threshold"] = {1 - unit(random)};
        c.params["min_kept"] = {static_cast<double>(random() % 20)};
        if (random() % 2 == 0) {
          for (int64_t k = 0; k < c.axes["c"]; ++k) c.params["class_weights"].push_back(0.1 + unit(random));
        }
        const ParamValues params = c.params;
        c.fix = [params](Batch& batch) {
          PartRanks(batch, [&](int64_t item) { return std::vector<long double>{RankOf(batch, params, item)}; });
        };
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

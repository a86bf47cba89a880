#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference_elements.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

void Count(Batch& batch) {
  double count = 1;
  for (double& value : batch.tensors[2].real) {
    value = count;
    count = count > 1e6 ? 2 : 7 * count + 3;
  }
}

std::vector<Case> Cases() {
  Case detached{"rows", {{"N", 23}, {"c", 5}}, {}};
  detached.derivative = false;
  detached.fix = Count;
  Case constant{"mitigated", {{"N", 9}, {"c", 37}}, {{"q", {0}}}};
  constant.fix = Count;
  return {detached, constant, {"entropy", {{"N", 7}, {"c", 2}}, {{"p", {0}}, {"q", {0}}}}};
}
GDL_CONFORMANCE(Seesaw, Loss(), Cases());

const GoldenArray kLogits = {false, {1, 3}, {0, std::log(2.0), 0}};

RunResult RunOne(const ParamValues& params, const std::vector<double>& counts) {
  return RunArrays(Loss(), params,
                   {{"prediction", kLogits}, {"target", {true, {1}, {0}}}, {"class_counts", {false, {3}, counts}}});
}

TEST(Seesaw, RarerClassesAreSpared) {
  // Probabilities 1/4, 1/2, 1/4 without factors; class 1 has a quarter of class 0's items: factor 1/2 at p = 1/2.
  EXPECT_NEAR(RunOne({{"p", {0}}, {"q", {0}}}, {4, 1, 100}).numerator[0], std::log(4.0), 1e-15);
  EXPECT_NEAR(RunOne({{"p", {0.5}}, {"q", {0}}}, {4, 1, 100}).numerator[0], std::log(3.0), 1e-15);
}

TEST(Seesaw, MistakesAreNot) {
  // Class 1 is twice as probable as the right one: factor 4 at q = 2. With eps = 1/2 it is not.
  EXPECT_NEAR(RunOne({{"p", {0}}}, {1, 1, 1}).numerator[0], std::log(10.0), 1e-15);
  EXPECT_NEAR(RunOne({{"p", {0}}, {"eps", {0.5}}}, {1, 1, 1}).numerator[0], std::log(4.0), 1e-15);
}

TEST(Seesaw, FactorsAreConstantsOfTheGradient) {
  const RunResult got = RunOne({{"p", {0}}}, {1, 1, 1});
  const std::vector<double> want = {-0.9, 0.8, 0.1};
  EXPECT_EQ(Difference("gradient", want, got.gradient[0], 1e-15), "");
}

TEST(Seesaw, OneClassIsRefused) {
  const State state(Loss(), {});
  const Batch batch = RandomBatch(Loss(), {{"N", 4}, {"c", 1}}, Presences(Loss())[0], 1, 1);
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.status, 3);
  EXPECT_EQ(got.refusal, "prediction: has 1 class, whose cross-entropy is always 0; allowed: 2 or more");
}

TEST(Seesaw, CountsBeginAtOne) { EXPECT_EQ(Loss().tensors[2]->min, 1); }

TEST(Seesaw, EqualsTheAuthorsCode) { EXPECT_EQ(CheckGolden(Loss()), 12u); }

Reference Plain(const Batch& batch, const ParamValues& params) {
  const TensorData &logits = batch.tensors[0], &label = batch.tensors[1], &counts = batch.tensors[2],
                   &weight = batch.tensors[3];
  const long double p = params.at("p")[0], q = params.at("q")[0], eps = params.at("eps")[0];
  const auto classes = static_cast<size_t>(logits.small);
  Reference want;
  want.derivative.resize(logits.real.size());
  for (size_t row = 0; row < label.labels.size(); ++row) {
    const double* z = &logits.real[row * classes];
    const bool counted = label.labels[row] >= 0;
    const long double w = !counted ? 0 : weight.present ? weight.real[row] : 1;
    const auto y = static_cast<size_t>(counted ? label.labels[row] : 0);
    const long double top = *std::max_element(z, z + classes);
    long double sum = 0;
    for (size_t k = 0; k < classes; ++k) sum += std::exp(z[k] - top);
    const long double least = std::max(z[y] - top - std::log(sum), std::log(eps));
    std::vector<long double> adjusted;
    for (size_t k = 0; k < classes; ++k) {
      const long double share = std::min(0.0L, std::log(static_cast<long double>(counts.real[k])) -
                                                   std::log(static_cast<long double>(counts.real[y])));
      const long double excess = std::max(0.0L, z[k] - top - std::log(sum) - least);
      adjusted.push_back(k == y ? z[k] - top : z[k] - top + p * share + q * excess);
    }
    const long double highest = *std::max_element(adjusted.begin(), adjusted.end());
    long double others = 0;
    for (size_t k = 0; k < classes; ++k) others += k == y ? 0 : std::exp(adjusted[k] - highest);
    const long double mine = std::exp(adjusted[y] - highest), all = mine + others;
    want.item_loss.push_back(w * (adjusted[y] == highest ? std::log1p(others) : highest - adjusted[y] + std::log(all)));
    for (size_t k = 0; k < classes; ++k) {
      want.derivative[row * classes + k] = w * (k == y ? -others : std::exp(adjusted[k] - highest)) / all;
    }
    want.denominator += w;
  }
  return want;
}

TEST(Seesaw, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        const double powers[] = {0, 0.5, 0.8, 2};
        Case c{
            "rows",
            {{"N", size(9)}, {"c", 1 + size(30)}},
            {{"p", {powers[random() % 4]}}, {"q", {powers[random() % 4]}}, {"eps", {random() % 2 == 0 ? 0.01 : 0.3}}}};
        if (random() % 3 != 0) c.fix = Count;
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference_elements.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"yolo", {{"N", 9}, {"b", 16}}, {}},
          {"two_bins", {{"N", 19}, {"b", 2}}, {}, 1},
          {"odd", {{"N", 5}, {"b", 5}}, {}}};
}
GDL_CONFORMANCE(DistributionFocal, Loss(), Cases());

RunResult RunOne(const std::vector<double>& target, uint32_t dtype = 8) {
  RunOptions options;
  options.dtype = dtype;
  // All bins alike but the second of the first side.
  return RunArrays(
      Loss(), {},
      {{"prediction", {false, {1, 4, 3}, {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}}, {"target", {false, {1, 4}, target}}},
      options);
}

TEST(DistributionFocal, BinsNextToTheTargetShareIt) {
  const RunResult got = RunOne({0.75, 0, 1, 1.5});
  const double sum = 2 + std::exp(1.0), log3 = std::log(3.0);
  EXPECT_NEAR(got.numerator[0], (std::log(sum) - 0.75 + 3 * log3) / 4, 1e-15);
  EXPECT_EQ(got.denominator[0], 1);
  const std::vector<double> want = {1 / sum - 0.25, std::exp(1.0) / sum - 0.75,
                                    1 / sum,        -2.0 / 3,
                                    1.0 / 3,        1.0 / 3,
                                    1.0 / 3,        -2.0 / 3,
                                    1.0 / 3,        1.0 / 3,
                                    -1.0 / 6,       -1.0 / 6};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got.gradient[0][i], want[i] / 4, 1e-16) << i;
}

TEST(DistributionFocal, TheLastBinIsATarget) {
  EXPECT_NEAR(RunOne({2, 2, 2, 2}).item_loss[0], (std::log(2 + std::exp(1.0)) + 3 * std::log(3.0)) / 4, 1e-15);
}

TEST(DistributionFocal, BeyondTheLastBinIsAFault) {
  const State state(Loss(), {});
  Batch batch = RandomBatch(Loss(), {{"N", 7}, {"b", 4}}, Presences(Loss())[0], 2, 1);
  batch.tensors[1].real[4 * 5 + 2] = 3.001;
  RunOptions options;
  options.tile_items = 3;
  for (uint32_t dtype : {4u, 8u}) {
    options.dtype = dtype;
    const RunResult got = RunBatch(Loss(), state, batch, options);
    EXPECT_EQ(got.fault_kind, uint32_t{GDL_FAULT_VALUE});
    EXPECT_EQ(got.fault_tensor, 1u);
    EXPECT_EQ(got.fault_item, 5);
  }
}

TEST(DistributionFocal, OneBinIsRefused) {
  const State state(Loss(), {});
  const Batch batch = RandomBatch(Loss(), {{"N", 4}, {"b", 1}}, Presences(Loss())[0], 1, 1);
  const RunResult got = RunBatch(Loss(), state, batch, {});
  EXPECT_EQ(got.status, 3);
  EXPECT_EQ(got.refusal, "prediction: has 1 bin per side, whose probability is always 1; allowed: 2 or more");
}

TEST(DistributionFocal, EqualsTheAuthorsCode) { EXPECT_EQ(CheckGolden(Loss()), 6u); }

Reference Plain(const Batch& batch, const ParamValues&) {
  const TensorData &logits = batch.tensors[0], &target = batch.tensors[1], &weight = batch.tensors[2];
  const auto bins = static_cast<size_t>(logits.small / 4);
  Reference want;
  for (size_t side = 0; side < target.real.size(); ++side) {
    const double* z = &logits.real[side * bins];
    const long double w = weight.present ? weight.real[side / 4] : 1, t = target.real[side];
    const size_t left = std::min(static_cast<size_t>(t), bins - 2);
    const long double right_share = t - static_cast<long double>(left);
    long double top = z[0], loss = 0;
    for (size_t k = 1; k < bins; ++k) top = std::max<long double>(top, z[k]);
    for (size_t k = 0; k < bins; ++k) {
      const long double y = k == left ? 1 - right_share : k == left + 1 ? right_share : 0;
      long double others = 0;
      for (size_t j = 0; j < bins; ++j) {
        if (j != k) others += std::exp(z[j] - top);
      }
      const long double e = std::exp(z[k] - top), sum = e + others;
      if (y > 0) loss += y * (z[k] == top ? std::log1p(others) : top - z[k] + std::log(sum));
      want.derivative.push_back(w / 4 * ((1 - y) * e - y * others) / sum);
      want.terms = std::max(want.terms, w / 4 * ((1 - y) * e + y * others) / sum);
    }
    if (side % 4 == 0) {
      want.item_loss.push_back(0);
      want.denominator += w;
    }
    want.item_loss.back() += w / 4 * loss;
  }
  return want;
}

TEST(DistributionFocal, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        const int64_t bins = 1 + size(20);
        Case c{"boxes", {{"N", size(9)}, {"b", bins}}, {}};
        const bool last = random() % 4 == 0;
        c.fix = [=](Batch& batch) {
          for (double& t : batch.tensors[1].real) {
            t = last ? static_cast<double>(bins - 1)
                     : std::min(static_cast<double>(bins - 1), static_cast<double>(static_cast<float>(5 * t)));
          }
        };
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/golden.h"
#include "plugins/losses/golden/lovasz.h"
#include "plugins/losses/golden/ranks.h"
#include "plugins/sdk/reference.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"images", {{"N", 3}, {"*", 23}}, {}},
          {"batch", {{"N", 3}, {"*", 17}}, {{"per_image", {0}}}},
          {"near", {{"N", 2}, {"*", 31}}, {}, 0.9},
          {"rows", {{"N", 29}}, {{"per_image", {0}}}},
          {"single_pixels", {{"N", 7}}, {}}};
}
GDL_CONFORMANCE(LovaszHinge, Loss(), Cases());

RunResult RunOn(const std::vector<double>& logits, const std::vector<double>& labels, const ParamValues& params = {}) {
  const auto n = static_cast<int64_t>(logits.size());
  return RunArrays(Loss(), params, {{"prediction", {false, {1, n}, logits}}, {"target", {true, {1, n}, labels}}});
}

TEST(LovaszHinge, KnownValue) {
  // Errors 1.5 (no), 0.5 (yes), 0.25 (yes), none: Jaccard losses 1/3, 2/3, 1.
  const RunResult got = RunOn({0.5, 0.5, 0.75, -2}, {0, 1, 1, 0});
  EXPECT_NEAR(got.numerator[0], (1.5 + 0.5 + 0.25) / 3, 1e-15);
  EXPECT_EQ(Difference("gradient", {1.0 / 3, -1.0 / 3, -1.0 / 3, 0}, got.gradient[0], 1e-15), "");
}

TEST(LovaszHinge, MarginOneCostsNothing) {
  const RunResult got = RunOn({1, -1, 7}, {1, 0, 1});
  EXPECT_EQ(got.numerator[0], 0);
  EXPECT_EQ(got.gradient[0], std::vector<double>(3, 0));
}

TEST(LovaszHinge, BackgroundAloneCostsItsLargestError) {
  const RunResult got = RunOn({-3, 0.5, 0.5, -100}, {0, 0, 0, 0});
  EXPECT_EQ(got.numerator[0], 1.5);
  EXPECT_EQ(got.gradient[0], (std::vector<double>{0, 1, 0, 0}));  // of equal errors, the first
}

TEST(LovaszHinge, IgnoredImagesCountAsZero) {
  const GoldenArray logits = {false, {2, 2}, {0, 0, 0, 0}}, labels = {true, {2, 2}, {1, 1, -100, -100}};
  EXPECT_EQ(RunArrays(Loss(), {}, {{"prediction", logits}, {"target", labels}}).numerator[0], 0.5);
  EXPECT_EQ(RunArrays(Loss(), {{"per_image", {0}}}, {{"prediction", logits}, {"target", labels}}).numerator[0], 1);
}

TEST(LovaszHinge, SetsBeyondTheKeysAreRefused) {
  const State state(Loss(), {});
  const int64_t small[] = {1, 1};
  const GdlShape shape = {sizeof(GdlShape), 4, 1, int64_t{1} << 31, small, 1024};
  std::vector<GdlPass> passes(8, GdlPass{});
  std::vector<GdlPass*> list;
  for (GdlPass& pass : passes) list.push_back(&pass);
  GdlPlan plan = {sizeof(GdlPlan), 0, list.data(), 0, 0, 0, 0};
  char field[256] = "", message[256] = "";
  GdlError error = {sizeof(GdlError), sizeof(field), field, message};
  EXPECT_EQ(Loss().plan(state.get(), &shape, &plan, &error), 3);
  EXPECT_STREQ(field, "prediction");
  EXPECT_STREQ(message, "has 2147483648 items that are sorted together; allowed: up to 2147483647");
}

TEST(LovaszHinge, EqualsTheAuthorsCode) { EXPECT_EQ(CheckGolden(Loss()), 8u); }

long double ErrorOf(const Batch& batch, int64_t item) {
  const long double logit = batch.tensors[0].real[static_cast<size_t>(item)];
  const int32_t label = batch.tensors[1].labels[static_cast<size_t>(item)];
  return label < 0 ? 0 : std::max(0.0L, label == 1 ? 1 - logit : 1 + logit);
}

Reference Plain(const Batch& batch, const ParamValues& params) {
  const bool per_image = params.at("per_image")[0] != 0;
  const int64_t groups = per_image ? batch.outer : 1, run = groups == 0 ? 0 : batch.items() / groups;
  Reference want;
  want.denominator = 1;
  want.numerator = 0;
  for (int64_t group = 0; group < groups; ++group) {
    std::vector<LovaszItem> items;
    const auto label = [&](int64_t item) { return batch.tensors[1].labels[static_cast<size_t>(group * run + item)]; };
    for (int64_t item = 0; item < run; ++item) {
      if (label(item) >= 0) items.push_back({item, ErrorOf(batch, group * run + item), label(item) == 1});
    }
    const LovaszReference set = PlainLovasz(items, run);
    want.numerator += set.loss / static_cast<long double>(groups);
    for (int64_t item = 0; item < run; ++item) {
      const bool flat = label(item) < 0 || ErrorOf(batch, group * run + item) == 0;
      const long double slope = set.slope[static_cast<size_t>(item)] / static_cast<long double>(groups);
      want.derivative.push_back(flat ? 0 : label(item) == 1 ? -slope : slope);
    }
  }
  return want;
}

TEST(LovaszHinge, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        Case c{"grid", {{"N", size(4)}, {"*", size(25)}}, {}};
        c.params["per_image"] = {static_cast<double>(random() % 2)};
        c.fix = [](Batch& batch) {
          PartRanks(batch, [&](int64_t item) { return std::vector<long double>{ErrorOf(batch, item)}; });
        };
        return c;
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference_elements.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 9}, {"c", 4}}, {}},
          {"one_class", {{"N", 23}, {"c", 1}}, {{"gamma_pos", {0}}, {"gamma_neg", {1}}, {"clip", {0}}}},
          {"broken_powers", {{"N", 7}, {"c", 11}}, {{"gamma_pos", {0.5}}, {"gamma_neg", {2.5}}, {"clip", {0.2}}}},
          {"long_rows", {{"N", 2}, {"c", 300}}, {}}};
}
GDL_CONFORMANCE(Asymmetric, Loss(), Cases());

const GoldenArray kLogits = {false, {1, 4}, {2, -1, 0.5, -3}};

TEST(Asymmetric, KnownValue) {
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", kLogits}, {"target", {true, {1, 4}, {1, 0, 1, 1}}}});
  EXPECT_NEAR(got.numerator[0], 3.0986867634571134, 1e-14);
  EXPECT_EQ(got.denominator[0], 1);
  EXPECT_EQ(got.item_loss, got.numerator);
}

TEST(Asymmetric, IgnoredElementsTakeTheirShareOfTheRow) {
  const RunResult got =
      RunArrays(Loss(), {{"ignore_index", {7}}}, {{"prediction", kLogits}, {"target", {true, {1, 4}, {1, 0, 7, 1}}}});
  EXPECT_EQ(got.denominator[0], 0.75);
  EXPECT_EQ(got.gradient[0][2], 0);
}

TEST(Asymmetric, NoBelowTheClipCountsNothing) {
  // sigmoid(-3) = 0.047 is below the clip of 0.05.
  const RunResult got = RunArrays(Loss(), {}, {{"prediction", {false, {1, 1}, {-3}}}, {"target", {true, {1, 1}, {0}}}});
  EXPECT_EQ(got.numerator[0], 0);
  EXPECT_EQ(got.gradient[0][0], 0);
}

TEST(Asymmetric, EqualsTheAuthorsCode) { EXPECT_EQ(CheckGolden(Loss()), 16u); }

TEST(Asymmetric, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        const double powers[] = {0, 0.5, 1, 2, 4, 7.5};
        const double clips[] = {0, 0.05, 0.3, 1};
        return Case{"rows",
                    {{"N", size(7)}, {"c", size(20)}},
                    {{"gamma_pos", {powers[random() % 6]}},
                     {"gamma_neg", {powers[random() % 6]}},
                     {"clip", {clips[random() % 4]}}}};
      },
      [](const Batch& batch, const ParamValues& params) {
        const long double pos = params.at("gamma_pos")[0], neg = params.at("gamma_neg")[0], clip = params.at("clip")[0];
        return ReferenceOfRows(batch, [=](long double z, long double y) {
          const LogisticReference is(z);
          const long double yes = std::pow(is.no, pos), left = std::max(is.yes - clip, 0.0L);
          ReferenceTerm term{y * yes * is.minus_log_yes, -y * yes * (pos * is.yes * is.minus_log_yes + is.no)};
          if (left == 0 || y == 1) return term;
          const long double minus_log = clip == 0 ? is.minus_log_no : -std::log1p(-left), no = std::pow(left, neg);
          const long double part = neg * no / left * is.yes * is.no * minus_log,
                            other = no * is.yes * (clip == 0 ? 1 : is.no / (1 - left));
          term.loss += (1 - y) * no * minus_log;
          term.slope += (1 - y) * (part + other);
          // Terms of yes and no cancel; what is left of p near the clip is a difference.
          const long double near = is.yes / left;
          term.slope_terms = std::abs(term.slope) + 2 * (1 - y) * (part + other) * (1 + near * (1 + neg)) + 2 * y * yes;
          term.magnitude = clip == 0 ? 0 : (1 - y) * no * minus_log * near * (1 + neg);
          return term;
        });
      });
}

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference_elements.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 13}, {"c", 5}}, {}},
          {"one_class", {{"N", 23}, {"c", 1}}, {{"gamma", {1.5}}, {"alpha", {2}}}},
          {"unweighted", {{"N", 7}, {"c", 3}}, {{"iou_weighted", {0}}, {"gamma", {0}}}},
          {"long_rows", {{"N", 3}, {"c", 300}}, {{"gamma", {1}}}}};
}
GDL_CONFORMANCE(Varifocal, Loss(), Cases());

RunResult RunOne(const ParamValues& params, double quality) {
  return RunArrays(
      Loss(), params,
      {{"prediction", {false, {1, 2}, {1, -2}}}, {"target", {true, {1}, {0}}}, {"quality", {false, {1}, {quality}}}});
}

TEST(Varifocal, KnownValue) {
  const RunResult got = RunOne({}, 0.8);
  EXPECT_NEAR(got.numerator[0], 0.41196202214100847, 1e-15);
  EXPECT_EQ(got.denominator[0], 2);
}

TEST(Varifocal, QualityOfZeroIsAbsent) {
  // 0.75 (s^2 softplus) of both logits.
  const double one = 0.7310585786300049, two = 0.11920292202211755;
  EXPECT_NEAR(RunOne({}, 0).numerator[0], 0.75 * (-one * one * std::log(1 - one) - two * two * std::log(1 - two)),
              1e-15);
}

TEST(Varifocal, EqualsTheAuthorsCode) { EXPECT_EQ(CheckGolden(Loss()), 16u); }

TEST(Varifocal, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        const double gammas[] = {0, 0.5, 1, 2, 3.5};
        return Case{"rows",
                    {{"N", size(9)}, {"c", size(20)}},
                    {{"gamma", {gammas[random() % 5]}},
                     {"alpha", {static_cast<double>(random() % 4) / 2}},
                     {"iou_weighted", {static_cast<double>(random() % 2)}}}};
      },
      [](const Batch& batch, const ParamValues& params) {
        const long double gamma = params.at("gamma")[0], alpha = params.at("alpha")[0];
        const bool weighted = params.at("iou_weighted")[0] != 0;
        Reference want = ReferenceOfDenseRows(batch, [=](long double z, long double q) {
          const LogisticReference is(z);
          if (q == 0) {
            const long double focus = alpha * std::pow(is.yes, gamma);
            return ReferenceTerm{focus * is.minus_log_no, focus * (gamma * is.no * is.minus_log_no + is.yes)};
          }
          const long double factor = weighted ? q : 1, d = z > 0 ? (1 - q) - is.no : is.yes - q;
          // A probability close to the quality is a difference.
          return ReferenceTerm{factor * (q * is.minus_log_yes + (1 - q) * is.minus_log_no), factor * d, 0,
                               q == 1 ? 0 : factor};
        });
        want.denominator *= static_cast<long double>(batch.tensors[0].small);
        return want;
      });
}

}  // namespace
}  // namespace gradeline::conformance

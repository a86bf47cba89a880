#include "plugins/losses/golden/region_reference.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"pixels", {{"N", 3}, {"c", 3}, {"*", 13}}, {{"class_weights", {1, 2, 0.5}}}},
          {"images",
           {{"N", 3}, {"c", 3}, {"*", 13}},
           {{"aggregate", {1}}, {"absent_class", {1}}, {"class_weights", {1, 2, 0.5}}}},
          {"rows", {{"N", 23}, {"c", 5}}, {{"smooth", {1}}}},
          {"long_runs", {{"N", 1}, {"c", 2}, {"*", 300}}, {{"class_weights", {1, 0}}}}};
}
GDL_CONFORMANCE(DiceCrossEntropy, Loss(), Cases());

TEST(DiceCrossEntropy, KnownValue) {
  const RunResult got = RunArrays(Loss(), {{"eps", {0}}}, FourPixels());
  EXPECT_NEAR(got.numerator[0] / got.denominator[0], 0.5108256237659907, 1e-15);
  EXPECT_NEAR(got.numerator[1], 0.3733333333333333, 1e-15);
}

TEST(DiceCrossEntropy, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 24u); }

RegionWorth Plain(const std::vector<DualOverlap>& classes, const ParamValues& params) {
  const long double smooth = params.at("smooth")[0], eps = params.at("eps")[0];
  return MeanOfClasses(classes, params, false,
                       [&](const DualOverlap& of) { return IndexLoss(of, 0.5L, 0.5L, smooth / 2, eps / 2); });
}

Case RandomCase(std::mt19937_64& random, int64_t least_classes) {
  Case c = RegionCase(random, least_classes);
  AddClassWeights(random, c);
  const double smooths[] = {0, 0, 1, 1e-5};
  c.params["smooth"] = {smooths[random() % 4]};
  c.params["eps"] = {random() % 2 == 0 ? 1e-7 : 1e-3};
  return c;
}

TEST(DiceCrossEntropy, FollowsLongDouble) {
  CheckReference(
      Loss(), 500, [](std::mt19937_64& random) { return RandomCase(random, 2); }, OfEntropyAndRegions(Plain));
}

}  // namespace
}  // namespace gradeline::conformance

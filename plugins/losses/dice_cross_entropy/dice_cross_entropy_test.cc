#include "plugins/losses/golden/region_cases.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return RegionCases({{"class_weights", {1, 2, 0.5}}}, {{"smooth", {1}}}, {{"class_weights", {1, 0}}});
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

TEST(DiceCrossEntropy, FollowsLongDouble) { CheckEntropyAndRegions(Loss(), IndexCase, Plain); }

}  // namespace
}  // namespace gradeline::conformance

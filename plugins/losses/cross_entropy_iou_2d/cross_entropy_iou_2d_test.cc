#include "plugins/losses/golden/region_cases.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return RegionCases({{"class_weights", {1, 2, 0.5}}}, {{"smooth", {1}}}, {{"class_weights", {1, 0}}});
}
GDL_CONFORMANCE(CrossEntropyIou2d, Loss(), Cases());

TEST(CrossEntropyIou2d, KnownValue) {
  const RunResult got = RunArrays(Loss(), {{"eps", {0}}}, FourPixels());
  const double entropy = got.numerator[0] / got.denominator[0];
  EXPECT_NEAR(entropy, 0.5108256237659907, 1e-15);
  EXPECT_NEAR(0.5 * entropy + 0.5 * got.numerator[1], 0.5238787209739044, 1e-15);
}

TEST(CrossEntropyIou2d, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 24u); }

RegionWorth Plain(const std::vector<DualOverlap>& classes, const ParamValues& params) {
  const long double smooth = params.at("smooth")[0], eps = params.at("eps")[0];
  return MeanOfClasses(classes, params, false, [&](const DualOverlap& of) { return IndexLoss(of, 1, 1, smooth, eps); });
}

TEST(CrossEntropyIou2d, FollowsLongDouble) { CheckEntropyAndRegions(Loss(), IndexCase, Plain); }

}  // namespace
}  // namespace gradeline::conformance

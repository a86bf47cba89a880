#include "plugins/losses/golden/region_cases.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }
const GdlLoss& Multilabel() { return *GDL_PLUGIN_SYMBOL.losses[1]; }
const GdlLoss& Binary() { return *GDL_PLUGIN_SYMBOL.losses[2]; }

std::vector<Case> Cases() {
  return RegionCases({}, {{"smooth", {1}}, {"log_loss", {1}}}, {{"class_weights", {1, 0.5}}});
}
GDL_CONFORMANCE(Jaccard, Loss(), Cases());
GDL_CONFORMANCE(MultilabelJaccard, Multilabel(), Cases());

std::vector<Case> BinaryCases() { return BinaryRegionCases({}, {{"smooth", {1}}, {"log_loss", {1}}}); }
GDL_CONFORMANCE(BinaryJaccard, Binary(), BinaryCases());

TEST(Jaccard, KnownValue) {
  const RunResult got = RunArrays(Loss(), {{"eps", {0}}}, FourPixels());
  EXPECT_NEAR(got.numerator[0], 0.5369318181818181, 1e-15);
}

TEST(Jaccard, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 24u); }

RegionWorth Plain(const std::vector<DualOverlap>& classes, const ParamValues& params) {
  const long double smooth = params.at("smooth")[0], eps = params.at("eps")[0];
  return MeanOfClasses(classes, params, true, [&](const DualOverlap& of) {
    return IndexLoss(of, 1, 1, smooth, eps, params.at("log_loss")[0] == 1, eps);
  });
}

TEST(Jaccard, FollowsLongDouble) { CheckMulticlassRegions(Loss(), LogIndexCase, Plain); }

TEST(Jaccard, OfMultilabelPixelsFollowsLongDouble) { CheckMultilabelRegions(Multilabel(), LogIndexCase, Plain); }

TEST(Jaccard, OfBinaryPixelsFollowsLongDouble) { CheckBinaryRegions(Binary(), LogIndexCase, Plain); }

}  // namespace
}  // namespace gradeline::conformance

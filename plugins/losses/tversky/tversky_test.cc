#include "plugins/losses/golden/region_cases.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }
const GdlLoss& Multilabel() { return *GDL_PLUGIN_SYMBOL.losses[1]; }
const GdlLoss& Binary() { return *GDL_PLUGIN_SYMBOL.losses[2]; }

const ParamValues kUneven = {{"fp_weight", {0.3}}, {"fn_weight", {0.7}}};

std::vector<Case> Cases() {
  return RegionCases(kUneven, {{"smooth", {1}}, {"log_loss", {1}}}, {{"class_weights", {1, 0.5}}});
}
GDL_CONFORMANCE(Tversky, Loss(), Cases());
GDL_CONFORMANCE(MultilabelTversky, Multilabel(), Cases());

std::vector<Case> BinaryCases() { return BinaryRegionCases(kUneven, {{"smooth", {1}}, {"log_loss", {1}}}); }
GDL_CONFORMANCE(BinaryTversky, Binary(), BinaryCases());

TEST(Tversky, KnownValue) {
  const RunResult got = RunArrays(Loss(), {{"fp_weight", {0.3}}, {"fn_weight", {0.7}}, {"eps", {0}}}, FourPixels());
  EXPECT_NEAR(got.numerator[0], 0.35897435897435903, 1e-15);
}

TEST(Tversky, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 24u); }

RegionWorth Plain(const std::vector<DualOverlap>& classes, const ParamValues& params) {
  const long double smooth = params.at("smooth")[0], eps = params.at("eps")[0];
  return MeanOfClasses(classes, params, true, [&](const DualOverlap& of) {
    return IndexLoss(of, params.at("fp_weight")[0], params.at("fn_weight")[0], smooth, eps,
                     params.at("log_loss")[0] == 1, eps);
  });
}

Case RandomCase(std::mt19937_64& random, int64_t least_classes) {
  Case c = LogIndexCase(random, least_classes);
  AddTverskyWeights(random, c);
  return c;
}

TEST(Tversky, FollowsLongDouble) { CheckMulticlassRegions(Loss(), RandomCase, Plain); }

TEST(Tversky, OfMultilabelPixelsFollowsLongDouble) { CheckMultilabelRegions(Multilabel(), RandomCase, Plain); }

TEST(Tversky, OfBinaryPixelsFollowsLongDouble) { CheckBinaryRegions(Binary(), RandomCase, Plain); }

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/region_cases.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }
const GdlLoss& Multilabel() { return *GDL_PLUGIN_SYMBOL.losses[1]; }
const GdlLoss& Binary() { return *GDL_PLUGIN_SYMBOL.losses[2]; }

const ParamValues kUneven = {{"fp_weight", {0.3}}, {"fn_weight", {0.7}}};
const ParamValues kPowerOfMean = {{"smooth", {1}}, {"power_of", {1}}, {"gamma", {1.5}}};

std::vector<Case> Cases() { return RegionCases(kUneven, kPowerOfMean, {{"class_weights", {1, 0.5}}}); }
GDL_CONFORMANCE(FocalTversky, Loss(), Cases());
GDL_CONFORMANCE(MultilabelFocalTversky, Multilabel(), Cases());

std::vector<Case> BinaryCases() { return BinaryRegionCases(kUneven, kPowerOfMean); }
GDL_CONFORMANCE(BinaryFocalTversky, Binary(), BinaryCases());

TEST(FocalTversky, KnownValue) {
  const RunResult got =
      RunArrays(Loss(), {{"fp_weight", {0.3}}, {"fn_weight", {0.7}}, {"eps", {0}}, {"power_of", {1}}}, FourPixels());
  EXPECT_NEAR(got.numerator[0], 0.46376457481316785, 1e-15);
}

TEST(FocalTversky, PowerOfEachClass) {
  const RunResult got = RunArrays(Loss(), {}, FourPixels());
  const double dice = 0.28, other = 1 - 1.6 / 3;
  EXPECT_NEAR(got.numerator[0], (std::pow(dice, 0.75) + std::pow(other, 0.75)) / 2, 1e-15);
}

TEST(FocalTversky, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 32u); }

RegionWorth Plain(const std::vector<DualOverlap>& classes, const ParamValues& params) {
  const long double gamma = params.at("gamma")[0];
  const bool of_mean = params.at("power_of")[0] == 1;
  RegionWorth worth = MeanOfClasses(classes, params, true, [&](const DualOverlap& of) {
    const Dual loss = IndexLoss(of, params.at("fp_weight")[0], params.at("fn_weight")[0], params.at("smooth")[0],
                                params.at("eps")[0]);
    return of_mean ? loss : Pow(loss, gamma);
  });
  if (of_mean) worth.value = Pow(worth.value, gamma);
  return worth;
}

Case RandomCase(std::mt19937_64& random, int64_t least_classes) {
  Case c = IndexCase(random, least_classes);
  AddTverskyWeights(random, c);
  std::uniform_real_distribution<double> unit(0, 1);
  const double gammas[] = {0.75, 1, 4.0 / 3, 0.5 + unit(random)};
  c.params["gamma"] = {gammas[random() % 4]};
  c.params["power_of"] = {static_cast<double>(random() % 2)};
  return c;
}

TEST(FocalTversky, FollowsLongDouble) { CheckMulticlassRegions(Loss(), RandomCase, Plain); }

TEST(FocalTversky, OfMultilabelPixelsFollowsLongDouble) { CheckMultilabelRegions(Multilabel(), RandomCase, Plain); }

TEST(FocalTversky, OfBinaryPixelsFollowsLongDouble) { CheckBinaryRegions(Binary(), RandomCase, Plain); }

}  // namespace
}  // namespace gradeline::conformance

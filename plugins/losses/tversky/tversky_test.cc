#include "plugins/losses/golden/region_reference.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }
const GdlLoss& Multilabel() { return *GDL_PLUGIN_SYMBOL.losses[1]; }
const GdlLoss& Binary() { return *GDL_PLUGIN_SYMBOL.losses[2]; }

std::vector<Case> Cases() {
  return {{"pixels", {{"N", 3}, {"c", 3}, {"*", 13}}, {{"fp_weight", {0.3}}, {"fn_weight", {0.7}}}},
          {"images",
           {{"N", 3}, {"c", 3}, {"*", 13}},
           {{"aggregate", {1}}, {"absent_class", {1}}, {"fp_weight", {0.3}}, {"fn_weight", {0.7}}}},
          {"rows", {{"N", 23}, {"c", 5}}, {{"smooth", {1}}, {"log_loss", {1}}}},
          {"long_runs", {{"N", 1}, {"c", 2}, {"*", 300}}, {{"class_weights", {1, 0.5}}}}};
}
GDL_CONFORMANCE(Tversky, Loss(), Cases());
GDL_CONFORMANCE(MultilabelTversky, Multilabel(), Cases());

std::vector<Case> BinaryCases() {
  return {{"pixels", {{"N", 3}, {"*", 13}}, {{"fp_weight", {0.3}}, {"fn_weight", {0.7}}}},
          {"images", {{"N", 3}, {"*", 13}}, {{"aggregate", {1}}, {"smooth", {1}}, {"log_loss", {1}}}}};
}
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
  Case c = RegionCase(random, least_classes);
  AddClassWeights(random, c);
  const double smooths[] = {0, 0, 1, 1e-5};
  c.params["smooth"] = {smooths[random() % 4]};
  c.params["eps"] = {random() % 2 == 0 ? 1e-7 : 1e-3};
  c.params["log_loss"] = {static_cast<double>(random() % 2)};
  std::uniform_real_distribution<double> unit(0, 1);
  c.params["fp_weight"] = {random() % 3 == 0 ? 0.5 : 2 * unit(random)};
  c.params["fn_weight"] = {random() % 3 == 0 ? 0.5 : 2 * unit(random)};
  return c;
}

TEST(Tversky, FollowsLongDouble) {
  CheckReference(
      Loss(), 500, [](std::mt19937_64& random) { return RandomCase(random, 2); }, OfRegions(true, Plain));
}

TEST(Tversky, OfMultilabelPixelsFollowsLongDouble) {
  CheckReference(
      Multilabel(), 500, [](std::mt19937_64& random) { return RandomCase(random, 1); }, OfRegions(false, Plain));
}

TEST(Tversky, OfBinaryPixelsFollowsLongDouble) {
  CheckReference(
      Binary(), 500,
      [](std::mt19937_64& random) {
        Case c = RandomCase(random, 1);
        c.axes.erase("c");
        c.params.erase("class_weights");
        return c;
      },
      OfRegions(false, Plain));
}

}  // namespace
}  // namespace gradeline::conformance

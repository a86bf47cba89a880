#include "plugins/losses/golden/region_cases.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }
const GdlLoss& Multilabel() { return *GDL_PLUGIN_SYMBOL.losses[1]; }

std::vector<Case> Cases() { return RegionCases({}, {{"smooth", {1}}}, {}); }
GDL_CONFORMANCE(GeneralizedDice, Loss(), Cases());
GDL_CONFORMANCE(MultilabelGeneralizedDice, Multilabel(), Cases());

TEST(GeneralizedDice, KnownValue) {
  const RunResult got = RunArrays(Loss(), {{"smooth", {0}}}, FourPixels());
  // Areas 3 and 1: weights 1/9 and 1.
  EXPECT_NEAR(got.numerator[0], 1 - 2 * (1.8 / 9 + 0.8) / (5.0 / 9 + 3), 1e-15);
}

TEST(GeneralizedDice, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 16u); }

RegionWorth Plain(const std::vector<DualOverlap>& classes, const ParamValues& params) {
  const auto truth = [](const DualOverlap& of) { return of.tp.value + of.fn.value; };
  const bool absent_count = params.at("absent_class")[0] == 1;
  long double least = 0;
  for (const DualOverlap& of : classes) {
    if (truth(of) > 0 && (least == 0 || truth(of) < least)) least = truth(of);
  }
  Dual wrong, good(params.at("smooth")[0]);
  bool counts = false;
  for (const DualOverlap& of : classes) {
    if (of.pixels == 0 || (truth(of) == 0 && !absent_count)) continue;
    const long double area = truth(of) > 0 ? truth(of) : least > 0 ? least : 1;
    wrong = wrong + (of.fp + of.fn) / Dual(area * area);
    good = good + (of.tp + of.tp) / Dual(area * area);
    counts = true;
  }
  if (!counts) return {{}, false};
  if (good.value + wrong.value == 0) return {{1}, true};
  return {WrongShare(wrong, good), true};
}

Case RandomCase(std::mt19937_64& random, int64_t least_classes) {
  Case c = RegionCase(random, least_classes);
  const double smooths[] = {1e-5, 0, 1, 1e-2};
  c.params["smooth"] = {smooths[random() % 4]};
  return c;
}

TEST(GeneralizedDice, FollowsLongDouble) { CheckMulticlassRegions(Loss(), RandomCase, Plain); }

TEST(GeneralizedDice, OfMultilabelPixelsFollowsLongDouble) { CheckMultilabelRegions(Multilabel(), RandomCase, Plain); }

}  // namespace
}  // namespace gradeline::conformance

#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference_elements.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 37}}, {}}, {"grid", {{"N", 3}, {"*", 29}}, {}}, {"far", {{"N", 5}, {"*", 4}}, {}, 1e3}};
}
GDL_CONFORMANCE(L1, Loss(), Cases());

TEST(L1, NoSlopeWhereEqual) {
  const RunResult got =
      RunArrays(Loss(), {}, {{"prediction", {false, {4}, {0.5, -2, 0.05, 0}}}, {"target", {false, {4}, {0, 0, 0, 0}}}});
  EXPECT_EQ(got.item_loss, (std::vector<double>{0.5, 2, 0.05, 0}));
  EXPECT_EQ(got.numerator[0], 2.55);
  EXPECT_EQ(got.gradient[0], (std::vector<double>{0.25, -0.25, 0.25, 0}));
}

TEST(L1, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 6u); }

TEST(L1, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        return Case{"grid", {{"N", size(9)}, {"*", size(30)}}, {}};
      },
      [](const Batch& batch, const ParamValues&) {
        return ReferenceOfNumbers(batch, [](long double p, long double t) {
          return ReferenceTerm{std::abs(p - t), static_cast<long double>(p > t) - static_cast<long double>(p < t)};
        });
      });
}

}  // namespace
}  // namespace gradeline::conformance

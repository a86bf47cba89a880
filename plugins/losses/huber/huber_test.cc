#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference_elements.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 37}}, {}},
          {"grid", {{"N", 3}, {"*", 29}}, {{"delta", {0.25}}}},
          {"squares", {{"N", 21}}, {{"delta", {100}}}}};
}
GDL_CONFORMANCE(Huber, Loss(), Cases());

TEST(Huber, KnownValues) {
  const RunResult got =
      RunArrays(Loss(), {{"delta", {0.5}}},
                {{"prediction", {false, {4}, {0.5, -2, 0.25, 0}}}, {"target", {false, {4}, {0, 0, 0, 0}}}});
  EXPECT_EQ(got.item_loss, (std::vector<double>{0.125, 0.875, 0.03125, 0}));
  EXPECT_EQ(got.gradient[0], (std::vector<double>{0.125, -0.125, 0.0625, 0}));
}

TEST(Huber, DeltaOfZeroIsOutOfBounds) {
  EXPECT_EQ(Loss().params[0]->min, 0);
  EXPECT_TRUE(Loss().params[0]->flags & GDL_MIN_OPEN);
}

TEST(Huber, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 18u); }

TEST(Huber, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        const auto size = [&](uint64_t most) { return 1 + static_cast<int64_t>(random() % most); };
        const double deltas[] = {1e-6, 0.1, 1, 3, 1e3};
        return Case{"grid", {{"N", size(9)}, {"*", size(30)}}, {{"delta", {deltas[random() % 5]}}}};
      },
      [](const Batch& batch, const ParamValues& params) {
        const long double delta = params.at("delta")[0];
        return ReferenceOfNumbers(batch, [=](long double p, long double t) {
          const long double d = p - t;
          if (std::abs(d) <= delta) return ReferenceTerm{d * d / 2, d};
          return ReferenceTerm{delta * (std::abs(d) - delta / 2), d > 0 ? delta : -delta};
        });
      });
}

}  // namespace
}  // namespace gradeline::conformance

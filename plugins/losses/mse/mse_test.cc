#include "plugins/losses/golden/golden.h"
#include "plugins/sdk/reference.h"

namespace gradeline::conformance {
namespace {

const GdlLoss& Loss() { return *GDL_PLUGIN_SYMBOL.losses[0]; }

std::vector<Case> Cases() {
  return {{"rows", {{"N", 37}}, {}}, {"grid", {{"N", 3}, {"*", 29}}, {}}, {"far", {{"N", 5}, {"*", 4}}, {}, 1e3}};
}
GDL_CONFORMANCE(Mse, Loss(), Cases());

TEST(Mse, SquaresWithoutHalf) {
  const RunResult got =
      RunArrays(Loss(), {}, {{"prediction", {false, {3}, {1, 2, -1}}}, {"target", {false, {3}, {0, 2, 1}}}});
  EXPECT_EQ(got.item_loss, (std::vector<double>{1, 0, 4}));
  EXPECT_EQ(got.numerator[0] / got.denominator[0], 5.0 / 3);
  EXPECT_EQ(got.gradient[0], (std::vector<double>{2 * (1.0 / 3), 0, -4 * (1.0 / 3)}));
}

TEST(Mse, EqualsPyTorch) { EXPECT_EQ(CheckGolden(Loss()), 6u); }

Reference Plain(const Batch& batch, const ParamValues&) {
  const TensorData &prediction = batch.tensors[0], &target = batch.tensors[1], &weight = batch.tensors[2];
  Reference want;
  for (size_t i = 0; i < prediction.real.size(); ++i) {
    const long double w = weight.present ? weight.real[i] : 1;
    const long double d = static_cast<long double>(prediction.real[i]) - target.real[i];
    want.item_loss.push_back(w * d * d);
    want.derivative.push_back(2 * w * d);
    want.denominator += w;
  }
  return want;
}

TEST(Mse, FollowsLongDouble) {
  CheckReference(
      Loss(), 500,
      [](std::mt19937_64& random) {
        return Case{"grid",
                    {{"N", 1 + static_cast<int64_t>(random() % 9)}, {"*", 1 + static_cast<int64_t>(random() % 30)}},
                    {}};
      },
      Plain);
}

}  // namespace
}  // namespace gradeline::conformance

// golden.txt of a loss with two components, no item losses, two inputs and parameters of every kind: read and compared,
// and a wrong number in it is found.
#include "plugins/losses/golden/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

#include "plugins/sdk/loss.h"

namespace gradeline::conformance {
namespace {

constexpr const char* kModes[] = {"plain", "twice", nullptr};

/// scaled: sum of f p q / items, where f is 1 or 2 by mode, times -1 if negated; total: sum of a_k p, an aggregate.
class Linear {
 public:
  static constexpr const char* kId = "linear";
  static constexpr const char* kDoc = "two linear components";
  static constexpr uint32_t kVersion = 1, kFlags = 0, kMerge = GDL_MERGE_SUMS;
  static constexpr const char* kSignals[] = {"value"};
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N c", nullptr, "values"),
                                               sdk::RealTarget("N c", nullptr, 0, 0, "values")};
  static constexpr GdlParamSpec kParams[] = {sdk::Choice("mode", kModes, 0, "factor"),
                                             sdk::Bool("negated", false, "sign"),
                                             sdk::Vector("weights", "c", 0, 10, "of each column")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("scaled", "products / items"),
                                                     sdk::Aggregate("total", "weighted sum")};

  explicit Linear(const sdk::Params& params)
      : factor_((params.Choice("mode") + 1) * (params.Bool("negated") ? -1 : 1)), weights_(params.Vector("weights")) {}

  void Plan(const GdlShape&, sdk::Plan& plan) const { plan.AddPass(GDL_WRITES_GRADIENT, 3, 3); }

  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    const auto p = tile.Input(0), q = tile.Input(1);
    const auto gradient = tile.Gradient(0);
    for (int64_t o = 0; o < tile.outer(); ++o) {
      tile.raw().sums[2] += 1;
      for (int64_t k = 0; k < p.small; ++k) {
        const double weight = weights_[static_cast<size_t>(k)], by_p = factor_ * *q.Run(o, k);
        tile.raw().sums[0] += by_p * *p.Run(o, k);
        tile.raw().sums[1] += weight * *p.Run(o, k);
        if (gradient)
          *gradient.Run(o, k) = static_cast<Real>(tile.raw().scale[0] * by_p + tile.raw().scale[1] * weight);
      }
    }
  }

  void Fold(const GdlFold& fold) const {
    fold.numerator[0] = fold.sums[0];
    fold.denominator[0] = fold.sums[2];
    fold.numerator[1] = fold.sums[1];
    fold.denominator[1] = 1;
  }

 private:
  double factor_;
  std::vector<double> weights_;
};

// Row products 2 * 4 + 3 * 1 = 11, and 1 * 0.5 = 0.5, twice and negated: -23. Total 0.5 * 3 + 2 * 3 = 7.5.
constexpr const char* kText =
    "# a comment\npeer by hand\ncase one\nparam mode twice\nparam negated true\nparam weights 0.5 2.0\n"
    "input prediction real 2x2 : 2.0 3.0 1.0 0.0\ninput target real 2x2 : 4.0 1.0 0.5 7.0\n"
    "component scaled -23.0 2.0 1.0\ncomponent total 7.5 1.0 0.25\nloss -9.625\n"
    "gradient prediction 2x2 : -3.875 -0.5 -0.375 -6.5\n";

GoldenFile Read(const std::string& text) {
  const std::string path = ::testing::TempDir() + "golden.txt";
  std::ofstream(path) << text;
  return ReadGolden(sdk::Entry<Linear>::kTable, path);
}

void Check(const GoldenCase& golden) {
  for (uint32_t dtype : {4u, 8u}) {
    WorstError error;
    CheckGoldenCase(sdk::Entry<Linear>::kTable, golden, dtype, error);
  }
}

TEST(Golden, ReadsAndCompares) {
  const GoldenFile golden = Read(kText);
  EXPECT_EQ(golden.peer, "by hand");
  ASSERT_EQ(golden.cases.size(), 1u);
  EXPECT_EQ(golden.cases[0].params.at("mode"), (std::vector<double>{1}));
  Check(golden.cases[0]);
}

TEST(Golden, FindsEachWrongNumber) {
  for (const auto& [right, wrong, where] :
       std::vector<std::array<std::string, 3>>{{"-23.0", "-23.001", "numerator"},
                                               {"scaled -23.0 2.0", "scaled -23.0 3.0", "denominator"},
                                               {"total 7.5", "totals 7.5", "totals"},
                                               {"-9.625", "-9.6251", "loss"},
                                               {"-0.375", "-0.37501", "gradient"},
                                               {"twice", "plain", "numerator"},
                                               {"0.25", "0.5", "loss"}}) {
    std::string text = kText;
    text.replace(text.find(right), right.size(), wrong);
    ::testing::TestPartResultArray results;
    {
      ::testing::ScopedFakeTestPartResultReporter reporter(
          ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
      Check(Read(text).cases[0]);
    }
    std::string all;
    for (int i = 0; i < results.size(); ++i) all += results.GetTestPartResult(i).message();
    EXPECT_THAT(all, ::testing::HasSubstr(where)) << wrong;
  }
}

}  // namespace
}  // namespace gradeline::conformance

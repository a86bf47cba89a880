// The comparison with a reference, on a loss of two components and two differentiable inputs: right numbers pass, and
// each wrong one is found. Also what the suite makes of kinks and of parts that are folded together.
#include "plugins/sdk/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

#include <cstdio>

#include "plugins/sdk/loss.h"

namespace gradeline::conformance {
namespace {

enum class Flaw {
  kNone,
  kDenominator,     // of the first component
  kAggregate,       // the second component's numerator
  kSlope,           // the gradient by the first tensor, by more than a float's precision
  kAggregateSlope,  // that of the second component only
  kOther,           // the gradient by the second tensor
  kKink,            // a slope that no side of a kink has
  kPartShape,       // relies on the shape of the part that a worker sees
};

/// absolute: sum of w |p - t| / sum of w. overlap: 1 - 2 sum p q / (sum p^2 + sum q^2 + 1), an aggregate.
template <Flaw flaw>
class Mixed {
 public:
  static constexpr const char* kId = "mixed";
  static constexpr const char* kDoc = "two components of two inputs";
  static constexpr uint32_t kVersion = 1, kFlags = 0, kMerge = GDL_MERGE_SUMS;
  static constexpr const char* kSignals[] = {"value"};
  static constexpr GdlTensorSpec kOther = [] {
    GdlTensorSpec spec = sdk::Prediction("N *", nullptr, "other values");
    spec.name = "other";
    return spec;
  }();
  static constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N *", nullptr, "values"),
                                               sdk::RealTarget("N *", nullptr, 0, 0, "values"), kOther,
                                               sdk::Weight("N *")};
  static constexpr GdlComponentSpec kComponents[] = {sdk::Additive("absolute", "errors / weights"),
                                                     sdk::Aggregate("overlap", "1 - overlap")};

  explicit Mixed(const sdk::Params&) {}

  void Plan(const GdlShape& shape, sdk::Plan& plan) const {
    const uint64_t weight = shape.small[3] < 0 ? 0 : 8;
    plan.AddPass(0, 7 | weight, 4);
    plan.AddPass(GDL_GRADIENT_ONLY | GDL_WRITES_GRADIENT, 7 | weight, 0);
    plan.raw().carry_bytes = 2 * sizeof(double);
  }

  template <typename Real>
  void Compute(const sdk::Tile<Real>& tile) const {
    const auto p = tile.Input(0), t = tile.Input(1), q = tile.Input(2), w = tile.Input(3);
    const auto by_p = tile.Gradient(0), by_q = tile.Gradient(2);
    const double* carry = static_cast<const double*>(tile.raw().carry);
    double* sums = tile.raw().sums;
    for (int64_t o = 0; o < tile.outer(); ++o) {
      for (int64_t i = 0; i < tile.inner(); ++i) {
        const double x = p.Run(o)[i], y = q.Run(o)[i], d = x - t.Run(o)[i];
        const double weight = w ? static_cast<double>(w.Run(o)[i]) : 1;
        if (tile.raw().pass == 0) {
          const double part = flaw == Flaw::kPartShape ? static_cast<double>(tile.raw().shape->outer) : 1;
          sums[0] += weight * std::abs(d) / part;
          sums[1] += weight;
          sums[2] += x * y;
          sums[3] += x * x + y * y;
          continue;
        }
        double slope = d > 0 ? 1 : d < 0 ? -1 : flaw == Flaw::kKink ? 3 : 0;
        if (flaw == Flaw::kSlope) slope *= 1 + 3e-6;
        const double whole = carry[1] + 1, common = 2 * carry[0] / whole;
        const double scale = tile.raw().scale[1] * (flaw == Flaw::kAggregateSlope ? 1.00001 : 1);
        if (by_p) {
          by_p.Run(o)[i] =
              static_cast<Real>(tile.raw().scale[0] * weight * slope + scale * 2 * (common * x - y) / whole);
        }
        if (by_q) by_q.Run(o)[i] = static_cast<Real>(scale * 2 * (common * y - (flaw == Flaw::kOther ? y : x)) / whole);
      }
    }
  }

  void Fold(const GdlFold& fold) const {
    if (fold.pass != 0) return;
    const double part = flaw == Flaw::kPartShape ? static_cast<double>(fold.shape->outer) : 1;
    fold.numerator[0] = fold.sums[0] * part;
    fold.denominator[0] = fold.sums[1] * (flaw == Flaw::kDenominator ? 1 + 2e-12 : 1);
    fold.numerator[1] = 1 - 2 * fold.sums[2] / (fold.sums[3] + 1) + (flaw == Flaw::kAggregate ? 1e-5 : 0);
    fold.denominator[1] = 1;
    double* carry = static_cast<double*>(fold.carry);
    carry[0] = fold.sums[2];
    carry[1] = fold.sums[3];
  }
};

Reference Plain(const Batch& batch, const ParamValues&) {
  Reference want;
  ComponentReference overlap;
  DerivativeReference by_other;
  long double both = 0, squares = 1;
  const std::vector<double>&p = batch.tensors[0].real, &q = batch.tensors[2].real;
  want.numerator = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const long double d = static_cast<long double>(p[i]) - batch.tensors[1].real[i];
    const long double w = batch.tensors[3].present ? batch.tensors[3].real[i] : 1;
    want.numerator += w * std::abs(d);
    want.denominator += w;
    want.derivative.push_back(d == 0 ? 0 : d > 0 ? w : -w);
    both += static_cast<long double>(p[i]) * q[i];
    squares += static_cast<long double>(p[i]) * p[i] + static_cast<long double>(q[i]) * q[i];
  }
  for (size_t i = 0; i < p.size(); ++i) {
    const long double common = 2 * both / squares, x = p[i], y = q[i];
    overlap.derivative.push_back(2 * (common * x - y) / squares);
    by_other.derivative.push_back(2 * (common * y - x) / squares);
    const long double terms = 2 * (std::abs(common * x) + std::abs(common * y) + std::abs(x) + std::abs(y)) / squares;
    overlap.terms = by_other.terms = std::max(overlap.terms, terms);
  }
  overlap.numerator = 1 - 2 * both / squares;
  overlap.denominator = overlap.magnitude = 1;
  overlap.others[2] = by_other;
  want.more = {overlap};
  return want;
}

/// What the comparison finds wrong, one text per failure.
template <Flaw flaw>
std::vector<std::string> Finds() {
  ::testing::TestPartResultArray results;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    CheckReference(
        sdk::Entry<Mixed<flaw>>::kTable, 60,
        [](std::mt19937_64& random) {
          return Case{"grid",
                      {{"N", 1 + static_cast<int64_t>(random() % 6)}, {"*", 1 + static_cast<int64_t>(random() % 9)}},
                      {}};
        },
        Plain);
  }
  std::vector<std::string> found;
  for (int i = 0; i < results.size(); ++i) found.emplace_back(results.GetTestPartResult(i).message());
  return found;
}

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Reference, PassesALossInOrder) { EXPECT_THAT(Finds<Flaw::kNone>(), IsEmpty()); }

TEST(Reference, FindsEachWrongNumber) {
  EXPECT_THAT(Finds<Flaw::kDenominator>(), Contains(HasSubstr("denominator of absolute")));
  EXPECT_THAT(Finds<Flaw::kAggregate>(), Contains(HasSubstr("numerator of overlap")));
  EXPECT_THAT(Finds<Flaw::kSlope>(), Contains(HasSubstr("gradient by prediction")));
  EXPECT_THAT(Finds<Flaw::kAggregateSlope>(), Contains(HasSubstr("gradient by prediction")));
  EXPECT_THAT(Finds<Flaw::kOther>(), Contains(HasSubstr("gradient by other")));
}

TEST(Reference, RoundingOfTermsThatCancelIsForgivenAndNoMore) {
  const Precision in_float(4);
  EXPECT_LE(RelativeError({0}, {5e-7}, in_float, 1), in_float.allowed);
  EXPECT_GT(RelativeError({0}, {5e-7}, in_float, 0.1L), in_float.allowed);
  EXPECT_GT(RelativeError({0}, {5e-7}, in_float), in_float.allowed);
  EXPECT_GT(RelativeError({0}, {5e-7}, Precision(8), 1), 1e-12L);
  EXPECT_FALSE(RelativeError({1}, {std::nan("")}, in_float, 1) <= in_float.allowed);
}

TEST(Reference, WritesDownTheWorstErrors) {
  const std::string path = ::testing::TempDir() + "errors.jsonl";
  std::remove(path.c_str());
  ::setenv("GRADELINE_ERRORS", path.c_str(), 1);
  EXPECT_THAT(Finds<Flaw::kNone>(), IsEmpty());
  ::unsetenv("GRADELINE_ERRORS");
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], HasSubstr(R"("loss": "mixed", "peer": "long double", "bits": 32, "cases": 60)"));
  EXPECT_THAT(lines[1], HasSubstr(R"("bits": 64)"));
  EXPECT_THAT(lines[1], HasSubstr(R"("merge": "sums", "signals": ["value"], "tasks": [])"));
}

template <Flaw flaw>
std::vector<std::string> SuiteCatches() {
  Case kinked{"kinks", {{"N", 5}, {"*", 7}}, {}};
  kinked.fix = [](Batch& batch) {  // every third prediction is its target
    for (size_t i = 0; i < batch.tensors[0].real.size(); i += 3) batch.tensors[0].real[i] = batch.tensors[1].real[i];
  };
  std::vector<std::string> names;
  for (const Check& check : Checks()) {
    if (!RunCheck(sdk::Entry<Mixed<flaw>>::kTable, check, {kinked}).empty()) names.push_back(check.name);
  }
  return names;
}

TEST(ConformanceSuite, AtAKinkTheGradientLiesBetweenItsSides) {
  EXPECT_THAT(SuiteCatches<Flaw::kNone>(), IsEmpty());
  EXPECT_THAT(SuiteCatches<Flaw::kKink>(), Contains("GradientIsTheDerivative"));
  EXPECT_THAT(SuiteCatches<Flaw::kAggregateSlope>(), Contains("GradientIsTheDerivative"));
}

TEST(ConformanceSuite, PartsAreFoldedTogether) {
  EXPECT_THAT(SuiteCatches<Flaw::kPartShape>(), ::testing::ElementsAre("PartsMerge"));
}

}  // namespace
}  // namespace gradeline::conformance

#include <array>
#include <cmath>
#include <limits>

#include "server/core/base/status.h"
#include "server/core/metric/regression.h"
#include "server/core/metric/test_batch.h"
#include "server/core/metric/test_mutations.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

using Rational = boost::multiprecision::cpp_rational;

constexpr double kMax = std::numeric_limits<double>::max();
constexpr const char* kIds[] = {"mean_absolute_error", "root_mean_squared_error", "r2_score", "explained_variance"};

OwnedBatch Of(const std::vector<double>& prediction, const std::vector<double>& target, int64_t outputs = 1,
              DType type = DType::kF64) {
  const auto n = static_cast<int64_t>(target.size()) / outputs;
  return {"value", {{"prediction", type, {n, outputs}, prediction}, {"target", type, {n, outputs}, target}}};
}

double Value(const std::string& id, const OwnedBatch& batch) { return Evaluate(id, {batch})->value; }

TEST(RegressionMetricsTest, SmallCases) {
  const OwnedBatch batch = Of({2.5, 0.0, 2, 8}, {3, -0.5, 2, 7});
  EXPECT_EQ(Value("mean_absolute_error", batch), 0.5);
  EXPECT_EQ(Value("root_mean_squared_error", batch), std::sqrt(0.375));
  EXPECT_DOUBLE_EQ(Value("r2_score", batch), 0.9486081370449679);
  EXPECT_DOUBLE_EQ(Value("explained_variance", batch), 0.9571734475374732);
}

TEST(RegressionMetricsTest, ConstantTargets) {
  EXPECT_EQ(Value("r2_score", Of({1, 1}, {1, 1})), 1);
  EXPECT_EQ(Value("r2_score", Of({1, 2}, {1, 1})), 0);
  EXPECT_EQ(Value("r2_score", Of({3, 3}, {1, 1})), 0);
  EXPECT_EQ(Value("explained_variance", Of({3, 3}, {1, 1})), 1) << "differences are constant";
  EXPECT_EQ(Value("explained_variance", Of({1, 2}, {1, 1})), 0);
  // A mean in double of these is not 0.1 for every number of items.
  for (size_t n = 1; n < 40; ++n) {
    EXPECT_EQ(Value("explained_variance", Of(std::vector<double>(n, 0.3), std::vector<double>(n, 0.1))), 1) << n;
  }
}

TEST(RegressionMetricsTest, TooFewItems) {
  const MetricResult one = *Evaluate("r2_score", {Of({1}, {2})});
  EXPECT_EQ(one.count, 0);
  EXPECT_EQ(one.note, "needs two items");
  EXPECT_EQ(Evaluate("explained_variance", {Of({1}, {2})})->value, 1);
  EXPECT_EQ(Value("mean_absolute_error", Of({1}, {2})), 1);
  for (const char* id : kIds) EXPECT_EQ(Evaluate(id, {Of({}, {})})->count, 0);
  EXPECT_EQ(Evaluate("mean_absolute_error", {Of({}, {})})->note, "nothing was counted");
}

TEST(RegressionMetricsTest, OutputsAreListedAndTheirMeanIsTheValue) {
  OwnedBatch batch = Of({1, 10, 2, 20, 3, 30, 4, 40}, {1, 11, 2, 22, 3, 33, 4, 44}, 2);
  const MetricResult absolute = *Evaluate("mean_absolute_error", {batch});
  EXPECT_EQ(absolute.value, 1.25);
  EXPECT_EQ(absolute.count, 4);
  EXPECT_THAT(absolute.classes, ::testing::ElementsAre(ClassNumber{0, 0, 4}, ClassNumber{1, 2.5, 4}));
  EXPECT_EQ(Value("root_mean_squared_error", batch), std::sqrt(7.5) / 2);
  for (OwnedTensor& tensor : batch.tensors) tensor.shape = {2, 2, 2};
  EXPECT_EQ(Evaluate("mean_absolute_error", {batch})->classes.size(), 4u) << "axes after the first are outputs";
}

TEST(RegressionMetricsTest, ExtremesNeitherOverflowNorVanish) {
  EXPECT_EQ(Value("root_mean_squared_error", Of({kMax, kMax}, {0, 0})), kMax);
  EXPECT_EQ(Value("mean_absolute_error", Of({kMax, kMax}, {0, 0})), kMax);
  EXPECT_EQ(Value("root_mean_squared_error", Of({3e-320}, {0})), 3e-320);
  EXPECT_EQ(Value("r2_score", Of({2e-310, 1e-310}, {2e-310, 1e-310})), 1);
  EXPECT_EQ(Value("r2_score", Of({1e300, -1e300}, {1e300, -1e300})), 1);
}

TEST(RegressionMetricsTest, NamesEverythingThatIsWrong) {
  const auto wrong = [](const OwnedBatch& batch) {
    const auto counts = NewCounts("r2_score", "value");
    const auto violations = FieldViolationsOf(counts->Add(batch.view()));
    EXPECT_EQ(counts->Bytes(), "");
    return violations;
  };
  EXPECT_THAT(wrong({"value", {}}), ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is missing"},
                                                           FieldViolation{"inputs.target", "is missing"}));
  EXPECT_THAT(wrong(Of({1, 2}, {1, 2}, 1, DType::kI32)),
              ::testing::ElementsAre(FieldViolation{"inputs.prediction", "has type i32; allowed: f32, f64, f16, bf16"},
                                     FieldViolation{"inputs.target", "has type i32; allowed: f32, f64, f16, bf16"}));
  EXPECT_THAT(
      wrong({"value", {{"prediction", DType::kF32, {2}, {1, 2}}, {"target", DType::kF32, {2, 1}, {1, 2}}}}),
      ::testing::ElementsAre(FieldViolation{"inputs.target", "has shape [2, 1]; a prediction of [2] needs the same"}));
  EXPECT_THAT(wrong(Of({1, 2, NAN, 4}, {1, 2, 3, INFINITY}, 2)),
              ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is nan at item 1; allowed: finite numbers"}));
  EXPECT_THAT(wrong(Of({1, INFINITY}, {1, -INFINITY})),
              ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is inf at item 1; allowed: finite numbers"},
                                     FieldViolation{"inputs.target", "is -inf at item 1; allowed: finite numbers"}));
  EXPECT_THAT(wrong(Of({kMax}, {-kMax})),
              ::testing::ElementsAre(
                  FieldViolation{"inputs.prediction", "is 1.79769e+308 at item 0, infinitely far from -1.79769e+308"}));
}

TEST(RegressionMetricsTest, OutputsStayAndMoreThanFitAreRefused) {
  const auto counts = NewCounts("r2_score", "value", {}, 2 * sizeof(RegressionSums));
  ASSERT_TRUE(counts->Add(Of({1, 2}, {1, 2}, 2).view()).ok());
  EXPECT_THAT(std::string(counts->Add(Of({1}, {1}).view()).message()),
              ::testing::HasSubstr("has 1 outputs; counted before: 2"));
  const auto other = NewCounts("r2_score", "value", {}, 2 * sizeof(RegressionSums));
  const absl::Status status = other->Add(Of({1, 2, 3}, {1, 2, 3}, 3).view());
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("regression of 3 outputs takes"));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("(metrics.max_bytes)"));
  const auto wide = NewCounts("r2_score", "value");
  ASSERT_TRUE(wide->Add(Of({1, 2, 3}, {1, 2, 3}, 3).view()).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(other->Merge(wide->Bytes())));
  EXPECT_FALSE(counts->Merge(wide->Bytes()).ok());
}

// ---- against rational numbers ----

Rational Exact(double value) {
  int exponent = 0;
  const auto mantissa = static_cast<int64_t>(std::ldexp(std::frexp(value, &exponent), 53));
  const int shift = exponent - 53;
  return shift >= 0 ? Rational(Integer(mantissa) << shift) : Rational(Integer(mantissa), Integer(1) << -shift);
}
// How far a result is from the exact one, in units of its last place.
void ExpectWithinAnUlp(double got, const Rational& exact, const std::string& what) {
  const double ulp = std::nextafter(std::abs(got), kMax) - std::abs(got);
  EXPECT_LE(abs(Exact(got) - exact), Exact(ulp) * Rational(51, 100)) << what << " is " << got;
}

struct Pairs {
  std::vector<double> prediction, target;
};
Pairs RandomPairs(std::mt19937_64& random, int kind, size_t count) {
  std::normal_distribution<double> normal;
  Pairs pairs;
  for (size_t i = 0; i < count; ++i) {
    double target = normal(random), error = 0.3 * normal(random);
    if (kind == 1) target = 1e8 + 1e-3 * target, error *= 1e-3;  // where one-pass variances are lost
    if (kind == 2) target *= std::pow(10.0, static_cast<double>(random() % 200) - 100);
    if (kind == 3) target = -1e15 + static_cast<double>(random() % 3), error = static_cast<double>(random() % 2);
    pairs.target.push_back(target);
    pairs.prediction.push_back(target + error);
  }
  return pairs;
}

TEST(RegressionMetricsTest, AreRoundedOnceWhateverTheData) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    const Pairs pairs = RandomPairs(random, round % 4, 2 + random() % 150);
    const OwnedBatch batch = Of(pairs.prediction, pairs.target);
    const Rational n(pairs.target.size());
    Rational absolute, squares, target, target_squares, difference;
    for (size_t i = 0; i < pairs.target.size(); ++i) {
      const Rational t = Exact(pairs.target[i]), d = Exact(pairs.prediction[i] - pairs.target[i]);
      absolute += abs(d);
      squares += d * d;
      difference += d;
      target += t;
      target_squares += t * t;
    }
    const Rational variance = target_squares / n - target * target / (n * n);
    ExpectWithinAnUlp(Value("mean_absolute_error", batch), absolute / n, "mae");
    const double root = Value("root_mean_squared_error", batch);
    const Rational below = (Exact(root) + Exact(std::nextafter(root, 0))) / 2;
    const Rational above = (Exact(root) + Exact(std::nextafter(root, kMax))) / 2;
    EXPECT_LE(below * below, squares / n);
    EXPECT_GE(above * above, squares / n);
    if (variance == 0) continue;
    ExpectWithinAnUlp(Value("r2_score", batch), 1 - squares / n / variance, "r2");
    ExpectWithinAnUlp(Value("explained_variance", batch),
                      1 - (squares / n - difference * difference / (n * n)) / variance, "explained variance");
  }
}

TEST(RegressionMetricsTest, EveryTypeAndEveryPartitionOfManyOutputs) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 24; ++round) {
    const DType type = std::array{DType::kF64, DType::kF32, DType::kF16, DType::kBF16}[static_cast<size_t>(round) % 4];
    const auto outputs = static_cast<int64_t>(1 + random() % 3);
    std::vector<OwnedBatch> batches;
    std::vector<long double> absolute(static_cast<size_t>(outputs));
    size_t items = 0;
    for (int b = 0; b < 6; ++b) {
      const size_t n = random() % 9 == 0 ? 1500 : random() % 40;
      const Pairs pairs = RandomPairs(random, type == DType::kF64 ? round % 3 : 0, n * static_cast<size_t>(outputs));
      batches.push_back(Of(pairs.prediction, pairs.target, outputs, type));
      const MetricBatch view = batches.back().view();
      for (size_t i = 0; i < n * static_cast<size_t>(outputs); ++i) {
        const auto at = static_cast<int64_t>(i);
        const long double p = ReadDouble(*view.Find("prediction"), at), t = ReadDouble(*view.Find("target"), at);
        absolute[i % static_cast<size_t>(outputs)] += std::abs(p - t);
      }
      items += n;
    }
    const MetricResult result = *Evaluate("mean_absolute_error", batches);
    ASSERT_EQ(result.count, static_cast<int64_t>(items));
    for (size_t k = 0; k < result.classes.size(); ++k) {
      const auto mean = static_cast<double>(absolute[k] / static_cast<long double>(items));
      EXPECT_NEAR(result.classes[k].value, mean, 1e-12 * mean);
    }
    for (const char* id : kIds) ExpectSameForEveryPartition(id, batches, random);
  }
}

TEST(RegressionMetricsTest, ASumIsSmall) {
  std::mt19937_64 random(1);
  const Pairs pairs = RandomPairs(random, 0, 4096);
  const auto counts = NewCounts("r2_score", "value");
  ASSERT_TRUE(counts->Add(Of(pairs.prediction, pairs.target, 1, DType::kF32).view()).ok());
  EXPECT_LT(counts->Bytes().size(), 100u);
}

TEST(RegressionMetricsTest, BytesFromAnywhereAreSafe) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const auto make = [] { return NewCounts("r2_score", "value"); };
  const auto good = make();
  const Pairs pairs = RandomPairs(random, 0, 20);
  ASSERT_TRUE(good->Add(Of(pairs.prediction, pairs.target, 2).view()).ok());
  ExpectSafeMerges(make, good->Bytes(), random, [](const Counts& counts) {
    for (const char* id : kIds) {
      const double value = (*FindMetric(id))->compute(counts, {}).value;
      EXPECT_FALSE(std::isnan(value)) << id;
    }
  });
}

TEST(RegressionMetricsTest, SumsThatCannotBeAreRefused) {
  const auto merge = [](int negative, int64_t items) {
    std::string bytes;
    PutUnsigned(static_cast<uint64_t>(items), bytes);
    PutUnsigned(1, bytes);
    for (int sum = 0; sum < 5; ++sum) {
      ExactSum one;
      one.Add(sum == negative ? -1.0 : 1.0);
      one.Put(bytes);
    }
    return NewCounts("r2_score", "value")->Merge(bytes).ok();
  };
  EXPECT_TRUE(merge(-1, 1));
  EXPECT_FALSE(merge(-1, 0));
  EXPECT_TRUE(merge(0, 1)) << "targets";
  EXPECT_FALSE(merge(1, 1)) << "their squares";
  EXPECT_TRUE(merge(2, 1)) << "differences";
  EXPECT_FALSE(merge(3, 1)) << "their squares";
  EXPECT_FALSE(merge(4, 1)) << "magnitudes";
}

}  // namespace
}  // namespace gradeline

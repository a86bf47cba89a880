#include <cmath>
#include <limits>

#include "server/core/base/status.h"
#include "server/core/metric/calibration.h"
#include "server/core/metric/test_batch.h"
#include "server/core/metric/test_mutations.h"

namespace gradeline {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

OwnedBatch Binary(const std::vector<double>& logits, const std::vector<double>& labels) {
  const auto n = static_cast<int64_t>(logits.size());
  return {"binary", {{"prediction", DType::kF64, {n}, logits}, {"target", DType::kI32, {n}, labels}}};
}
OwnedBatch Classes(int64_t classes, const std::vector<double>& scores, const std::vector<double>& labels) {
  const auto n = static_cast<int64_t>(labels.size());
  return {"multiclass", {{"prediction", DType::kF32, {n, classes}, scores}, {"target", DType::kI32, {n}, labels}}};
}

double Value(const OwnedBatch& batch, double bins, const std::string& norm) {
  return Evaluate("calibration_error", {batch}, {{"bins", bins}, {"norm", norm}})->value;
}

TEST(CalibrationErrorTest, IsTheDistanceOfConfidenceAndTruth) {
  // Confidence 0.5 twice, one of them right; certainty that is wrong.
  const OwnedBatch batch = Binary({0, 0, -kInf, kInf}, {1, 0, 1, 0});
  EXPECT_EQ(Value(batch, 15, "l1"), 0.5);
  EXPECT_EQ(Value(batch, 15, "l2"), std::sqrt(0.5));
  EXPECT_EQ(Value(batch, 15, "max"), 1);
  EXPECT_EQ(Value(batch, 1, "l1"), 0) << "0.5 on the average, half of them right";
  const MetricResult result = *Evaluate("calibration_error", {batch});
  EXPECT_EQ(result.count, 4);
  EXPECT_THAT(result.curves, ::testing::ElementsAre(Curve{0, "confidence", "accuracy", {0, 0.5, 1}, {1, 0.5, 0}}));
}

TEST(CalibrationErrorTest, MulticlassTakesTheHighestProbability) {
  const OwnedBatch batch = Classes(2, {0, 0, kInf, 0, 0, kInf, 3, 3}, {0, 0, 0, -100});
  const MetricResult result = *Evaluate("calibration_error", {batch});
  EXPECT_EQ(result.count, 3);
  EXPECT_THAT(result.curves, ::testing::ElementsAre(Curve{0, "confidence", "accuracy", {0.5, 1}, {1, 0.5}}));
  EXPECT_NEAR(result.value, (0.5 + 2 * 0.5) / 3, 1e-15);
}

TEST(CalibrationErrorTest, EdgesBelongToTheBinAboveAndOneToTheLast) {
  // Two bins: 0.5 is in the second, as is 1.
  const OwnedBatch batch = Classes(2, {0, 0, kInf, 0}, {0, 0});
  EXPECT_EQ(Value(batch, 2, "l1"), 0.25);
}

TEST(CalibrationErrorTest, NoProductRoundsAcrossAnEdge) {
  for (size_t bins = 1; bins <= 300; ++bins) {
    for (size_t i = 0; i < bins; ++i) {
      const double edge = static_cast<double>(i) / static_cast<double>(bins);
      ASSERT_EQ(BinOf(edge, bins), i) << edge << " of " << bins;
      if (i == 0) continue;
      ASSERT_EQ(BinOf(std::nextafter(edge, 0), bins), i - 1) << "below " << edge << " of " << bins;
    }
    ASSERT_EQ(BinOf(1, bins), bins - 1);
  }
}

TEST(CalibrationErrorTest, NothingIsUndefined) {
  const MetricResult result = *Evaluate("calibration_error", {Binary({}, {})});
  EXPECT_EQ(result.count, 0);
  EXPECT_EQ(result.note, "nothing was counted");
  EXPECT_TRUE(result.curves.empty());
}

TEST(CalibrationErrorTest, RefusesDecisionsAndNaN) {
  const auto counts = NewCounts("calibration_error", "binary");
  const OwnedBatch decided{"binary", {{"prediction", DType::kU8, {1}, {1}}, {"target", DType::kU8, {1}, {1}}}};
  EXPECT_THAT(FieldViolationsOf(counts->Add(decided.view())),
              ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is decisions; allowed: scores"}));
  EXPECT_THAT(FieldViolationsOf(counts->Add(Binary({0, NAN}, {1, 1}).view())),
              ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is NaN at item 1; allowed: numbers"}));
  EXPECT_THAT(FieldViolationsOf(counts->Add(OwnedBatch{"binary", {}}.view())),
              ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is missing"},
                                     FieldViolation{"inputs.target", "is missing"}));
  EXPECT_EQ(counts->Bytes(), "");
}

// By definition: bins by comparing with each edge.
double Reference(const std::vector<std::pair<double, bool>>& items, int bins, const std::string& norm) {
  long double sum = 0, most = 0;
  for (int bin = 0; bin < bins; ++bin) {
    long double count = 0, right = 0, confidence = 0;
    for (const auto& [c, is_right] : items) {
      const bool within =
          c >= static_cast<double>(bin) / bins && (c < static_cast<double>(bin + 1) / bins || bin + 1 == bins);
      if (!within) continue;
      count += 1;
      right += is_right ? 1 : 0;
      confidence += c;
    }
    if (count == 0) continue;
    const long double gap = std::abs(right / count - confidence / count);
    most = std::max(most, gap);
    sum += (norm == "l2" ? gap * gap : gap) * count / static_cast<long double>(items.size());
  }
  return static_cast<double>(norm == "max" ? most : norm == "l2" ? std::sqrt(sum) : sum);
}

TEST(CalibrationErrorTest, IsWhatItsDefinitionSaysForEveryPartition) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 80; ++round) {
    const bool binary = round % 2 == 0;
    std::vector<OwnedBatch> batches;
    std::vector<std::pair<double, bool>> items;
    for (size_t b = 0; b < 6; ++b) {
      std::vector<double> scores, labels;
      for (size_t i = random() % 40; i > 0; --i) {
        std::vector<double> row(binary ? 1 : 4);
        for (double& score : row) score = static_cast<float>(std::normal_distribution<double>(0, 3)(random));
        scores.insert(scores.end(), row.begin(), row.end());
        const auto label = static_cast<int>(random() % (binary ? 2 : 4));
        const bool ignored = random() % 8 == 0;
        labels.push_back(ignored ? -100 : label);
        if (ignored) continue;
        if (binary) {
          items.emplace_back(1 / (1 + std::exp(-row[0])), label == 1);
        } else {
          const auto highest = std::max_element(row.begin(), row.end());
          double sum = 0;
          for (const double score : row) sum += std::exp(score - *highest);
          items.emplace_back(1 / sum, highest - row.begin() == label);
        }
      }
      batches.push_back(binary ? Binary(scores, labels) : Classes(4, scores, labels));
    }
    for (const char* norm : {"l1", "l2", "max"}) {
      const auto bins = static_cast<int>(1 + random() % 30);
      const ParamMap params{{"bins", static_cast<double>(bins)}, {"norm", std::string(norm)}};
      const MetricResult got = *Evaluate("calibration_error", batches, params);
      EXPECT_EQ(got.count, static_cast<int64_t>(items.size()));
      EXPECT_NEAR(got.value, Reference(items, bins, norm), 1e-13);
      ExpectSameForEveryPartition("calibration_error", batches, random, params);
    }
  }
}

TEST(CalibrationErrorTest, BytesFromAnywhereAreSafe) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const auto make = [] { return NewCounts("calibration_error", "binary"); };
  const auto good = make();
  ASSERT_TRUE(good->Add(Binary({0, 1, -1, 3, -7, 0.1}, {1, 1, 0, 1, 0, 0}).view()).ok());
  const Metric& metric = **FindMetric("calibration_error");
  ExpectSafeMerges(make, good->Bytes(), random, [&](const Counts& counts) {
    const double value = metric.compute(counts, *ResolveParams(metric.params, {})).value;
    EXPECT_TRUE(value >= 0 && value <= 1) << value;
  });
}

}  // namespace
}  // namespace gradeline

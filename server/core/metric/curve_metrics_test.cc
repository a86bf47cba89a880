#include <algorithm>
#include <cmath>
#include <numeric>

#include "server/core/metric/scores.h"
#include "server/core/metric/test_batch.h"

namespace gradeline {
namespace {

struct Item {
  double score;
  bool positive;
};
using Items = std::vector<Item>;

// ---- plain references, by definition ----

long double RocReference(const Items& items) {
  long double wins = 0, pairs = 0;
  for (const Item& a : items) {
    for (const Item& b : items) {
      if (!a.positive || b.positive) continue;
      pairs += 1;
      wins += a.score > b.score ? 1 : a.score == b.score ? 0.5L : 0;
    }
  }
  return wins / pairs;
}

struct Point {
  long double recall, precision;
};
// Recall and precision if all with a score of at least t are taken, for each score t from the highest down.
std::vector<Point> Points(const Items& items) {
  std::vector<double> thresholds;
  long double positives = 0;
  for (const Item& item : items) {
    thresholds.push_back(item.score);
    positives += item.positive ? 1 : 0;
  }
  std::sort(thresholds.begin(), thresholds.end(), std::greater<>());
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  std::vector<Point> points{{0, 1}};
  for (const double threshold : thresholds) {
    long double right = 0, taken = 0;
    for (const Item& item : items) {
      if (item.score < threshold) continue;
      taken += 1;
      right += item.positive ? 1 : 0;
    }
    points.push_back({right / positives, right / taken});
  }
  return points;
}
long double StepReference(const Items& items) {
  const std::vector<Point> points = Points(items);
  long double sum = 0;
  for (size_t i = 1; i < points.size(); ++i) sum += (points[i].recall - points[i - 1].recall) * points[i].precision;
  return sum;
}
long double TrapezoidReference(const Items& items) {
  const std::vector<Point> points = Points(items);
  long double sum = 0;
  for (size_t i = 1; i < points.size(); ++i) {
    sum += (points[i].recall - points[i - 1].recall) * (points[i].precision + points[i - 1].precision) / 2;
  }
  return sum;
}

struct Reference {
  const char* id;
  long double (*of)(const Items&);
  bool needs_negatives;
};
constexpr Reference kReferences[] = {{"roc_auc", RocReference, true},
                                     {"average_precision", StepReference, false},
                                     {"precision_recall_curve", TrapezoidReference, false}};

// ---- random batches with what is asked of each class ----

struct Case {
  std::vector<OwnedBatch> batches;
  std::vector<Items> classes;
};

double RandomScore(std::mt19937_64& random, bool ties) {
  const double normal = std::normal_distribution<double>(0, 2)(random);
  return ties ? std::round(normal) : static_cast<double>(static_cast<float>(normal));
}

Case RandomCase(std::mt19937_64& random, const std::string& signal, bool ties) {
  const int64_t classes = signal == "binary" ? 1 : 2 + static_cast<int64_t>(random() % 4);
  Case made{{}, std::vector<Items>(static_cast<size_t>(classes))};
  for (size_t b = 0; b < 1 + random() % 5; ++b) {
    const auto n = static_cast<int64_t>(random() % 30);
    std::vector<double> scores, labels;
    for (int64_t i = 0; i < n; ++i) {
      std::vector<double> row(static_cast<size_t>(classes));
      for (double& score : row) score = RandomScore(random, ties);
      scores.insert(scores.end(), row.begin(), row.end());
      if (signal == "multiclass") {
        // The last class is absent.
        const auto label = static_cast<int64_t>(random() % static_cast<uint64_t>(classes - 1));
        const bool ignored = random() % 10 == 0;
        labels.push_back(ignored ? -100 : static_cast<double>(label));
        const double highest = *std::max_element(row.begin(), row.end());
        double sum = 0;
        for (const double score : row) sum += score == highest ? 1 : std::exp(score - highest);
        for (int64_t k = 0; k < classes && !ignored; ++k) {
          const double score = row[static_cast<size_t>(k)];
          made.classes[static_cast<size_t>(k)].push_back(
              {(score == highest ? 1 : std::exp(score - highest)) / sum, k == label});
        }
        continue;
      }
      for (int64_t k = 0; k < classes; ++k) {
        const auto label = static_cast<int64_t>(random() % 2);
        const bool ignored = random() % 10 == 0;
        labels.push_back(ignored ? -100 : static_cast<double>(label));
        if (!ignored) made.classes[static_cast<size_t>(k)].push_back({row[static_cast<size_t>(k)], label == 1});
      }
    }
    std::vector<int64_t> shape{n};
    if (signal != "binary") shape.push_back(classes);
    std::vector<int64_t> target = shape;
    if (signal == "multiclass") target.pop_back();
    made.batches.push_back(
        {signal, {{"prediction", DType::kF32, shape, scores}, {"target", DType::kI32, target, labels}}});
  }
  return made;
}

int64_t Positives(const Items& items) {
  return std::count_if(items.begin(), items.end(), [](const Item& item) { return item.positive; });
}
bool IsDefined(const Reference& reference, const Items& items) {
  const int64_t positives = Positives(items);
  return positives > 0 && (!reference.needs_negatives || positives < static_cast<int64_t>(items.size()));
}

void ExpectAsReference(const Reference& reference, const Case& made, const std::string& average) {
  const auto got = Evaluate(reference.id, made.batches, {{"average", average}});
  ASSERT_TRUE(got.ok()) << got.status();
  long double sum = 0, weights = 0;
  size_t defined = 0;
  Items all;
  for (size_t k = 0; k < made.classes.size(); ++k) {
    const Items& items = made.classes[k];
    all.insert(all.end(), items.begin(), items.end());
    if (!IsDefined(reference, items)) continue;
    ASSERT_GT(got->classes.size(), defined);
    EXPECT_EQ(got->classes[defined].index, static_cast<int32_t>(k));
    EXPECT_EQ(got->classes[defined].count, Positives(items));
    EXPECT_NEAR(got->classes[defined].value, static_cast<double>(reference.of(items)), 1e-13);
    const long double weight = average == "weighted" ? static_cast<long double>(Positives(items)) : 1;
    sum += weight * reference.of(items);
    weights += weight;
    ++defined;
  }
  EXPECT_EQ(got->classes.size(), defined);
  EXPECT_EQ(got->error, 0);
  if (average == "micro") {
    ASSERT_EQ(got->count, IsDefined(reference, all) ? static_cast<int64_t>(all.size()) : 0);
    if (got->count > 0) {
      EXPECT_NEAR(got->value, static_cast<double>(reference.of(all)), 1e-13);
    }
    return;
  }
  ASSERT_EQ(got->count > 0, defined > 0);
  if (defined > 0) {
    EXPECT_NEAR(got->value, static_cast<double>(sum / weights), 1e-13);
  }
}

TEST(CurveMetricsTest, AreWhatTheirDefinitionsSay) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    for (const char* signal : {"binary", "multilabel", "multiclass"}) {
      const Case made = RandomCase(random, signal, round % 2 == 0);
      for (const Reference& reference : kReferences) {
        SCOPED_TRACE(std::string(reference.id) + " " + signal);
        for (const char* average : {"macro", "weighted", "micro"}) {
          if (std::string(average) == "micro" && std::string(signal) == "multiclass") continue;
          ExpectAsReference(reference, made, average);
        }
        ExpectSameForEveryPartition(reference.id, made.batches, random);
      }
    }
  }
}

OwnedBatch Binary(const std::vector<double>& scores, const std::vector<double>& labels) {
  const auto n = static_cast<int64_t>(scores.size());
  return {"binary", {{"prediction", DType::kF64, {n}, scores}, {"target", DType::kU8, {n}, labels}}};
}

TEST(CurveMetricsTest, UndefinedSaysWhy) {
  EXPECT_EQ(Evaluate("roc_auc", {Binary({1, 2}, {1, 1})})->note, "no class has positives and negatives");
  EXPECT_EQ(Evaluate("roc_auc", {Binary({1, 2}, {1, 1})})->count, 0);
  EXPECT_EQ(Evaluate("roc_auc", {Binary({}, {})})->count, 0);
  EXPECT_EQ(Evaluate("average_precision", {Binary({1, 2}, {0, 0})})->note, "there are no positives");
  EXPECT_EQ(Evaluate("precision_recall_curve", {Binary({1, 2}, {0, 0})})->count, 0);
  EXPECT_EQ(Evaluate("average_precision", {Binary({1, 2}, {1, 1})})->value, 1);
  const OwnedBatch classes{"multiclass",
                           {{"prediction", DType::kF32, {2, 2}, {1, 0, 0, 1}}, {"target", DType::kU8, {2}, {0, 1}}}};
  const MetricResult micro = *Evaluate("roc_auc", {classes}, {{"average", std::string("micro")}});
  EXPECT_EQ(micro.count, 0);
  EXPECT_EQ(micro.note, "average micro is for binary and multilabel heads");
  EXPECT_EQ(Evaluate("roc_auc", {classes})->count, 2);
}

TEST(CurveMetricsTest, CurvesHaveAllPoints) {
  const OwnedBatch batch = Binary({0.9, 0.8, 0.8, 0.1}, {1, 0, 1, 0});
  const Curve roc{0, "false_positive_rate", "true_positive_rate", {0, 0, 0.5, 1}, {0, 0.5, 1, 1}};
  EXPECT_THAT(Evaluate("roc_auc", {batch})->curves, ::testing::ElementsAre(roc));
  const Curve precision{0, "recall", "precision", {0, 0.5, 1, 1}, {1, 1, 2.0 / 3, 0.5}};
  EXPECT_THAT(Evaluate("precision_recall_curve", {batch})->curves, ::testing::ElementsAre(precision));
  EXPECT_TRUE(Evaluate("average_precision", {batch})->curves.empty());
}

TEST(CurveMetricsTest, LongCurvesAreThinnedEvenlyWithTheirEnds) {
  std::vector<double> scores(5000), labels(5000);
  std::iota(scores.begin(), scores.end(), 0);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<double>(i % 2);
  const Curve curve = Evaluate("roc_auc", {Binary(scores, labels)})->curves.at(0);
  ASSERT_EQ(curve.x.size(), 1000u);
  ASSERT_EQ(curve.y.size(), 1000u);
  EXPECT_EQ(curve.x.front(), 0);
  EXPECT_EQ(curve.x.back(), 1);
  EXPECT_EQ(curve.y.back(), 1);
  for (size_t i = 1; i < curve.x.size(); ++i) EXPECT_NEAR(curve.x[i] - curve.x[i - 1], 0.001, 0.0005);
}

// ---- the bound on what coarse cells change ----

MetricResult Coarse(const Reference& reference, const OwnedBatch& batch, int64_t cells, int* bits = nullptr) {
  Scores scores(batch.signal == "multiclass", (cells + 1) * Scores::kCellBytes);
  EXPECT_TRUE(scores.Add(batch.view()).ok());
  if (bits != nullptr) *bits = Scores::kKeyBits - scores.coarse();
  const Metric& metric = **FindMetric(reference.id);
  return metric.compute(scores, *ResolveParams(metric.params, {}));
}

// Scores that lie together in cells, in orders that are bad for the value: all positives first, or all negatives, or
// one kind amid the other, ties or none.
OwnedBatch Adversarial(std::mt19937_64& random) {
  std::vector<double> scores, labels;
  const size_t groups = 1 + random() % 6;
  for (size_t group = 0; group < groups; ++group) {
    const size_t items = 1 + random() % 200, order = random() % 6, first = random() % (items + 1);
    for (size_t i = 0; i < items; ++i) {
      const double within = order == 5 ? static_cast<double>(random() % 3) : static_cast<double>(i);
      scores.push_back(std::ldexp(1.0, static_cast<int>(group) * 3) * (1 + within * 0x1p-40));
      const bool positive = order == 0   ? i < first
                            : order == 1 ? i >= first
                            : order == 2 ? random() % 2 == 0
                            : order == 3 ? random() % 50 == 0
                                         : i % 2 == 0;
      labels.push_back(positive ? 1 : 0);
    }
  }
  return Binary(scores, labels);
}

TEST(CurveMetricsTest, TheBoundHoldsForCoarseCells) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  double tightest = 1;
  for (int round = 0; round < 400; ++round) {
    const OwnedBatch batch =
        round % 4 == 0 ? RandomCase(random, "multilabel", false).batches.at(0) : Adversarial(random);
    const int64_t classes = round % 4 == 0 ? batch.tensors[0].shape[1] : 1;
    for (const Reference& reference : kReferences) {
      const MetricResult exact = *Evaluate(reference.id, {batch});
      int bits = 0;
      const MetricResult coarse = Coarse(reference, batch, classes * 3 + static_cast<int64_t>(random() % 40), &bits);
      EXPECT_EQ(coarse.count, exact.count);
      EXPECT_LE(std::abs(coarse.value - exact.value), coarse.error + 1e-12) << reference.id << " round " << round;
      if (bits == Scores::kKeyBits) {
        EXPECT_EQ(coarse, exact);
      } else if (exact.count > 0) {
        EXPECT_THAT(coarse.note,
                    ::testing::StartsWith("scores are told apart by " + std::to_string(bits) + " of 64 bits"));
      }
      if (coarse.error > 1e-9) {
        tightest = std::min(tightest, 1 - std::abs(coarse.value - exact.value) / coarse.error);
      }
    }
  }
  EXPECT_LT(tightest, 0.01) << "no case comes near its bound: it says little";
}

TEST(CurveMetricsTest, CellsWithOneItemAddNoError) {
  std::vector<double> scores, labels;
  for (int i = 0; i < 20; ++i) {
    scores.push_back(std::ldexp(1.0 + 0x1p-52, i));
    labels.push_back(i % 3 == 0 ? 1 : 0);
  }
  scores.push_back(1);  // one cell with the first, from one bit on
  labels.push_back(1);
  for (const Reference& reference : kReferences) {
    const MetricResult exact = *Evaluate(reference.id, {Binary(scores, labels)});
    int bits = 0;
    const MetricResult coarse = Coarse(reference, Binary(scores, labels), 20, &bits);
    EXPECT_EQ(bits, 63);
    EXPECT_NEAR(coarse.value, exact.value, coarse.error + 1e-15);
    EXPECT_LT(coarse.error, 0.05) << reference.id;
  }
}

}  // namespace
}  // namespace gradeline

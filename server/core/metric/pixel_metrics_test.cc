#include <cmath>

#include "server/core/metric/test_class_batch.h"

namespace gradeline {
namespace {

using ::testing::IsEmpty;

struct PixelMetric {
  std::string id;
  std::vector<std::string> signals;
  bool both_classes;  ///< of a binary signal
};

const std::vector<PixelMetric> kMetrics = {
    {"mean_iou", {"pixel-multiclass", "pixel-binary", "pixel-multilabel"}, false},
    {"dice_score", {"pixel-multiclass", "pixel-binary", "pixel-multilabel"}, false},
    {"mean_accuracy", {"multiclass", "pixel-multiclass", "binary", "pixel-binary"}, true},
    {"frequency_weighted_iou", {"pixel-multiclass", "pixel-binary"}, true}};

long double ValueOf(const std::string& id, const ClassCount& one) {
  const long double tp = one.tp, fp = one.fp, fn = one.fn;
  if (id == "mean_accuracy") return tp + fn == 0 ? NAN : tp / (tp + fn);
  if (tp + fp + fn == 0) return NAN;
  return id == "dice_score" ? 2 * tp / (2 * tp + fp + fn) : tp / (tp + fp + fn);
}

MetricResult Plain(const PixelMetric& metric, const ClassBatches& made) {
  MetricResult result{.count = static_cast<int64_t>(made.slots.size())};
  std::vector<ClassCount> counts = made.Counts();
  if (metric.both_classes && !made.multiclass()) {
    const ClassCount yes = counts.at(0);
    counts = {{yes.tn, yes.fn, yes.fp, yes.tp}, yes};
  }
  long double sum = 0, weighted = 0;
  for (size_t c = 0; c < counts.size(); ++c) {
    const long double value = ValueOf(metric.id, counts[c]);
    if (std::isnan(value)) continue;
    const int64_t support = counts[c].tp + counts[c].fn;
    result.classes.push_back({static_cast<int32_t>(c), static_cast<double>(value), support});
    sum += value;
    weighted += value * support / result.count;
  }
  if (result.classes.empty()) return {};
  result.value = static_cast<double>(metric.id == "frequency_weighted_iou" ? weighted : sum / result.classes.size());
  return result;
}

TEST(PixelMetricsTest, AreThoseOfPlainLoops) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  ClassBatchMaker maker(seed);
  for (int round = 0; round < 600; ++round) {
    const PixelMetric& metric = kMetrics[static_cast<size_t>(round % 4)];
    const ClassBatches made =
        maker.Make(metric.signals[static_cast<size_t>(maker.Below(static_cast<int64_t>(metric.signals.size())))]);
    const absl::StatusOr<MetricResult> got = Evaluate(metric.id, made.batches);
    ASSERT_TRUE(got.ok()) << got.status();
    ExpectSameForEveryPartition(metric.id, made.batches, maker.random);
    const MetricResult wanted = Plain(metric, made);
    EXPECT_EQ(got->count, wanted.count) << metric.id << " of " << made.signal;
    EXPECT_EQ(got->note.empty(), wanted.count > 0);
    EXPECT_NEAR(got->value, wanted.value, 1e-15);
    ASSERT_EQ(got->classes.size(), wanted.classes.size());
    for (size_t c = 0; c < wanted.classes.size(); ++c) {
      EXPECT_EQ(got->classes[c].index, wanted.classes[c].index);
      EXPECT_EQ(got->classes[c].count, wanted.classes[c].count);
      EXPECT_NEAR(got->classes[c].value, wanted.classes[c].value, 1e-15);
    }
  }
}

TEST(PixelMetricsTest, AClassThatIsOnlyPredictedCountsInTheMeanIou) {
  const OwnedBatch batch{
      "pixel-multiclass",
      {{"prediction", DType::kU8, {1, 2, 2}, {0, 0, 2, 2}}, {"target", DType::kU8, {1, 2, 2}, {0, 0, 0, 0}}}};
  const MetricResult got = *Evaluate("mean_iou", {batch});
  EXPECT_EQ(got.value, 0.25);
  EXPECT_EQ(got.classes, (std::vector<ClassNumber>{{0, 0.5, 4}, {2, 0, 0}}));
  EXPECT_EQ(Evaluate("frequency_weighted_iou", {batch})->value, 0.5);
  EXPECT_EQ(Evaluate("mean_accuracy", {batch})->classes, (std::vector<ClassNumber>{{0, 0.5, 4}}));
}

TEST(PixelMetricsTest, WithoutPositivesBinaryIouIsNotDefined) {
  const OwnedBatch batch{"pixel-binary",
                         {{"prediction", DType::kF32, {1, 1, 2}, {-1, -2}}, {"target", DType::kU8, {1, 1, 2}, {0, 0}}}};
  EXPECT_EQ(*Evaluate("mean_iou", {batch}), (MetricResult{.note = "no class occurs in target or prediction"}));
  EXPECT_EQ(Evaluate("frequency_weighted_iou", {batch})->value, 1);
}

}  // namespace
}  // namespace gradeline

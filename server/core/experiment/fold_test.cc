#include "server/core/experiment/fold.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradeline {
namespace {

SessionHead MakeHead(uint32_t merge, std::vector<double> component_weights) {
  SessionHead head;
  head.resolved.head = "h";
  head.resolved.merge = merge;
  head.resolved.components.resize(component_weights.size(), "c");
  head.resolved.component_weights = std::move(component_weights);
  return head;
}

std::shared_ptr<const std::vector<SessionHead>> Heads(std::vector<SessionHead> heads) {
  return std::make_shared<const std::vector<SessionHead>>(std::move(heads));
}

Record MakeRecord(int32_t head, int64_t items, std::vector<Ratio> values, std::string metrics = {}) {
  Record record;
  record.key.head = head;
  record.items = items;
  record.values = std::move(values);
  record.metrics = std::move(metrics);
  return record;
}

TEST(CompensatedSum, KeepsWhatPlainAdditionLoses) {
  CompensatedSum sum;
  for (const double x : {1.0, 1e100, 1.0, -1e100}) sum.Add(x);
  EXPECT_EQ(sum.value(), 2.0);
  CompensatedSum tenths;
  for (int i = 0; i < 10'000'000; ++i) tenths.Add(0.1);
  EXPECT_EQ(tenths.value(), 1e6);
}

TEST(CompensatedSum, AnOverflowStaysInfinite) {
  CompensatedSum sum;
  for (int i = 0; i < 3; ++i) sum.Add(1e308);
  sum.Add(1);
  EXPECT_EQ(sum.value(), std::numeric_limits<double>::infinity());
}

TEST(Fold, RatiosAreSumsOfNumeratorsOverDenominators) {
  Fold fold(Heads({MakeHead(GDL_MERGE_RATIO, {1, 0.5})}));
  fold.Add(0, MakeRecord(0, 1, {{2, 1}, {1, 4}}));
  fold.Add(1, MakeRecord(0, 3, {{4, 3}, {1, 0}}));
  Seal seal;
  fold.Fill(seal);
  EXPECT_EQ(seal.components[0].value, 6.0 / 4);
  EXPECT_EQ(seal.components[1].value, 2.0 / 4);
  EXPECT_FALSE(seal.components[0].batch_mean);
  EXPECT_EQ(seal.loss, 1.5 + 0.25);
  EXPECT_EQ(seal.average, 1.75 / 2);
  EXPECT_EQ(seal.batches, 2);
  EXPECT_EQ(seal.items, 4);
  EXPECT_EQ(fold.RecordsOf(0), 1);
  EXPECT_EQ(fold.RecordsOf(2), 0);
}

TEST(Fold, WhatDoesNotMergeIsTheItemWeightedMeanOfBatches) {
  for (const uint32_t merge : {GDL_MERGE_NONE, GDL_MERGE_SUMS}) {
    Fold fold(Heads({MakeHead(merge, {1})}));
    fold.Add(0, MakeRecord(0, 1, {{3, 2}}));
    fold.Add(0, MakeRecord(0, 3, {{1, 2}}));
    Seal seal;
    fold.Fill(seal);
    EXPECT_EQ(seal.components[0].value, (1 * 1.5 + 3 * 0.5) / 4);
    EXPECT_TRUE(seal.components[0].batch_mean);
  }
}

TEST(Fold, HeadsAddUpByWeight) {
  SessionHead half = MakeHead(GDL_MERGE_RATIO, {2});
  half.resolved.weight = 0.5;
  Fold fold(Heads({MakeHead(GDL_MERGE_RATIO, {1}), half}));
  fold.Add(0, MakeRecord(0, 1, {{3, 1}}));
  fold.Add(0, MakeRecord(1, 1, {{4, 1}}));
  Seal seal;
  fold.Fill(seal);
  EXPECT_EQ(seal.components[1].weight, 1.0);
  EXPECT_EQ(seal.loss, 7.0);
  EXPECT_EQ(seal.average, 3.5);
}

TEST(Fold, RefusedBatchesCountAsReportedAndAddNothing) {
  Fold fold(Heads({MakeHead(GDL_MERGE_RATIO, {1})}));
  Record refused = MakeRecord(0, 7, {{100, 1}}, {5});
  refused.code = 3;
  fold.Add(0, refused);
  fold.Add(0, refused);
  fold.Add(0, MakeRecord(0, 1, {{3, 1}}));
  Seal seal;
  fold.Fill(seal);
  EXPECT_EQ(seal.loss, 3.0);
  EXPECT_EQ(seal.batches, 1);
  EXPECT_EQ(seal.items, 1);
  EXPECT_THAT(seal.refused, testing::ElementsAre(testing::Pair(3, 2)));
  EXPECT_EQ(fold.RecordsOf(0), 3);
}

// cross_entropy+lovasz: the one stays exact, the other says that it is a mean of batches.
TEST(Fold, TermsOfASumMergeEachInItsOwnWay) {
  SessionHead head = MakeHead(GDL_MERGE_NONE, {1, 2});
  head.resolved.component_merge = {GDL_MERGE_RATIO, GDL_MERGE_NONE};
  Fold fold(Heads({head}));
  fold.Add(0, MakeRecord(0, 1, {{4, 1}, {1, 1}}));
  fold.Add(0, MakeRecord(0, 3, {{0, 7}, {0.5, 1}}));
  Seal seal;
  fold.Fill(seal);
  EXPECT_EQ(seal.components[0].value, 4.0 / 8);
  EXPECT_FALSE(seal.components[0].batch_mean);
  EXPECT_EQ(seal.components[1].value, 2.5 / 4);
  EXPECT_TRUE(seal.components[1].batch_mean);
  EXPECT_EQ(seal.loss, 0.5 + 2 * 0.625);
  EXPECT_EQ(seal.average, seal.loss / 2);
  EXPECT_EQ(fold.Average(), seal.average);
}

TEST(Fold, NothingGivesZero) {
  Fold fold(Heads({MakeHead(GDL_MERGE_RATIO, {1}), MakeHead(GDL_MERGE_NONE, {1})}));
  Seal seal;
  fold.Fill(seal);
  EXPECT_EQ(seal.loss, 0);
  EXPECT_EQ(seal.components.size(), 2u);
}

// Rows of three scores, the right class and what metrics of "multiclass" count of them.
std::string Counted(const MetricSet& metrics, std::vector<float> scores, std::vector<int64_t> labels) {
  const auto rows = static_cast<int64_t>(labels.size());
  const std::vector<int64_t> shape{rows, 3}, target{rows};
  const MetricBatch batch("multiclass", {{"prediction", {DType::kF32, shape, scores.data()}},
                                         {"target", {DType::kI64, target, labels.data()}}});
  return *metrics.Count(batch);
}

TEST(Fold, MetricsAreThoseOfAllRecords) {
  SessionHead head = MakeHead(GDL_MERGE_RATIO, {1});
  head.metrics = MetricSet("multiclass", {"accuracy", "accuracy(k=2)", "mean_absolute_error"}, 1 << 20);
  ASSERT_EQ(head.metrics.chosen().size(), 2u);
  Fold fold(Heads({head}));
  fold.Add(0, MakeRecord(0, 1, {{3, 1}}, Counted(head.metrics, {3, 2, 1, /**/ 1, 2, 3}, {0, 1})));
  fold.Add(0, MakeRecord(0, 1, {{3, 1}}, Counted(head.metrics, {3, 2, 1}, {2})));
  Seal seal;
  fold.Fill(seal);
  ASSERT_EQ(seal.metrics.size(), 2u);
  EXPECT_EQ(seal.metrics[0].metric, "accuracy");
  EXPECT_EQ(seal.metrics[0].result.value, 1.0 / 3);
  EXPECT_EQ(seal.metrics[0].result.count, 3);
  EXPECT_EQ(seal.metrics[1].metric, "accuracy(k=2)");
  EXPECT_EQ(seal.metrics[1].result.value, 2.0 / 3);
}

// Seals of servers that knew accuracy alone are like that too, and a check of the store folds them again.
TEST(Fold, HeadsThatReportNothingHaveNoMetrics) {
  SessionHead head = MakeHead(GDL_MERGE_RATIO, {1});
  head.metrics = MetricSet("multiclass", {"accuracy"}, 1 << 20);
  Fold fold(Heads({head, head, head}));
  fold.Add(0, MakeRecord(1, 1, {{3, 1}}, Counted(head.metrics, {3, 2, 1}, {0})));
  Record refused = MakeRecord(2, 0, {});
  refused.code = 3;
  fold.Add(0, refused);
  Seal seal;
  fold.Fill(seal);
  ASSERT_EQ(seal.metrics.size(), 1u);
  EXPECT_EQ(seal.metrics[0].head, 1);
}

TEST(Fold, LargeMatricesAndClassesAreNotKept) {
  SessionHead head = MakeHead(GDL_MERGE_RATIO, {1});
  head.metrics = MetricSet("multiclass", {"confusion_matrix", "accuracy"}, 1 << 20);
  for (const int64_t classes : {128, 129}) {
    const std::vector<float> scores(static_cast<size_t>(classes));
    const std::vector<int64_t> shape{1, classes}, one{1}, label{0};
    const MetricBatch batch("multiclass", {{"prediction", {DType::kF32, shape, scores.data()}},
                                           {"target", {DType::kI64, one, label.data()}}});
    Fold fold(Heads({head}));
    fold.Add(0, MakeRecord(0, 1, {{3, 1}}, *head.metrics.Count(batch)));
    Seal seal;
    fold.Fill(seal);
    const MetricResult& matrix = seal.metrics[0].result;
    EXPECT_EQ(matrix.value, 1);
    EXPECT_EQ(matrix.matrix.cells.empty(), classes == 129) << "16,384 numbers are kept";
    EXPECT_EQ(matrix.note, classes == 129 ? "the matrix is not kept: 16641 numbers, more than 16384" : "");
    EXPECT_EQ(seal.metrics[1].result.note, "");
  }
}

// Of 20 classes 409 points each: 16,384 numbers in all.
TEST(Fold, LongCurvesHaveFewerPoints) {
  constexpr int64_t kClasses = 20, kRows = 800;
  SessionHead head = MakeHead(GDL_MERGE_RATIO, {1});
  head.metrics = MetricSet("multiclass", {"roc_auc"}, 1 << 24);
  std::vector<float> scores;
  std::vector<int64_t> labels;
  for (int64_t row = 0; row < kRows; ++row) {
    labels.push_back(row % kClasses);
    for (int64_t k = 0; k < kClasses; ++k) scores.push_back(static_cast<float>(std::sin(row * kClasses + k)));
  }
  const std::vector<int64_t> shape{kRows, kClasses}, rows{kRows};
  const MetricBatch batch("multiclass", {{"prediction", {DType::kF32, shape, scores.data()}},
                                         {"target", {DType::kI64, rows, labels.data()}}});
  Fold fold(Heads({head}));
  fold.Add(0, MakeRecord(0, kRows, {{3, 1}}, *head.metrics.Count(batch)));
  Seal seal;
  fold.Fill(seal);
  const MetricResult& auc = seal.metrics[0].result;
  ASSERT_EQ(auc.curves.size(), 20u);
  for (const Curve& curve : auc.curves) {
    ASSERT_EQ(curve.x.size(), 409u);
    ASSERT_EQ(curve.y.size(), 409u);
    EXPECT_EQ(curve.x.front(), 0);
    EXPECT_EQ(curve.x.back(), 1);
    EXPECT_EQ(curve.y.back(), 1);
    EXPECT_TRUE(std::is_sorted(curve.x.begin(), curve.x.end()));
  }
  EXPECT_EQ(auc.note, "");
}

TEST(Fold, WhatCannotBeReadIsSaid) {
  SessionHead head = MakeHead(GDL_MERGE_RATIO, {1});
  head.metrics = MetricSet("multiclass", {"accuracy"}, 1 << 20);
  Fold fold(Heads({head}));
  fold.Add(0, MakeRecord(0, 1, {{3, 1}}, Counted(head.metrics, {3, 2, 1}, {0})));
  fold.Add(0, MakeRecord(0, 1, {{3, 1}}, "\1broken"));
  Seal seal;
  fold.Fill(seal);
  EXPECT_EQ(seal.metrics[0].result.count, 0);
  EXPECT_THAT(seal.metrics[0].result.note, ::testing::HasSubstr("cannot be read"));
}

// A record of the time when accuracy alone was counted, as two doubles.
TEST(Fold, OldRecordsCount) {
  SessionHead head = MakeHead(GDL_MERGE_RATIO, {1});
  head.metrics = MetricSet("multiclass", {"accuracy"}, 1 << 20);
  Fold fold(Heads({head}));
  const double old[] = {3, 4};
  fold.Add(0, MakeRecord(0, 1, {{3, 1}}, std::string(reinterpret_cast<const char*>(old), sizeof(old))));
  Seal seal;
  fold.Fill(seal);
  EXPECT_EQ(seal.metrics[0].result.value, 0.75);
  EXPECT_EQ(seal.metrics[0].result.count, 4);
}

}  // namespace
}  // namespace gradeline

#include "server/core/experiment/fold.h"

#include <algorithm>
#include <limits>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradeline {
namespace {

/// Counts and adds; `size` numbers in each delta.
class SumMetric : public Metric {
 public:
  SumMetric(std::string id, size_t size) : size_(size) { info_.id = std::move(id); }
  const MetricInfo& info() const override { return info_; }
  absl::StatusOr<std::vector<double>> Update(const MetricBatch&) const override { return std::vector<double>(size_); }
  size_t delta_size() const override { return size_; }
  bool Fits(absl::Span<const double>) const override { return true; }
  Value Compute(absl::Span<const double> sum) const override { return {sum[0], static_cast<int64_t>(sum.size())}; }

 private:
  MetricInfo info_;
  size_t size_;
};

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

Record MakeRecord(int32_t head, int64_t items, std::vector<Ratio> values, std::vector<double> metrics = {}) {
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

TEST(Fold, DeltasOfSeveralMetricsAreTakenApart) {
  const SumMetric one("one", 1), two("two", 2);
  SessionHead head = MakeHead(GDL_MERGE_RATIO, {1});
  head.metrics = {&one, &two};
  Fold fold(Heads({head}));
  fold.Add(0, MakeRecord(0, 1, {{3, 1}}, {1, 10, 100}));
  fold.Add(0, MakeRecord(0, 1, {{3, 1}}, {2, 20, 200}));
  Seal seal;
  fold.Fill(seal);
  ASSERT_EQ(seal.metrics.size(), 2u);
  EXPECT_EQ(seal.metrics[0].metric, "one");
  EXPECT_EQ(seal.metrics[0].value, 3);
  EXPECT_EQ(seal.metrics[1].value, 30);
  EXPECT_EQ(seal.metrics[1].count, 2);
}

}  // namespace
}  // namespace gradeline

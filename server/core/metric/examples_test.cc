#include "server/core/metric/examples.h"

#include <cmath>
#include <map>

#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/test_class_batch.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

const std::vector<std::string> kIds = {"hamming_score", "hamming_score_jaccard", "subset_accuracy"};

/// Item by item, from the tensors themselves.
long double Plain(const std::string& id, const std::vector<OwnedBatch>& batches, int64_t& count) {
  long double sum = 0;
  count = 0;
  for (const OwnedBatch& batch : batches) {
    const OwnedTensor &prediction = batch.tensors.at(0), &target = batch.tensors.at(1);
    const TensorView said{prediction.dtype, prediction.shape, prediction.bytes.data()};
    const TensorView right{target.dtype, target.shape, target.bytes.data()};
    const int64_t labels = prediction.shape[1], inner = *ElementCount(absl::MakeConstSpan(prediction.shape).subspan(2));
    for (int64_t item = 0; item < prediction.shape[0] * inner; ++item) {
      long double both = 0, any = 0, equal = 0, slots = 0;
      for (int64_t label = 0; label < labels; ++label) {
        const int64_t slot = (item / inner * labels + label) * inner + item % inner;
        const double t = ReadDouble(right, slot), p = ReadDouble(said, slot);
        if (!IsReal(right.dtype) && t == static_cast<double>(batch.ignore_index)) continue;
        const bool wanted = IsReal(right.dtype) ? t > 0.5 : t == 1, predicted = IsReal(said.dtype) ? p > 0 : p == 1;
        both += wanted && predicted ? 1 : 0;
        any += wanted || predicted ? 1 : 0;
        equal += wanted == predicted ? 1 : 0;
        slots += 1;
      }
      if (slots == 0) continue;
      if (id == "hamming_score") sum += equal;
      if (id == "hamming_score_jaccard") sum += any == 0 ? 1 : both / any;
      if (id == "subset_accuracy") sum += equal == slots ? 1 : 0;
      count += id == "hamming_score" ? static_cast<int64_t>(slots) : 1;
    }
  }
  return sum;
}

TEST(ExamplesTest, AreThoseOfPlainLoops) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  ClassBatchMaker maker(seed);
  for (int round = 0; round < 600; ++round) {
    const std::string& id = kIds[static_cast<size_t>(round % 3)];
    ClassBatches made = maker.Make(round % 2 == 0 ? "multilabel" : "pixel-multilabel");
    for (OwnedBatch& batch : made.batches) batch.signal = "multilabel";
    int64_t count = 0;
    const long double sum = Plain(id, made.batches, count);
    const absl::StatusOr<MetricResult> got = Evaluate(id, made.batches);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->count, count);
    EXPECT_NEAR(got->value, count == 0 ? 0 : static_cast<double>(sum / count), 1e-15) << id;
    EXPECT_EQ(got->note, count == 0 ? "no label counts" : "");
    ExpectSameForEveryPartition(id, made.batches, maker.random);
  }
}

OwnedBatch Labels(int64_t labels, const std::vector<double>& predicted, const std::vector<double>& wanted) {
  const int64_t items = static_cast<int64_t>(predicted.size()) / labels;
  return {"multilabel",
          {{"prediction", DType::kI32, {items, labels}, predicted}, {"target", DType::kI32, {items, labels}, wanted}}};
}

TEST(ExamplesTest, IgnoredSlotsAreNotThere) {
  // Item 0: one of two slots right. Item 1: nothing left. Item 2: one slot, right and empty.
  const std::vector<OwnedBatch> batches = {
      Labels(3, {1, 1, 1, 1, 0, 0, 0, 1, 1}, {1, 0, -100, -100, -100, -100, 0, -100, -100})};
  EXPECT_EQ(Evaluate("hamming_score", batches)->value, 2.0 / 3);
  EXPECT_EQ(Evaluate("hamming_score", batches)->count, 3);
  EXPECT_EQ(Evaluate("hamming_score_jaccard", batches)->value, 0.75);
  EXPECT_EQ(Evaluate("hamming_score_jaccard", batches)->count, 2);
  EXPECT_EQ(Evaluate("subset_accuracy", batches)->value, 0.5);
}

TEST(ExamplesTest, ThirdsAddUpTheSameInEveryOrder) {
  std::mt19937_64 random(std::random_device{}());
  std::vector<OwnedBatch> batches;
  for (int64_t labels = 1; labels <= 40; ++labels) {
    std::vector<double> predicted(static_cast<size_t>(labels), 1.0), wanted(static_cast<size_t>(labels));
    wanted[0] = 1;
    batches.push_back(Labels(labels, predicted, wanted));
  }
  for (int round = 0; round < 20; ++round) ExpectSameForEveryPartition("hamming_score_jaccard", batches, random);
}

TEST(ExamplesTest, MemoryIsBounded) {
  const std::unique_ptr<Counts> counts = NewCounts("hamming_score", "multilabel", {}, 8);
  const absl::Status status = counts->Add(Labels(2, {0, 0}, {0, 0}).view());
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "sums of the unions of 2 labels takes 16 B; allowed: 8 B (metrics.max_bytes)");
  EXPECT_EQ(counts->Bytes(), "");
  EXPECT_TRUE(counts->Add(Labels(1, {0, 0}, {0, 0}).view()).ok());
}

std::string BytesOf(const std::vector<uint64_t>& numbers) {
  std::string bytes;
  for (const uint64_t number : numbers) PutUnsigned(number, bytes);
  return bytes;
}

TEST(ExamplesTest, WhatNoItemsCanHaveIsRefused) {
  // slots, right slots, items, right items, empty, shared of unions of 1, of 2
  EXPECT_TRUE(NewCounts("hamming_score", "multilabel")->Merge(BytesOf({6, 5, 3, 2, 1, 1, 1})).ok());
  const std::vector<std::vector<uint64_t>> wrong = {
      {6, 7, 3, 2, 1},        // more right slots than slots
      {6, 5, 7, 2, 1},        // more items than slots
      {6, 5, 3, 4, 1},        // more right items than items
      {6, 5, 3, 2, 4},        // more empty items than items
      {6, 5, 3, 2, 1, 1, 3},  // three intersections of unions of 2 need two items
      {6, 1, 3, 0, 1, 1, 1},  // more intersections than right slots
      {uint64_t{1} << 60, 1, 1, 0, 0}};
  for (const std::vector<uint64_t>& numbers : wrong) {
    const std::unique_ptr<Counts> counts = NewCounts("hamming_score", "multilabel");
    EXPECT_EQ(counts->Merge(BytesOf(numbers)).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(counts->Bytes(), "");
  }
}

}  // namespace
}  // namespace gradeline

#include "server/core/metric/label_counts.h"

#include <cmath>

#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/memory_limit.h"
#include "server/core/metric/slots.h"
#include "server/core/metric/test_class_batch.h"
#include "server/core/metric/test_counts_bytes.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;

LabelCounts Empty(int64_t max_bytes = 64LL << 20) { return LabelCounts(CountsOptions{{}, max_bytes}); }

OwnedBatch Labels(const std::string& signal, std::vector<int64_t> shape, DType said,
                  const std::vector<double>& predicted, DType right, const std::vector<double>& wanted) {
  return {signal, {{"prediction", said, shape, predicted}, {"target", right, shape, wanted}}};
}

TEST(LabelCountsTest, AreThoseOfPlainLoops) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  ClassBatchMaker maker(seed);
  const std::vector<std::string> signals = {"binary", "pixel-binary", "multilabel", "pixel-multilabel"};
  for (int round = 0; round < 300; ++round) {
    const ClassBatches made = maker.Make(signals[static_cast<size_t>(round % 4)]);
    LabelCounts counts = Empty();
    for (const OwnedBatch& batch : made.batches) ASSERT_TRUE(counts.Add(batch.view()).ok());
    EXPECT_EQ(counts.Classes(), made.Counts());
    EXPECT_EQ(counts.counted(), static_cast<int64_t>(made.slots.size()));
  }
}

// Longer than what is read and counted at once, in rows of labels and in pixels of each.
TEST(LabelCountsTest, OfLongInputsToo) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{700, 300}, {2, 20000}, {1, 2, 50000}, {3, 2, 2041}, {100000, 1}}) {
    const int64_t labels = shape[1], inner = shape.size() == 3 ? shape[2] : 1;
    std::vector<double> predicted, wanted;
    std::vector<ClassCount> plain(static_cast<size_t>(labels));
    for (int64_t i = 0; i < *ElementCount(shape); ++i) {
      const bool p = random() % 3 == 0, w = random() % 4 == 0, skip = random() % 5 == 0;
      predicted.push_back(p ? 1 : -1);
      wanted.push_back(skip ? -100 : w ? 1 : 0);
      ClassCount& count = plain[static_cast<size_t>(i / inner % labels)];
      if (!skip) ++(w ? p ? count.tp : count.fn : p ? count.fp : count.tn);
    }
    LabelCounts counts = Empty();
    ASSERT_TRUE(counts.Add(Labels("multilabel", shape, DType::kF32, predicted, DType::kI64, wanted).view()).ok());
    EXPECT_EQ(counts.Classes(), plain);
  }
}

// More in a row than a byte counts.
TEST(LabelCountsTest, OfOneKindAlone) {
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{70000, 2}, {1, 2, 70000}}) {
    const std::vector<double> ones(140000, 1.0);
    LabelCounts counts = Empty();
    ASSERT_TRUE(counts.Add(Labels("multilabel", shape, DType::kF32, ones, DType::kU8, ones).view()).ok());
    EXPECT_THAT(counts.Classes(), ElementsAre(ClassCount{70000, 0, 0, 0}, ClassCount{70000, 0, 0, 0}));
  }
}

TEST(LabelCountsTest, ALogitOf0IsNoAndATargetOfOneHalfToo) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    LabelCounts counts = Empty();
    const std::vector<double> predicted = {0, -0.0, 0.0078125, INFINITY, -INFINITY},
                              wanted = {0.5, 0.50390625, 1, 0, -3};
    ASSERT_TRUE(counts.Add(Labels("binary", {5}, dtype, predicted, dtype, wanted).view()).ok());
    EXPECT_THAT(counts.Classes(), ElementsAre(ClassCount{1, 1, 1, 2}));
  }
}

TEST(LabelCountsTest, WrongNumbersAreNamedAndNothingIsAdded) {
  LabelCounts counts = Empty();
  const auto wrong = [&](const OwnedBatch& batch) { return FieldViolationsOf(counts.Add(batch.view())); };
  const double nan = std::nan("");
  EXPECT_THAT(wrong(Labels("binary", {3}, DType::kF32, {0, nan, nan}, DType::kF64, {0, 0, nan})),
              ElementsAre(FieldViolation{"inputs.prediction", "is nan at element 1; allowed: numbers"},
                          FieldViolation{"inputs.target", "is nan at element 2; allowed: numbers"}));
  EXPECT_THAT(
      wrong(Labels("multilabel", {1, 2}, DType::kI64, {1, 4294967296}, DType::kI32, {-100, 2})),
      ElementsAre(FieldViolation{"inputs.prediction", "is 4294967296 at element 1; allowed: 0, 1"},
                  FieldViolation{"inputs.target", "is 2 at element 1; allowed: 0, 1, and -100, which is ignored"}));
  EXPECT_THAT(wrong(Labels("binary", {1}, DType::kF16, {nan}, DType::kI32, {-100})),
              ElementsAre(FieldViolation{"inputs.prediction", "is nan at element 0; allowed: numbers"}))
      << "where it does not count, too";
  EXPECT_THAT(
      wrong(Labels("multilabel", {2}, DType::kF32, {0, 0}, DType::kU8, {0, 0})),
      ElementsAre(FieldViolation{"inputs.prediction", "has shape [2]; allowed: [N, C, ...] with C at least 1"}));
  EXPECT_THAT(wrong(Labels("binary", {}, DType::kF32, {0}, DType::kU8, {0})),
              ElementsAre(FieldViolation{"inputs.prediction", "has shape []; allowed: [N, ...]"}));
  OwnedBatch other = Labels("binary", {2}, DType::kF32, {0, 0}, DType::kU8, {0, 0});
  other.tensors[1].shape = {2, 1};
  EXPECT_THAT(wrong(other),
              ElementsAre(FieldViolation{"inputs.target", "has shape [2, 1]; a prediction of [2] needs the same"}));
  EXPECT_EQ(FieldViolationsOf(counts.Add(MetricBatch("binary", {}))).size(), 2u);
  EXPECT_EQ(counts.Bytes(), "");
}

// 156 has the bits of -100 in 8.
TEST(LabelCountsTest, AnIgnoredLabelThatTheTypeDoesNotHoldIsNoOther) {
  LabelCounts counts = Empty();
  const absl::Status status = counts.Add(Labels("binary", {2}, DType::kF32, {1, 1}, DType::kU8, {1, 156}).view());
  EXPECT_THAT(
      FieldViolationsOf(status),
      ElementsAre(FieldViolation{"inputs.target", "is 156 at element 1; allowed: 0, 1, and -100, which is ignored"}));
}

TEST(LabelCountsTest, MemoryIsBounded) {
  LabelCounts counts = Empty(95);
  const OwnedBatch batch = Labels("multilabel", {1, 3}, DType::kF32, {0, 0, 0}, DType::kU8, {0, 0, 0});
  EXPECT_EQ(counts.Add(batch.view()),
            absl::ResourceExhaustedError("counts of 3 labels takes 96 B; allowed: 95 B (metrics.max_bytes)"));
  LabelCounts enough = Empty(96);
  ASSERT_TRUE(enough.Add(batch.view()).ok());
  EXPECT_EQ(counts.Merge(enough.Bytes()).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(counts.Bytes(), "");
  EXPECT_EQ(LabelCountsKind().bytes_of(3), 96);
}

TEST(LabelCountsTest, GarbageIsRefusedOrASum) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  ClassBatchMaker maker(seed);
  for (const char* id : {"f_score", "precision"}) {
    LabelCounts counts = Empty();
    for (const OwnedBatch& batch : maker.Make("multilabel").batches) ASSERT_TRUE(counts.Add(batch.view()).ok());
    ExpectGarbageIsRefusedOrASum(id, "multilabel", counts.Bytes(), maker.random);
  }
}

TEST(LabelCountsTest, SumsStayBelow2To53) {
  LabelCounts counts = Empty();
  std::string bytes;
  for (const int64_t number : {kMostCounted - 1, int64_t{0}, int64_t{0}, int64_t{0}}) {
    PutUnsigned(static_cast<uint64_t>(number), bytes);
  }
  ASSERT_TRUE(counts.Merge(bytes).ok());
  EXPECT_FALSE(counts.Merge(bytes).ok());
  EXPECT_FALSE(Empty().Merge(bytes + bytes).ok()) << "all labels together";
  EXPECT_EQ(counts.Bytes(), bytes);
}

}  // namespace
}  // namespace gradeline

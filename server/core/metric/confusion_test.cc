#include "server/core/metric/confusion.h"

#include <limits>

#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/memory_limit.h"
#include "server/core/metric/pair_histogram.h"
#include "server/core/metric/test_class_batch.h"
#include "server/core/metric/test_counts_bytes.h"

namespace gradeline {
namespace {

OwnedBatch Decided(DType dtype, const std::vector<double>& predicted, const std::vector<double>& wanted,
                   int64_t ignored = -100) {
  const auto count = static_cast<int64_t>(predicted.size());
  return {"multiclass", {{"prediction", dtype, {count}, predicted}, {"target", dtype, {count}, wanted}}, ignored};
}

Confusion WithBytes(int64_t max_bytes = 64LL << 20) { return Confusion(CountsOptions{{}, max_bytes}); }

/// Items in runs, as pixels are, of some of the classes below `classes`.
std::vector<double> Runs(std::mt19937_64& random, size_t count, int64_t classes, double ignored) {
  std::vector<double> items;
  while (items.size() < count) {
    const bool skip = ignored >= 0 && random() % 7 == 0;
    const double value = skip ? ignored : static_cast<double>(random() % static_cast<uint64_t>(classes));
    items.insert(items.end(), 1 + random() % (random() % 2 == 0 ? 3 : 60), value);
  }
  items.resize(count);
  return items;
}

std::vector<PairCount> Plain(const std::vector<double>& predicted, const std::vector<double>& wanted, double ignored) {
  std::map<std::pair<double, double>, int64_t> counts;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] != ignored) ++counts[{wanted[i], predicted[i]}];
  }
  std::vector<PairCount> pairs;
  for (const auto& [pair, count] : counts) {
    pairs.push_back({static_cast<int32_t>(pair.first), static_cast<int32_t>(pair.second), count});
  }
  return pairs;
}

class ConfusionTest : public ::testing::Test {
 protected:
  const uint64_t seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
};

TEST_F(ConfusionTest, CountsEveryPair) {
  SCOPED_TRACE(seed_);
  // Few and many items, of few and many classes: a list, a matrix with copies, without; bytes where they are.
  for (const size_t count : {0u, 1u, 15u, 16u, 17u, 300u, 16383u, 16384u, 50001u}) {
    for (const int64_t classes : {1, 2, 21, 150, 200, 256, 300, 1500}) {
      for (const DType dtype : {DType::kU8, DType::kI32, DType::kI64}) {
        if (dtype == DType::kU8 && classes > 256) continue;
        const double ignored = random_() % 2 == 0 ? 255 : 3;
        const std::vector<double> predicted = Runs(random_, count, classes, -1),
                                  wanted = Runs(random_, count, classes, ignored);
        Confusion confusion = WithBytes();
        ASSERT_TRUE(confusion.Add(Decided(dtype, predicted, wanted, static_cast<int64_t>(ignored)).view()).ok());
        const std::vector<PairCount> pairs = Plain(predicted, wanted, ignored);
        ASSERT_EQ(confusion.Pairs().pairs, pairs) << count << " items, " << classes << " classes";
        int64_t counted = 0, highest = -1;
        for (const PairCount& pair : pairs) counted += pair.count;
        for (size_t i = 0; i < count; ++i) {
          highest = std::max(highest, static_cast<int64_t>(predicted[i]));
          if (wanted[i] != ignored) highest = std::max(highest, static_cast<int64_t>(wanted[i]));
        }
        EXPECT_EQ(confusion.counted(), counted);
        EXPECT_EQ(confusion.Pairs().classes, highest + 1);
      }
    }
  }
}

TEST_F(ConfusionTest, GrowsTheSameInEveryOrder) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 30; ++round) {
    std::vector<OwnedBatch> pieces;
    for (uint64_t b = 0; b < 1 + random_() % 8; ++b) {
      const size_t count = random_() % (random_() % 4 == 0 ? 20000 : 100);
      const auto classes = static_cast<int64_t>(1 + random_() % 250);
      pieces.push_back(Decided(DType::kU8, Runs(random_, count, classes, -1), Runs(random_, count, classes, 255), 255));
    }
    ExpectSameForEveryPartition("confusion_matrix", pieces, random_);
  }
}

TEST_F(ConfusionTest, ManyPiecesWithFewItemsBecomeAMatrix) {
  SCOPED_TRACE(seed_);
  std::vector<OwnedBatch> pieces;
  for (int b = 0; b < 200; ++b) {
    pieces.push_back(Decided(DType::kI32, Runs(random_, 60, 100, -1), Runs(random_, 60, 100, -1)));
  }
  ExpectSameForEveryPartition("confusion_matrix", pieces, random_);
}

TEST_F(ConfusionTest, BytesAreShortWhereMostIsZero) {
  Confusion confusion = WithBytes();
  ASSERT_TRUE(confusion.Add(Decided(DType::kI32, {999, 0, 0}, {999, 0, 0}).view()).ok());
  EXPECT_LE(confusion.Bytes().size(), 8u);
}

TEST_F(ConfusionTest, GarbageIsRefusedOrASum) {
  SCOPED_TRACE(seed_);
  for (const int64_t classes : {2, 21, 300}) {
    Confusion confusion = WithBytes();
    ASSERT_TRUE(
        confusion.Add(Decided(DType::kI32, Runs(random_, 90, classes, -1), Runs(random_, 90, classes, -1)).view())
            .ok());
    ExpectGarbageIsRefusedOrASum("confusion_matrix", "multiclass", confusion.Bytes(), random_);
    ExpectGarbageIsRefusedOrASum("cohen_kappa", "multiclass", confusion.Bytes(), random_);
  }
}

std::string BytesOf(const std::vector<uint64_t>& numbers) {
  std::string bytes;
  for (const uint64_t number : numbers) PutUnsigned(number, bytes);
  return bytes;
}

TEST_F(ConfusionTest, BytesThatAreNoneAreRefused) {
  const uint64_t many = static_cast<uint64_t>(kMostCounted);
  EXPECT_TRUE(WithBytes().Merge(BytesOf({2, 0, 5, 2, many - 5})).ok());
  const std::vector<std::vector<uint64_t>> wrong = {{2, 4, 1},               // no such cell
                                                    {2, 1, 1, 2, 1},         // nor after others
                                                    {2, 0, 0},               // a pair that does not occur
                                                    {2, 0},                  // no count
                                                    {2, 0, many + 1},        // too many
                                                    {2, 0, 5, 0, many - 4},  // together
                                                    {uint64_t{1} << 31},     // too many classes
                                                    {0, 0, 1}};              // a pair without classes
  for (const std::vector<uint64_t>& numbers : wrong) {
    Confusion confusion = WithBytes();
    EXPECT_EQ(confusion.Merge(BytesOf(numbers)).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(confusion.Bytes(), "");
  }
  EXPECT_EQ(WithBytes().Merge("\x80").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ConfusionTest, SumsStayBelow2To53) {
  Confusion confusion = WithBytes();
  ASSERT_TRUE(confusion.Merge(BytesOf({1, 0, static_cast<uint64_t>(kMostCounted) - 1})).ok());
  const std::string before = confusion.Bytes();
  EXPECT_EQ(confusion.Merge(BytesOf({1, 0, 2})).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(confusion.Add(Decided(DType::kU8, {0, 0}, {0, 0}).view()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(confusion.Bytes(), before);
  EXPECT_TRUE(confusion.Add(Decided(DType::kU8, {0}, {0}).view()).ok());
}

TEST_F(ConfusionTest, MemoryIsBounded) {
  const OwnedBatch large = Decided(DType::kI32, {4999}, {0});
  Confusion confusion = WithBytes();
  ASSERT_TRUE(confusion.Add(Decided(DType::kI32, {1}, {0}).view()).ok());
  const std::string before = confusion.Bytes();
  const std::string text = "confusion matrix of 5000 classes takes 190.7 MiB; allowed: 64 MiB (metrics.max_bytes)";
  EXPECT_EQ(confusion.Add(large.view()), absl::ResourceExhaustedError(text));
  EXPECT_EQ(confusion.Merge(BytesOf({5000})), absl::ResourceExhaustedError(text));
  EXPECT_EQ(confusion.Add(Decided(DType::kI32, {2147483646}, {0}).view()).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(confusion.Bytes(), before);
  EXPECT_TRUE(WithBytes(8 * 5000 * 5000).Add(large.view()).ok());
  const OwnedBatch bytes = Decided(DType::kU8, std::vector<double>(20000, 9), std::vector<double>(20000, 0));
  EXPECT_EQ(WithBytes(799).Add(bytes.view()).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ConfusionKind().bytes_of(5000), 200000000);
  EXPECT_EQ(ConfusionKind().bytes_of(std::numeric_limits<int64_t>::max()), std::numeric_limits<int64_t>::max());
}

TEST_F(ConfusionTest, AWrongBatchAddsNothing) {
  Confusion confusion = WithBytes();
  EXPECT_EQ(FieldViolationsOf(confusion.Add(MetricBatch("multiclass", {}))).size(), 2u);
  EXPECT_FALSE(confusion.Add(Decided(DType::kI32, {0, 1}, {0, -7}).view()).ok());
  OwnedBatch longer = Decided(DType::kU8, std::vector<double>(20000), std::vector<double>(20000));
  longer.tensors[1].shape = {19999};
  EXPECT_FALSE(confusion.Add(longer.view()).ok());
  EXPECT_EQ(confusion.Bytes(), "");
  EXPECT_EQ(confusion.counted(), 0);
}

}  // namespace
}  // namespace gradeline

#include <cmath>

#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/test_batch.h"

namespace gradeline {
namespace {

using ::testing::HasSubstr;

OwnedBatch Rows(const std::vector<double>& scores, const std::vector<double>& labels, DType prediction = DType::kF32,
                DType target = DType::kI64) {
  const auto rows = static_cast<int64_t>(labels.size());
  const auto classes = rows == 0 ? 3 : static_cast<int64_t>(scores.size()) / rows;
  return {"multiclass", {{"prediction", prediction, {rows, classes}, scores}, {"target", target, {rows}, labels}}};
}

TEST(AccuracyTest, CountsRowsOfEveryType) {
  const std::vector<double> scores{1, 2, 3, /**/ 5, 4, 3, /**/ -1, 0, -2, /**/ 0, 0, 1};
  for (const DType prediction : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    for (const DType target : {DType::kU8, DType::kI32, DType::kI64}) {
      const MetricResult result = *Evaluate("accuracy", {Rows(scores, {2, 0, 0, 2}, prediction, target)});
      EXPECT_EQ(result.value, 0.75) << NameOf(prediction) << NameOf(target);
      EXPECT_EQ(result.count, 4);
    }
  }
}

TEST(AccuracyTest, OfTheHighestKWithTiesToTheLowerClass) {
  const OwnedBatch rows = Rows({1, 1, 0, /**/ 0, 2, 2, /**/ 3, 2, 1}, {1, 2, 2});
  EXPECT_EQ(Evaluate("accuracy", {rows})->value, 0);
  EXPECT_EQ(Evaluate("accuracy", {rows}, {{"k", 2.0}})->value, 2.0 / 3);
  EXPECT_EQ(Evaluate("accuracy", {rows}, {{"k", 3.0}})->value, 1);
}

TEST(AccuracyTest, IgnoredItemsDoNotCount) {
  OwnedBatch rows = Rows({1, 0, /**/ 1, 0, /**/ 0, 1}, {0, -100, 0});
  EXPECT_EQ(Evaluate("accuracy", {rows})->count, 2);
  rows = Rows({1, 0, /**/ 1, 0, /**/ 0, 1}, {0, 1, 0});
  rows.ignore_index = 0;
  EXPECT_EQ(Evaluate("accuracy", {rows})->value, 0);
  EXPECT_EQ(Evaluate("accuracy", {rows})->count, 1);
}

// The k-th place is that of a stable sort by score.
TEST(AccuracyTest, PixelsAgainstASort) {
  std::random_device seed;
  const uint32_t value = seed();
  SCOPED_TRACE(value);
  std::mt19937_64 random(value);
  constexpr int64_t kN = 2, kC = 5, kPixels = 13 * 17;
  std::vector<double> scores, labels;
  for (int64_t i = 0; i < kN * kC * kPixels; ++i) scores.push_back(static_cast<double>(random() % 7));
  for (int64_t i = 0; i < kN * kPixels; ++i)
    labels.push_back(random() % 11 == 0 ? 255 : static_cast<double>(random() % kC));
  const OwnedBatch pixels{
      "pixel-multiclass",
      {{"prediction", DType::kBF16, {kN, kC, 13, 17}, scores}, {"target", DType::kU8, {kN, 13, 17}, labels}},
      255};
  for (int k = 1; k <= kC; ++k) {
    double right = 0, counted = 0;
    for (int64_t item = 0; item < kN * kPixels; ++item) {
      const double label = labels[static_cast<size_t>(item)];
      if (label == 255) continue;
      const auto score = [&](int64_t c) {
        return scores[static_cast<size_t>((item / kPixels * kC + c) * kPixels + item % kPixels)];
      };
      std::vector<int64_t> order{0, 1, 2, 3, 4};
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return score(a) > score(b); });
      counted += 1;
      right += std::find(order.begin(), order.begin() + k, static_cast<int64_t>(label)) != order.begin() + k ? 1 : 0;
    }
    EXPECT_EQ(Evaluate("accuracy", {pixels}, {{"k", static_cast<double>(k)}})->value, right / counted) << k;
  }
}

TEST(AccuracyTest, AnyPartitionIsTheSame) {
  std::mt19937_64 random(std::random_device{}());
  std::vector<OwnedBatch> pieces;
  for (int i = 0; i < 40; ++i) {
    const double label = static_cast<double>(random() % 3);
    pieces.push_back(Rows({static_cast<double>(random() % 5), 2, 3}, {label}));
  }
  ExpectSameForEveryPartition("accuracy", pieces, random);
  ExpectSameForEveryPartition("accuracy", pieces, random, {{"k", 2.0}});
}

TEST(AccuracyTest, NothingIsNotDefined) {
  const MetricResult nothing = *Evaluate("accuracy", {Rows({}, {})});
  EXPECT_EQ(nothing.value, 0);
  EXPECT_EQ(nothing.count, 0);
}

TEST(AccuracyTest, DecidedClassesHaveNoSecondPlace) {
  const OwnedBatch decided{"multiclass",
                           {{"prediction", DType::kI64, {2}, {1, 0}}, {"target", DType::kI64, {2}, {1, 1}}}};
  EXPECT_EQ(Evaluate("accuracy", {decided})->value, 0.5);
  const absl::Status status = Evaluate("accuracy", {decided}, {{"k", 2.0}}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("needs scores"));
}

TEST(AccuracyTest, BytesThatAreNoCountsAreRefused) {
  const std::unique_ptr<Counts> counts = NewCounts("accuracy", "multiclass");
  const auto bytes = [](std::vector<uint64_t> numbers) {
    std::string out;
    for (const uint64_t number : numbers) PutUnsigned(number, out);
    return out;
  };
  for (const std::string& wrong : {bytes({}), bytes({1}), bytes({2, 1}), bytes({1, 2, 3}), bytes({0, 1ULL << 54}),
                                   std::string("\xff"), std::string(20, '\xff')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(counts->Merge(wrong)));
  }
  EXPECT_TRUE(counts->Merge(bytes({1, 1ULL << 53})).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(counts->Merge(bytes({1, 1}))));
  EXPECT_EQ(counts->Bytes(), bytes({1, 1ULL << 53}));
}

}  // namespace
}  // namespace gradeline

#include "server/core/metric/scores.h"

#include <cmath>
#include <limits>
#include <map>

#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/test_batch.h"
#include "server/core/metric/test_mutations.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

OwnedBatch Binary(const std::vector<double>& scores, const std::vector<double>& labels, DType type = DType::kF32,
                  DType label_type = DType::kU8) {
  const auto n = static_cast<int64_t>(scores.size());
  return {"binary", {{"prediction", type, {n}, scores}, {"target", label_type, {n}, labels}}};
}

Scores Counted(const std::vector<OwnedBatch>& batches, int64_t max_bytes = 64LL << 20) {
  Scores scores(batches.at(0).signal == "multiclass", max_bytes);
  for (const OwnedBatch& batch : batches) EXPECT_TRUE(scores.Add(batch.view()).ok());
  return scores;
}

std::vector<FieldViolation> Wrong(const OwnedBatch& batch) {
  Scores scores(batch.signal == "multiclass", 64LL << 20);
  const std::vector<FieldViolation> wrong = FieldViolationsOf(scores.Add(batch.view()));
  EXPECT_EQ(scores.Bytes(), "");
  return wrong;
}

TEST(ScoresTest, KeysAreInTheOrderOfScores) {
  const std::vector<double> scores = {
      -kInf, -1e300, -1,  -std::numeric_limits<double>::denorm_min(), 0, std::numeric_limits<double>::denorm_min(),
      0.5,   1,      kInf};
  for (size_t i = 1; i < scores.size(); ++i) EXPECT_LT(KeyOf(scores[i - 1]), KeyOf(scores[i])) << scores[i];
  EXPECT_EQ(KeyOf(-0.0), KeyOf(0.0));
}

TEST(ScoresTest, ACellCountsWhatHasOneScore) {
  const Scores scores = Counted({Binary({0.5, -kInf, -0.0, 0, kInf, 0.5}, {1, 0, 1, 0, 1, 0})});
  EXPECT_THAT(scores.cells(0), ::testing::ElementsAre(ScoreCell{KeyOf(-kInf), 0, 1}, ScoreCell{KeyOf(0), 1, 1},
                                                      ScoreCell{KeyOf(0.5), 1, 1}, ScoreCell{KeyOf(kInf), 1, 0}));
}

TEST(ScoresTest, DecisionsAreScores) {
  const Scores scores = Counted({Binary({0, 1, 1}, {0, 1, 0}, DType::kI64)});
  EXPECT_THAT(scores.cells(0), ::testing::ElementsAre(ScoreCell{KeyOf(0), 0, 1}, ScoreCell{KeyOf(1), 1, 1}));
}

TEST(ScoresTest, RealTargetsAreOneAboveAHalf) {
  const Scores scores = Counted({Binary({1, 2, 3}, {0.5, 0.51, 1}, DType::kF16, DType::kF64)});
  EXPECT_THAT(scores.cells(0),
              ::testing::ElementsAre(ScoreCell{KeyOf(1), 0, 1}, ScoreCell{KeyOf(2), 1, 0}, ScoreCell{KeyOf(3), 1, 0}));
}

TEST(ScoresTest, LabelsAreTransposedAndSomeAreIgnored) {
  // [2, 2, 2]: item (n, b) has label c at [n][c][b].
  const OwnedBatch batch{"multilabel",
                         {{"prediction", DType::kF32, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}},
                          {"target", DType::kI32, {2, 2, 2}, {0, 1, 255, 1, 1, 0, 0, 255}}},
                         255};
  const Scores scores = Counted({batch});
  EXPECT_THAT(scores.cells(0), ::testing::ElementsAre(ScoreCell{KeyOf(1), 0, 1}, ScoreCell{KeyOf(2), 1, 0},
                                                      ScoreCell{KeyOf(5), 1, 0}, ScoreCell{KeyOf(6), 0, 1}));
  EXPECT_THAT(scores.cells(1), ::testing::ElementsAre(ScoreCell{KeyOf(4), 1, 0}, ScoreCell{KeyOf(7), 0, 1}));
}

TEST(ScoresTest, MulticlassScoresAreSoftmaxProbabilities) {
  const OwnedBatch batch{"multiclass",
                         {{"prediction", DType::kF32, {4, 2}, {0, 0, kInf, 1, -kInf, -kInf, 9, 9}},
                          {"target", DType::kI64, {4}, {0, 0, 1, -100}}}};
  const Scores scores = Counted({batch});
  EXPECT_THAT(scores.cells(0), ::testing::ElementsAre(ScoreCell{KeyOf(0.5), 1, 1}, ScoreCell{KeyOf(1), 1, 0}));
  EXPECT_THAT(scores.cells(1), ::testing::ElementsAre(ScoreCell{KeyOf(0), 0, 1}, ScoreCell{KeyOf(0.5), 1, 1}));
}

TEST(ScoresTest, NamesEverythingThatIsWrong) {
  EXPECT_THAT(Wrong({"binary", {}}), ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is missing"},
                                                            FieldViolation{"inputs.target", "is missing"}));
  EXPECT_THAT(Wrong(Binary({1, kNaN, kNaN}, {0, 1, 2})),
              ::testing::ElementsAre(
                  FieldViolation{"inputs.prediction", "is NaN at item 1; allowed: numbers"},
                  FieldViolation{"inputs.target", "is 2 at item 2; allowed: 0, 1, and -100, which is ignored"}));
  EXPECT_THAT(Wrong(Binary({1, 2}, {0, kNaN}, DType::kU8, DType::kF32)),
              ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is 2 at item 1; allowed: 0 and 1, decisions"},
                                     FieldViolation{"inputs.target", "is NaN at item 1; allowed: numbers"}));
  EXPECT_THAT(
      Wrong({"multilabel", {{"prediction", DType::kF32, {3}, {1, 2, 3}}, {"target", DType::kU8, {3}, {1, 0, 1}}}}),
      ::testing::ElementsAre(
          FieldViolation{"inputs.prediction", "has shape [3]; allowed: [N, C, ...] with C at least 1"}));
  EXPECT_THAT(
      Wrong({"binary", {{"prediction", DType::kF32, {2}, {1, 2}}, {"target", DType::kU8, {2, 1}, {1, 0}}}}),
      ::testing::ElementsAre(FieldViolation{"inputs.target", "has shape [2, 1]; a prediction of [2] needs the same"}));
  EXPECT_THAT(Wrong({"multiclass", {{"prediction", DType::kI64, {2}, {1, 2}}, {"target", DType::kI64, {2}, {1, 0}}}}),
              ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is classes; allowed: scores [N, C, ...]"}));
  EXPECT_THAT(Wrong({"multiclass",
                     {{"prediction", DType::kF32, {2, 2}, {1, 2, kNaN, 0}}, {"target", DType::kI64, {2}, {1, 0}}}}),
              ::testing::ElementsAre(FieldViolation{"inputs.prediction", "is NaN at item 1; allowed: numbers"}));
}

TEST(ScoresTest, TheNumberOfClassesStays) {
  const auto batch = [](int64_t classes) {
    const std::vector<double> zeros(static_cast<size_t>(classes));
    return OwnedBatch{"multilabel",
                      {{"prediction", DType::kF32, {1, classes}, zeros}, {"target", DType::kU8, {1, classes}, zeros}}};
  };
  Scores scores = Counted({batch(3)});
  EXPECT_THAT(std::string(scores.Add(batch(4).view()).message()),
              ::testing::HasSubstr("has 4 classes; counted before: 3"));
  EXPECT_FALSE(scores.Merge(Counted({batch(2)}).Bytes()).ok());
  EXPECT_TRUE(scores.Merge(Counted({batch(3)}).Bytes()).ok());
}

TEST(ScoresTest, NothingIsEmptyBytes) {
  EXPECT_EQ(Counted({Binary({}, {})}).Bytes(), "");
  EXPECT_EQ(Counted({Binary({1}, {-100}, DType::kF32, DType::kI32)}).Bytes(), "");
  Scores scores(false, 1000);
  EXPECT_TRUE(scores.Merge("").ok());
  EXPECT_EQ(scores.classes(), 0);
}

TEST(ScoresTest, MoreClassesThanFitAreRefused) {
  Scores scores(false, 3 * Scores::kCellBytes);
  EXPECT_TRUE(scores.Add(Binary({1}, {1}).view()).ok());
  const OwnedBatch two{"multilabel",
                       {{"prediction", DType::kF32, {1, 2}, {1, 2}}, {"target", DType::kU8, {1, 2}, {0, 1}}}};
  Scores other(false, 3 * Scores::kCellBytes);
  const absl::Status status = other.Add(two.view());
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(status.message(), "scores of 2 classes take at least 576 bytes; allowed: 288 (metrics.max_bytes)");
  EXPECT_TRUE(absl::IsResourceExhausted(other.Merge(Counted({two}).Bytes())));
  EXPECT_EQ(other.Bytes(), "");
}

// What a plain map says of the same scores with `coarse` bits cut off.
std::map<uint64_t, ScoreCell> Plain(const std::vector<OwnedBatch>& batches, int coarse) {
  std::map<uint64_t, ScoreCell> cells;
  for (const OwnedBatch& batch : batches) {
    const MetricBatch view = batch.view();
    const auto count = *ElementCount(view.Find("prediction")->shape);
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t key = KeyOf(ReadDouble(*view.Find("prediction"), i)) >> coarse;
      cells[key].key = key;
      ReadDouble(*view.Find("target"), i) == 1 ? ++cells[key].positives : ++cells[key].negatives;
    }
  }
  return cells;
}

std::vector<OwnedBatch> RandomBinary(std::mt19937_64& random, size_t batches, DType type) {
  std::vector<OwnedBatch> all;
  while (all.size() < batches) {
    std::vector<double> scores, labels;
    for (size_t i = random() % 60; i > 0; --i) {
      const double wide = std::bit_cast<double>(random());
      const double normal = std::normal_distribution<double>()(random);
      scores.push_back(type == DType::kF64 && random() % 4 == 0 && !std::isnan(wide) ? wide : normal);
      labels.push_back(static_cast<double>(random() % 2));
    }
    all.push_back(Binary(scores, labels, type));
  }
  return all;
}

TEST(ScoresTest, AsManyBitsAsFitAndNoFewer) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 100; ++round) {
    const auto batches = RandomBinary(random, 8, round % 2 == 0 ? DType::kF64 : DType::kF16);
    const auto limit = static_cast<size_t>(3 + random() % 100);
    const Scores scores = Counted(batches, static_cast<int64_t>(limit) * Scores::kCellBytes);
    const std::map<uint64_t, ScoreCell> plain = Plain(batches, scores.coarse());
    ASSERT_EQ(scores.cells(0).size(), plain.size());
    size_t i = 0;
    for (const auto& [key, cell] : plain) EXPECT_EQ(scores.cells(0)[i++], cell);
    EXPECT_LE(plain.size() + 1, limit);  // one is the class
    if (scores.coarse() > 0) {
      EXPECT_GT(Plain(batches, scores.coarse() - 1).size() + 1, limit);
    }
  }
}

TEST(ScoresTest, SameForEveryPartitionWhateverFits) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 100; ++round) {
    const auto limit = static_cast<int64_t>(3 + random() % (round % 2 == 0 ? 20 : 400));
    ExpectSameForEveryPartition("roc_auc", RandomBinary(random, 12, round % 3 == 0 ? DType::kF32 : DType::kF64), random,
                                {}, limit * Scores::kCellBytes);
  }
}

TEST(ScoresTest, SameForEveryPartitionOfSeveralClasses) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    const std::string signal = round % 2 == 0 ? "multiclass" : "multilabel";
    std::vector<OwnedBatch> batches;
    while (batches.size() < 10) {
      const auto n = static_cast<int64_t>(random() % 20);
      std::vector<double> scores(static_cast<size_t>(n * 5)), labels(static_cast<size_t>(signal[5] == 'c' ? n : n * 5));
      for (double& score : scores) score = std::normal_distribution<double>()(random);
      for (double& label : labels) label = static_cast<double>(random() % (signal[5] == 'c' ? 5 : 2));
      std::vector<int64_t> shape{n};
      if (signal[5] != 'c') shape.push_back(5);
      batches.push_back({signal, {{"prediction", DType::kF32, {n, 5}, scores}, {"target", DType::kU8, shape, labels}}});
    }
    const auto limit = static_cast<int64_t>(15 + random() % 1000);
    for (const char* id : {"roc_auc", "average_precision", "precision_recall_curve"}) {
      ExpectSameForEveryPartition(id, batches, random, {}, limit * Scores::kCellBytes);
    }
  }
}

TEST(ScoresTest, ScoresOfFewBitsTakeFewBytes) {
  std::mt19937_64 random(1);
  std::vector<double> scores, labels;
  for (int i = 0; i < 4096; ++i) {
    scores.push_back(std::normal_distribution<double>()(random));
    labels.push_back(static_cast<double>(random() % 2));
  }
  EXPECT_LT(Counted({Binary(scores, labels)}).Bytes().size(), 4 * scores.size());
}

TEST(ScoresTest, BytesFromAnywhereAreSafe) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (const int64_t limit : {6, 20, 100000}) {
    const Scores good = Counted(RandomBinary(random, 3, DType::kF64), limit * Scores::kCellBytes);
    const auto make = [limit] { return std::make_unique<Scores>(false, limit * Scores::kCellBytes); };
    const auto use = [](const Counts& counts) {
      for (const char* id : {"roc_auc", "average_precision", "precision_recall_curve"}) {
        const Metric& metric = **FindMetric(id);
        const double value = metric.compute(counts, *ResolveParams(metric.params, {})).value;
        EXPECT_TRUE(value >= 0 && value <= 1 + 1e-9) << id << " " << value;
      }
    };
    ExpectSafeMerges(make, good.Bytes(), random, use);
  }
}

TEST(ScoresTest, CellsThatCannotBeAreRefused) {
  const auto merge = [](std::vector<uint64_t> numbers) {
    std::string bytes;
    for (const uint64_t number : numbers) PutUnsigned(number, bytes);
    return Scores(false, 64LL << 20).Merge(bytes).ok();
  };
  const uint64_t infinity = uint64_t{0x7ff} << 53,
                 below = infinity - 1;  // as signed numbers: 0x7ff << 52 and its negative
  // Coarse, classes; of a class the cells, the zeros, the first key; of a cell the difference and how it counts.
  EXPECT_TRUE(merge({0, 1, 2, 0, 0, 0, 5}));
  EXPECT_TRUE(merge({0, 1, 2, 0, 0, 0, 6, 1, 1}));
  EXPECT_FALSE(merge({0, 1, 2, 0, 0, 0, 6, 0, 0})) << "nothing counted";
  EXPECT_FALSE(merge({0, 1, 2, 0, 0, 0, 1})) << "the same key twice";
  EXPECT_FALSE(merge({0, 1, 2, 0, 0, 4, 5})) << "the first differs from itself";
  EXPECT_FALSE(merge({64, 1, 1, 0, 0, 0})) << "more bits cut off than there are";
  EXPECT_FALSE(merge({0, 0})) << "no class";
  EXPECT_FALSE(merge({0, 2, 1, 0, 0, 0})) << "a class is missing";
  EXPECT_FALSE(merge({0, 1, 1, 0, 0, 0, 0})) << "something follows";
  EXPECT_TRUE(merge({0, 1, 1, 0, infinity, 0}));
  EXPECT_FALSE(merge({0, 1, 1, 0, infinity + 2, 0})) << "beyond infinity";
  EXPECT_TRUE(merge({0, 1, 1, 0, below, 0}));
  EXPECT_FALSE(merge({0, 1, 1, 0, below + 2, 0})) << "beyond -infinity";
  EXPECT_TRUE(merge({0, 1, 2, 0, below, 0, 3, infinity, 1, 1})) << "from -infinity to infinity";
  EXPECT_FALSE(merge({0, 1, 2, 0, below, 0, 3, infinity + 1, 1, 1}));
  EXPECT_FALSE(merge({0, 1, 1, 63, 1, 0})) << "-2^63";
}

TEST(ScoresTest, CountsStayBelow2To53) {
  const OwnedBatch batch = Binary({1, 1}, {0, 1});
  std::string bytes = Counted({batch}).Bytes();
  ASSERT_GE(bytes.size(), 2u);
  bytes.resize(bytes.size() - 2);  // without the counts of its cell
  const auto with = [&](uint64_t positives, uint64_t negatives) {
    std::string made = bytes;
    PutUnsigned(positives, made);
    PutUnsigned(negatives, made);
    return made;
  };
  constexpr uint64_t kMost = (uint64_t{1} << 53) - 1;
  Scores scores(false, 64LL << 20);
  EXPECT_FALSE(scores.Merge(with(kMost, 1)).ok());
  EXPECT_FALSE(scores.Merge(with(0, 0)).ok());
  EXPECT_TRUE(scores.Merge(with(kMost - 1, 1)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(scores.Merge(with(0, 1))));
  EXPECT_TRUE(absl::IsResourceExhausted(scores.Add(batch.view())));
  EXPECT_EQ(scores.Bytes(), with(kMost - 1, 1));
}

}  // namespace
}  // namespace gradeline

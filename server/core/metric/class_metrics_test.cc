#include <cmath>

#include "server/core/metric/test_class_batch.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> kLabelSignals = {"multiclass",   "pixel-multiclass", "binary",
                                                "pixel-binary", "multilabel",       "pixel-multilabel"};
const std::vector<std::string> kMatrixSignals = {"multiclass", "pixel-multiclass", "binary", "pixel-binary"};

long double Divided(int64_t part, long double whole, long double zero) {
  return whole == 0 ? zero : static_cast<long double>(part) / whole;
}

/// F from precision and recall as it is usually written; but where there is neither a right nor a wrong one, `zero`.
long double Score(const std::string& id, const ClassCount& one, long double beta, long double zero) {
  const long double precision = Divided(one.tp, one.tp + one.fp, zero), recall = Divided(one.tp, one.tp + one.fn, zero);
  if (id == "precision") return precision;
  if (id == "recall") return recall;
  const long double square = beta * beta, whole = (1 + square) * one.tp + square * one.fn + one.fp;
  if (whole == 0) return zero;
  return one.tp == 0 ? 0 : (1 + square) * precision * recall / (square * precision + recall);
}

MetricResult Averaged(const std::string& id, const ClassBatches& made, const ParamMap& params) {
  const long double beta = params.contains("beta") ? std::get<double>(params.at("beta")) : 1;
  const long double zero = std::get<double>(params.at("zero_division"));
  const std::string average = std::get<std::string>(params.at("average"));
  MetricResult result{.count = static_cast<int64_t>(made.slots.size())};
  long double plain = 0, sum = 0, weights = 0;
  ClassCount all;
  const std::vector<ClassCount> counts = made.Counts();
  for (size_t c = 0; c < counts.size(); ++c) {
    const ClassCount& one = counts[c];
    if (one.tp + one.fp + one.fn == 0) continue;
    const long double score = Score(id, one, beta, zero), weight = one.tp + one.fn;
    result.classes.push_back({static_cast<int32_t>(c), static_cast<double>(score), one.tp + one.fn});
    plain += score;
    sum += weight * score;
    weights += weight;
    all.tp += one.tp;
    all.fp += one.fp;
    all.fn += one.fn;
  }
  if (result.classes.empty()) {
    result.value = static_cast<double>(zero);
  } else if (average == "micro") {
    result.value = static_cast<double>(Score(id, all, beta, zero));
  } else {
    const bool weighted = average == "weighted" && weights > 0;
    result.value = static_cast<double>(weighted ? sum / weights : plain / result.classes.size());
  }
  return result;
}

class ClassMetricsTest : public ::testing::Test {
 protected:
  const uint64_t seed_ = std::random_device{}();
  ClassBatchMaker maker_{seed_};
};

TEST_F(ClassMetricsTest, AveragesAreThoseOfPlainLoops) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 600; ++round) {
    const std::string id = std::vector<std::string>{"precision", "recall", "f_score"}[static_cast<size_t>(round % 3)];
    const ClassBatches made = maker_.Make(kLabelSignals[static_cast<size_t>(maker_.Below(6))]);
    ParamMap params{{"average", std::vector<std::string>{"macro", "micro", "weighted"}[maker_.random() % 3]},
                    {"zero_division", static_cast<double>(maker_.Below(2))}};
    if (id == "f_score") params["beta"] = static_cast<double>(maker_.Below(9)) / 4;
    const absl::StatusOr<MetricResult> got = Evaluate(id, made.batches, params);
    ASSERT_TRUE(got.ok()) << got.status();
    const MetricResult wanted = Averaged(id, made, params);
    ASSERT_EQ(got->count, wanted.count);
    ASSERT_NEAR(got->value, wanted.count == 0 ? 0 : wanted.value, 1e-14) << id << " of " << made.signal;
    ASSERT_EQ(got->classes.size(), wanted.classes.size());
    for (size_t c = 0; c < wanted.classes.size(); ++c) {
      EXPECT_EQ(got->classes[c].index, wanted.classes[c].index);
      EXPECT_EQ(got->classes[c].count, wanted.classes[c].count);
      EXPECT_NEAR(got->classes[c].value, wanted.classes[c].value, 1e-14);
    }
    ExpectSameForEveryPartition(id, made.batches, maker_.random, params);
  }
}

/// One more class than `made` says for binary signals, whose classes are 0 and 1.
int64_t MatrixSize(const ClassBatches& made) { return made.multiclass() ? made.classes : 2; }

std::vector<long double> CellsOf(const ClassBatches& made) {
  const int64_t size = MatrixSize(made);
  std::vector<long double> cells(static_cast<size_t>(size * size));
  for (const TestSlot& slot : made.slots) ++cells[static_cast<size_t>(slot.wanted * size + slot.predicted)];
  return cells;
}

TEST_F(ClassMetricsTest, MatricesAreThoseOfPlainLoops) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 300; ++round) {
    const ClassBatches made = maker_.Make(kMatrixSignals[static_cast<size_t>(maker_.Below(4))]);
    const std::string normalize = std::vector<std::string>{"none", "true", "pred", "all"}[maker_.random() % 4];
    const absl::StatusOr<MetricResult> got = Evaluate("confusion_matrix", made.batches, {{"normalize", normalize}});
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(got->count, static_cast<int64_t>(made.slots.size()));
    ExpectSameForEveryPartition("confusion_matrix", made.batches, maker_.random, {{"normalize", normalize}});
    if (got->count == 0) continue;
    // Decided classes are known up to the highest; what is beyond is empty.
    const int64_t size = MatrixSize(made), known = got->matrix.rows;
    ASSERT_LE(known, size);
    ASSERT_EQ(got->matrix.columns, known);
    const std::vector<long double> cells = CellsOf(made);
    long double right = 0;
    for (int64_t row = 0; row < size; ++row) {
      right += cells[static_cast<size_t>(row * size + row)];
      for (int64_t column = 0; column < size; ++column) {
        long double whole = 0;
        for (int64_t k = 0; k < size; ++k) {
          whole += normalize == "true"   ? cells[static_cast<size_t>(row * size + k)]
                   : normalize == "pred" ? cells[static_cast<size_t>(k * size + column)]
                                         : 0;
        }
        if (normalize == "none") whole = 1;
        if (normalize == "all") whole = got->count;
        const long double wanted = whole == 0 ? 0 : cells[static_cast<size_t>(row * size + column)] / whole;
        const bool there = row < known && column < known;
        EXPECT_NEAR(there ? got->matrix.cells[static_cast<size_t>(row * known + column)] : 0,
                    static_cast<double>(wanted), 1e-15);
      }
    }
    EXPECT_NEAR(got->value, static_cast<double>(right / got->count), 1e-15);
  }
}

long double KappaOf(const ClassBatches& made, const std::string& weights) {
  const int64_t size = MatrixSize(made);
  const std::vector<long double> cells = CellsOf(made);
  const auto items = static_cast<long double>(made.slots.size());
  long double observed = 0, chance = 0;
  for (int64_t a = 0; a < size; ++a) {
    for (int64_t b = 0; b < size; ++b) {
      long double row = 0, column = 0;
      for (int64_t k = 0; k < size; ++k) {
        row += cells[static_cast<size_t>(a * size + k)];
        column += cells[static_cast<size_t>(k * size + b)];
      }
      const auto apart = static_cast<long double>(std::abs(a - b));
      const long double weight = weights == "none" ? (a == b ? 0 : 1) : weights == "linear" ? apart : apart * apart;
      observed += weight * cells[static_cast<size_t>(a * size + b)] / items;
      chance += weight * row / items * column / items;
    }
  }
  return chance == 0 ? NAN : 1 - observed / chance;
}

/// The correlation of the items' classes, one-hot, as covariances over all items.
long double MatthewsOf(const ClassBatches& made) {
  const int64_t size = MatrixSize(made);
  const auto items = static_cast<long double>(made.slots.size());
  long double both = 0, wanted = 0, predicted = 0;
  for (int64_t c = 0; c < size; ++c) {
    long double mean_wanted = 0, mean_predicted = 0;
    for (const TestSlot& slot : made.slots) {
      mean_wanted += slot.wanted == c ? 1 / items : 0;
      mean_predicted += slot.predicted == c ? 1 / items : 0;
    }
    for (const TestSlot& slot : made.slots) {
      const long double w = (slot.wanted == c ? 1 : 0) - mean_wanted,
                        p = (slot.predicted == c ? 1 : 0) - mean_predicted;
      both += w * p;
      wanted += w * w;
      predicted += p * p;
    }
  }
  return wanted < 1e-12L || predicted < 1e-12L ? NAN : both / std::sqrt(wanted * predicted);
}

TEST_F(ClassMetricsTest, KappaAndMatthewsAreThoseOfPlainLoops) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 400; ++round) {
    const ClassBatches made = maker_.Make(kMatrixSignals[static_cast<size_t>(maker_.Below(4))]);
    const bool kappa = round % 2 == 0;
    const std::string id = kappa ? "cohen_kappa" : "matthews_correlation";
    ParamMap params;
    if (kappa) params["weights"] = std::vector<std::string>{"none", "linear", "quadratic"}[maker_.random() % 3];
    const absl::StatusOr<MetricResult> got = Evaluate(id, made.batches, params);
    ASSERT_TRUE(got.ok()) << got.status();
    ExpectSameForEveryPartition(id, made.batches, maker_.random, params);
    const long double wanted = made.slots.empty() ? NAN
                               : kappa            ? KappaOf(made, std::get<std::string>(params.at("weights")))
                                                  : MatthewsOf(made);
    if (std::isnan(wanted)) {
      EXPECT_EQ(got->count, 0);
      EXPECT_EQ(got->value, 0);
      EXPECT_NE(got->note, "");
    } else {
      EXPECT_EQ(got->count, static_cast<int64_t>(made.slots.size()));
      EXPECT_NEAR(got->value, static_cast<double>(wanted), 1e-13) << id;
    }
  }
}

OwnedBatch Decided(std::vector<double> predicted, const std::vector<double>& wanted) {
  const auto count = static_cast<int64_t>(predicted.size());
  return {"multiclass", {{"prediction", DType::kU8, {count}, predicted}, {"target", DType::kU8, {count}, wanted}}};
}

TEST(ClassMetricsValuesTest, AClassThatOccursNowhereIsLeftOut) {
  const absl::StatusOr<MetricResult> got = Evaluate("recall", {Decided({0, 3, 3}, {0, 3, 0})});
  ASSERT_EQ(got->classes.size(), 2u);
  EXPECT_EQ(got->classes[1].index, 3);
  EXPECT_EQ(got->value, 0.75);
}

TEST(ClassMetricsValuesTest, ZeroDivisionIsAsAsked) {
  // Class 1 is wanted and never predicted: its precision is 0 / 0.
  const std::vector<OwnedBatch> batches = {Decided({0, 0}, {0, 1})};
  EXPECT_EQ(Evaluate("precision", batches)->value, 0.25);
  EXPECT_EQ(Evaluate("precision", batches, {{"zero_division", 1.0}})->value, 0.75);
  const OwnedBatch none{"binary", {{"prediction", DType::kF32, {2}, {-1, 0}}, {"target", DType::kU8, {2}, {0, 0}}}};
  for (const double zero : {0.0, 1.0}) {
    const MetricResult got = *Evaluate("f_score", {none}, {{"zero_division", zero}});
    EXPECT_EQ(got.value, zero);
    EXPECT_EQ(got.count, 2);
    EXPECT_THAT(got.classes, IsEmpty());
    EXPECT_EQ(got.note, "no class occurs in target or prediction: zero_division");
  }
}

TEST(ClassMetricsValuesTest, WithoutItemsNothingIsDefined) {
  for (const char* id : {"precision", "recall", "f_score", "confusion_matrix", "cohen_kappa", "matthews_correlation"}) {
    for (const char* signal : {"multiclass", "binary"}) {
      const bool binary = std::string_view(signal) == "binary";
      const std::vector<int64_t> shape = binary ? std::vector<int64_t>{2} : std::vector<int64_t>{2, 1};
      const OwnedBatch ignored{
          signal, {{"prediction", DType::kF32, shape, {1, 1}}, {"target", DType::kI32, {2}, {-100, -100}}}};
      EXPECT_EQ(*Evaluate(id, {ignored}), (MetricResult{.note = "no item counts"})) << id << " of " << signal;
    }
  }
}

TEST(ClassMetricsValuesTest, ABinaryMatrixHasTwoClasses) {
  const OwnedBatch batch{"binary",
                         {{"prediction", DType::kF32, {6}, {1, 1, -1, -1, -1, 0}},
                          {"target", DType::kF32, {6}, {1, 0, 0.5, 0.25, 0.75, 0.875}}}};
  EXPECT_THAT(Evaluate("confusion_matrix", {batch})->matrix.cells, ElementsAre(2, 1, 2, 1));
  EXPECT_EQ(Evaluate("confusion_matrix", {batch})->value, 0.5);
}

TEST(ClassMetricsValuesTest, OfOneClassAloneKappaAndMatthewsAreNotDefined) {
  EXPECT_EQ(*Evaluate("cohen_kappa", {Decided({1, 1}, {1, 1})}),
            (MetricResult{.note = "target and prediction are of one class alone"}));
  EXPECT_EQ(*Evaluate("matthews_correlation", {Decided({0, 1}, {1, 1})}),
            (MetricResult{.note = "the target is of one class alone"}));
  EXPECT_EQ(*Evaluate("matthews_correlation", {Decided({1, 1}, {0, 1})}),
            (MetricResult{.note = "the prediction is of one class alone"}));
  EXPECT_EQ(Evaluate("cohen_kappa", {Decided({0, 1}, {1, 1})})->value, 0) << "defined: agreement by chance";
}

TEST(ClassMetricsValuesTest, DistancesAreBetweenNumbersOfClasses) {
  // Class 1 occurs nowhere; 2 is still two away from 0.
  const std::vector<OwnedBatch> batches = {Decided({0, 3, 2, 0}, {0, 3, 0, 3})};
  // Observed 0 + 0 + 2 + 3; chance (2 of 0, 2 of 3) x (2 of 0, 1 of 2, 1 of 3) / 4.
  EXPECT_DOUBLE_EQ(Evaluate("cohen_kappa", batches, {{"weights", std::string("linear")}})->value,
                   1 - 5 / ((2 * (2 + 3) + 2 * (2 * 3 + 1)) / 4.0));
}

}  // namespace
}  // namespace gradeline

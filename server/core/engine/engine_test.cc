#include "server/core/engine/engine.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/engine/test_batch.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;

const LossRegistry& Registry() {
  static const std::shared_ptr<const LossRegistry> kRegistry = RegistryWith();
  return *kRegistry;
}

// Cross-entropy of rows by the textbook, in long double; gradient of the mean over valid rows.
struct Expected {
  double loss = 0;
  std::vector<double> gradient, items;
};
Expected CrossEntropyOf(const std::vector<double>& logits, const std::vector<double>& labels, size_t classes) {
  Expected expected;
  expected.gradient.assign(logits.size(), 0);
  size_t valid = 0;
  for (const double label : labels) valid += label >= 0 ? 1 : 0;
  long double sum = 0;
  for (size_t n = 0; n < labels.size(); ++n) {
    expected.items.push_back(0);
    if (labels[n] < 0) continue;
    long double total = 0;
    for (size_t k = 0; k < classes; ++k) total += std::exp(static_cast<long double>(logits[n * classes + k]));
    const auto label = static_cast<size_t>(labels[n]);
    const long double item = std::log(total) - static_cast<long double>(logits[n * classes + label]);
    sum += item;
    expected.items.back() = static_cast<double>(item);
    for (size_t k = 0; k < classes; ++k) {
      const long double p = std::exp(static_cast<long double>(logits[n * classes + k])) / total;
      expected.gradient[n * classes + k] =
          static_cast<double>((p - (k == label ? 1 : 0)) / static_cast<long double>(valid));
    }
  }
  expected.loss = valid == 0 ? 0 : static_cast<double>(sum / static_cast<long double>(valid));
  return expected;
}

void ExpectNear(const std::vector<double>& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], tolerance) << "element " << i;
}

TEST(EngineTest, ComputesLossAndGradient) {
  Engine engine({.threads = 2});
  const std::vector<double> logits = Randoms(8 * 10, 1), labels = RandomLabels(8, 2, 10);
  const TestTensor prediction(DType::kF64, {8, 10}, logits), target(DType::kI64, {8}, labels);
  LossCall call = MakeCall(Handle(Registry(), "cross_entropy"), {{"prediction", &prediction}, {"target", &target}});
  call.gradient = true;
  call.item_losses = true;
  const auto result = engine.Run(call);
  ASSERT_TRUE(result.ok()) << result.status();
  const Expected expected = CrossEntropyOf(logits, labels, 10);
  EXPECT_NEAR(result->loss, expected.loss, 1e-14);
  EXPECT_EQ(result->valid_count, 8);
  EXPECT_FALSE(result->empty);
  ASSERT_EQ(result->components.size(), 1U);
  EXPECT_EQ(result->components[0].denominator, 8);
  EXPECT_NEAR(result->components[0].numerator, expected.loss * 8, 1e-13);
  ASSERT_EQ(result->gradients.size(), 1U);
  EXPECT_EQ(result->gradients[0].tensor, 0U);
  EXPECT_THAT(result->gradients[0].shape, ElementsAre(8, 10));
  ExpectNear(Numbers(result->gradients[0]), expected.gradient, 1e-15);
  ExpectNear(ItemLosses(*result), expected.items, 1e-14);
  EXPECT_THAT(result->item_shape, ElementsAre(8));
}

// Several tiles, conversions, ignored pixels, an input weight: the same bits for any number of threads.
TEST(EngineTest, SameBitsForAnyNumberOfThreads) {
  const size_t images = 3, classes = 7, pixels = 160 * 170;
  const TestTensor weight(DType::kF32, {3, 160, 170}, Randoms(images * pixels, 6, 0, 2));
  TestTensor target(DType::kU8, {3, 160, 170}, RandomLabels(images * pixels, 2, classes));
  for (size_t i = 0; i < images * pixels; i += 5) target.Set(i, 255);
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    const TestTensor prediction(dtype, {3, 7, 160, 170}, Randoms(images * classes * pixels, 1));
    LossCall call = MakeCall(Handle(Registry(), "cross_entropy", {{"ignore_index", 255.0}}),
                             {{"prediction", &prediction}, {"target", &target}, {"weight", &weight}});
    call.gradient = true;
    std::string bits;
    for (const int threads : {1, 2, 4, 8}) {
      Engine engine({.threads = threads});
      for (int repeat = 0; repeat < 3; ++repeat) {
        const auto result = engine.Run(call);
        ASSERT_TRUE(result.ok()) << result.status();
        EXPECT_EQ(result->valid_count, static_cast<int64_t>(images * pixels - (images * pixels + 4) / 5));
        if (bits.empty()) bits = Bits(*result);
        ASSERT_TRUE(Bits(*result) == bits) << NameOf(dtype) << ", " << threads << " threads";
      }
    }
  }
}

TEST(EngineTest, NamesTheLowestFaultyItem) {
  Engine engine({.threads = 4});
  const size_t images = 2, classes = 5, pixels = 300 * 300;
  const LossHandle loss = Handle(Registry(), "cross_entropy");
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    TestTensor prediction(DType::kF32, {2, 5, 300, 300}, std::vector<double>(images * classes * pixels, 0.5));
    TestTensor target(DType::kI32, {2, 300, 300}, std::vector<double>(images * pixels, 1));
    size_t lowest = images * pixels;
    std::string field;
    for (int fault = 0; fault < 6; ++fault) {
      const size_t item = random() % (images * pixels), image = item / pixels, pixel = item % pixels;
      if (item == lowest) continue;
      const bool label = fault % 2 == 0;
      if (label) {
        target.Set(item, 99);
      } else {
        prediction.Set((image * classes + 3) * pixels + pixel, std::nan(""));
      }
      if (item > lowest) continue;
      lowest = item;
      field = absl::StrCat("inputs.", label ? "target" : "prediction", "[", image, label ? "" : ", 3", ", ",
                           pixel / 300, ", ", pixel % 300, "]");
    }
    LossCall call = MakeCall(loss, {{"prediction", &prediction}, {"target", &target}});
    for (const bool gradient : {false, true}) {
      call.gradient = gradient;
      const auto result = engine.Run(call);
      ASSERT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
      const std::vector<FieldViolation> violations = FieldViolationsOf(result.status());
      ASSERT_EQ(violations.size(), 1U);
      ASSERT_EQ(violations[0].field, field) << "round " << round << ", gradient " << gradient;
      ASSERT_EQ(engine.admitted_bytes(), 0);
    }
  }
}

class TypesTest : public ::testing::TestWithParam<std::tuple<DType, DType>> {};
INSTANTIATE_TEST_SUITE_P(Types, TypesTest,
                         ::testing::Combine(::testing::Values(DType::kF32, DType::kF64, DType::kF16, DType::kBF16),
                                            ::testing::Values(DType::kU8, DType::kI32, DType::kI64)));

// Every type of prediction and label, also at odd addresses, with ignored rows.
TEST_P(TypesTest, CrossEntropyOfRows) {
  const auto [dtype, label_type] = GetParam();
  const size_t rows = 64, classes = 10;
  std::vector<double> labels = RandomLabels(rows, 2, classes), stored = labels;
  for (size_t i = 0; i < rows; i += 9) {
    labels[i] = -1;
    stored[i] = 200;
  }
  TestTensor prediction(dtype, {64, 10}, Randoms(rows * classes, 1)), target(label_type, {64}, stored);
  std::vector<double> logits;  // as rounded to the type
  for (size_t i = 0; i < rows * classes; ++i) logits.push_back(NumberAt(dtype, prediction.bytes.data(), i));
  const Expected expected = CrossEntropyOf(logits, labels, classes);
  const double rounding = dtype == DType::kF64   ? 1e-15
                          : dtype == DType::kF32 ? 1e-8
                          : dtype == DType::kF16 ? 2e-5
                                                 : 2e-4;

  LossCall call = MakeCall(Handle(Registry(), "cross_entropy", {{"ignore_index", 200.0}}),
                           {{"prediction", &prediction}, {"target", &target}});
  call.gradient = true;
  Engine engine({.threads = 2});
  const auto result = engine.Run(call);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NEAR(result->loss, expected.loss, dtype == DType::kF64 ? 1e-14 : 1e-7);  // others in float lanes
  EXPECT_EQ(result->valid_count, 56);
  EXPECT_EQ(result->gradients[0].dtype, dtype);
  ExpectNear(Numbers(result->gradients[0]), expected.gradient, rounding);

  // The same from odd addresses.
  std::vector<std::byte> moved(prediction.bytes.size() + 1), moved_labels(target.bytes.size() + 1);
  std::memcpy(moved.data() + 1, prediction.bytes.data(), prediction.bytes.size());
  std::memcpy(moved_labels.data() + 1, target.bytes.data(), target.bytes.size());
  call.inputs[0]->data = moved.data() + 1;
  call.inputs[1]->data = moved_labels.data() + 1;
  const auto again = engine.Run(call);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(Bits(*again) == Bits(*result));
}

// An f32 prediction with an f64 target is computed in f64; its gradient leaves as f32.
TEST(EngineTest, MixedReals) {
  Engine engine({.threads = 1});
  const TestTensor prediction(DType::kF32, {2}, {0.1, 4}), target(DType::kF64, {2}, {0.3, 1}),
      weight(DType::kBF16, {2}, {1, 0.5});
  LossCall call =
      MakeCall(Handle(Registry(), "mse"), {{"prediction", &prediction}, {"target", &target}, {"weight", &weight}});
  call.gradient = true;
  const auto result = engine.Run(call);
  ASSERT_TRUE(result.ok()) << result.status();
  const double d = static_cast<double>(0.1F) - 0.3;
  EXPECT_EQ(result->loss, (d * d + 0.5 * 9) / 1.5);
  EXPECT_EQ(result->gradients[0].dtype, DType::kF32);
  EXPECT_THAT(Numbers(result->gradients[0]), ElementsAre(static_cast<float>(2 * d / 1.5), 2));
}

class ReductionTest : public ::testing::Test {
 protected:
  // Three rows of two classes, the middle one ignored, row weights 2, 5, 3.
  LossCall Call(Reduction reduction, std::vector<double> normalisers = {}) {
    LossCall call = MakeCall(Handle(Registry(), "cross_entropy"),
                             {{"prediction", &prediction_}, {"target", &target_}, {"weight", &weight_}});
    call.gradient = true;
    call.reduction = reduction;
    call.normalisers = std::move(normalisers);
    return call;
  }
  void ExpectDivisor(const LossCall& call, double divisor) {
    const auto result = engine_.Run(call);
    ASSERT_TRUE(result.ok()) << result.status();
    const double item = std::log1p(std::exp(-2.0)), numerator = (2 + 3) * item;
    EXPECT_DOUBLE_EQ(result->components[0].numerator, numerator);
    EXPECT_EQ(result->components[0].denominator, 5);
    EXPECT_DOUBLE_EQ(result->components[0].loss, numerator / divisor);
    EXPECT_DOUBLE_EQ(result->loss, numerator / divisor);
    EXPECT_EQ(result->valid_count, 2);
    const double slope = -call.gradient_scale / (1 + std::exp(2.0)) / divisor;
    ExpectNear(Numbers(result->gradients[0]), {2 * slope, -2 * slope, 0, 0, -3 * slope, 3 * slope}, 1e-15);
  }
  const TestTensor prediction_{DType::kF64, {3, 2}, {2, 0, 1, 1, -1, 1}}, weight_{DType::kF64, {3}, {2, 5, 3}};
  const TestTensor target_{DType::kI64, {3}, {0, -100, 1}};
  Engine engine_{{.threads = 2}};
};

TEST_F(ReductionTest, Mean) { ExpectDivisor(Call(Reduction::kMean), 5); }
TEST_F(ReductionTest, MeanOfAllItems) { ExpectDivisor(Call(Reduction::kMeanAll), 3); }
TEST_F(ReductionTest, Sum) { ExpectDivisor(Call(Reduction::kSum), 1); }
TEST_F(ReductionTest, Given) { ExpectDivisor(Call(Reduction::kGiven, {256}), 256); }
TEST_F(ReductionTest, GradientScale) {
  LossCall call = Call(Reduction::kMean);
  call.gradient_scale = -8;
  ExpectDivisor(call, 5);
}
TEST_F(ReductionTest, None) {
  LossCall call = Call(Reduction::kNone);
  ExpectDivisor(call, 1);
  EXPECT_FALSE(engine_.Run(call)->item_losses) << "nobody asked";
  call.item_losses = true;
  const auto result = engine_.Run(call);
  const double item = std::log1p(std::exp(-2.0));
  ExpectNear(ItemLosses(*result), {2 * item, 0, 3 * item}, 1e-15);
  EXPECT_THAT(result->item_shape, ElementsAre(3));
}

TEST_F(ReductionTest, RefusesAllWrongFieldsAtOnce) {
  LossCall call = Call(Reduction::kGiven, {-1, 2});
  call.gradient_scale = std::nan("");
  EXPECT_THAT(FieldViolationsOf(engine_.Run(call).status()),
              ElementsAre(FieldViolation{"normalisers", "has 2 entries; allowed: one per component of the loss, 1"},
                          FieldViolation{"normalisers[0]", "-1; allowed: finite and above 0"},
                          FieldViolation{"gradientScale", "nan; allowed: finite numbers"}));
  EXPECT_THAT(FieldViolationsOf(engine_.Run(Call(Reduction::kSum, {1})).status()),
              ElementsAre(FieldViolation{"normalisers", "has 1 entries; allowed: none but with reduction given"}));
  call.inputs[0].reset();
  EXPECT_EQ(FieldViolationsOf(engine_.Run(call).status()).size(), 4u) << "what the shapes show comes along";
  for (const double wrong : {0.0, std::nan(""), static_cast<double>(INFINITY)}) {
    EXPECT_EQ(FieldViolationsOf(engine_.Run(Call(Reduction::kGiven, {wrong})).status()).front().field,
              "normalisers[0]");
  }
}

// A mean over a million f16 logits: the scale of mixed precision is applied before rounding, or small gradients would
// be lost.
TEST(EngineTest, GradientScaleComesBeforeNarrowing) {
  const int64_t rows = 100000;
  const TestTensor prediction(DType::kF16, {rows, 2}, Randoms(static_cast<size_t>(2 * rows), 1, -6, 6));
  const TestTensor target(DType::kU8, {rows}, std::vector<double>(static_cast<size_t>(rows), 0));
  LossCall call = MakeCall(Handle(Registry(), "cross_entropy"), {{"prediction", &prediction}, {"target", &target}});
  call.gradient = true;
  Engine engine({.threads = 2});
  const auto zeros = [&](double scale) {
    call.gradient_scale = scale;
    const auto result = engine.Run(call);
    EXPECT_TRUE(result.ok());
    const std::vector<double> gradient = Numbers(result->gradients[0]);
    return std::count(gradient.begin(), gradient.end(), 0.0);
  };
  EXPECT_GT(zeros(1), 0);
  EXPECT_EQ(zeros(65536), 0);
}

void ExpectNothing(const LossResult& result) {
  EXPECT_EQ(result.loss, 0);
  EXPECT_EQ(result.valid_count, 0);
  EXPECT_TRUE(result.empty);
  EXPECT_EQ(result.components[0].loss, 0);
  for (const GradientResult& gradient : result.gradients) {
    for (const double value : Numbers(gradient)) ASSERT_EQ(value, 0);
  }
}

TEST(EngineTest, NothingValidIsZeroAndSaysSo) {
  Engine engine({.threads = 2});
  const LossHandle loss = Handle(Registry(), "cross_entropy");
  const TestTensor none(DType::kF32, {0, 3}, {}), no_labels(DType::kI64, {0}, {});
  const TestTensor rows(DType::kF32, {2, 3}, {1e30, -1e30, 0, 1, 2, 3}), ignored(DType::kI64, {2}, {-100, -100}),
      right(DType::kI64, {2}, {0, 1}), no_weight(DType::kF32, {2}, {0, 0});
  LossCall mean = MakeCall(loss, {{"prediction", &rows}, {"target", &right}, {"weight", &no_weight}});
  mean.gradient = true;
  const auto weightless = engine.Run(mean);
  ASSERT_TRUE(weightless.ok()) << weightless.status();
  ExpectNothing(*weightless);
  for (int reduction = 1; reduction <= 5; ++reduction) {
    for (const auto& inputs : {std::map<std::string, const TestTensor*>{{"prediction", &none}, {"target", &no_labels}},
                               {{"prediction", &rows}, {"target", &ignored}}}) {
      LossCall call = MakeCall(loss, inputs);
      call.gradient = true;
      call.reduction = static_cast<Reduction>(reduction);
      if (call.reduction == Reduction::kGiven) call.normalisers = {4};
      const auto result = engine.Run(call);
      ASSERT_TRUE(result.ok()) << result.status();
      ExpectNothing(*result);
      EXPECT_EQ(result->gradients[0].data.size(), static_cast<size_t>(call.inputs[0]->shape[0] * 12));
    }
  }
}

// Smoothing gives other classes a share of the loss, so that it is not 0 where the labels' own classes weigh nothing:
// only a mean has nothing to divide by.
TEST(EngineTest, OwnDenominatorOfZeroLeavesOtherReductions) {
  Engine engine({.threads = 1});
  const TestTensor rows(DType::kF64, {2, 3}, {1, 2, 3, 4, 5, 6}), labels(DType::kI64, {2}, {0, 0});
  LossCall call = MakeCall(
      Handle(Registry(), "cross_entropy", {{"class_weights", std::vector<double>{0, 1, 2}}, {"label_smoothing", 0.1}}),
      {{"prediction", &rows}, {"target", &labels}});
  call.gradient = true;
  const double log_sum = std::log(1 + std::exp(1.0) + std::exp(2.0));
  const double sum = 2 * 0.1 / 3 * (1 * (log_sum - 1) + 2 * (log_sum - 2));
  for (const auto& [reduction, divisor] : {std::pair{Reduction::kMean, 0.0},
                                           {Reduction::kMeanAll, 2.0},
                                           {Reduction::kSum, 1.0},
                                           {Reduction::kGiven, 4.0}}) {
    call.reduction = reduction;
    call.normalisers.clear();
    if (reduction == Reduction::kGiven) call.normalisers = {divisor};
    const auto result = engine.Run(call);
    ASSERT_TRUE(result.ok()) << result.status();
    if (divisor == 0) {
      ExpectNothing(*result);
      continue;
    }
    EXPECT_NEAR(result->loss, sum / divisor, 1e-15);
    EXPECT_FALSE(result->empty);
    EXPECT_EQ(result->valid_count, 2);
    EXPECT_NE(Numbers(result->gradients[0])[0], 0);
  }
}

// The difference of these logits is infinite in double; nothing of it belongs to the loss.
TEST(EngineTest, InfiniteDifferencesOfWeightlessClasses) {
  Engine engine({.threads = 1});
  const TestTensor rows(DType::kF64, {2, 2}, {1e308, -1e308, -1e308, 1e308}), labels(DType::kI64, {2}, {0, 1});
  LossCall call = MakeCall(Handle(Registry(), "cross_entropy"), {{"prediction", &rows}, {"target", &labels}});
  call.gradient = true;
  const auto result = engine.Run(call);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->loss, 0);
  EXPECT_THAT(Numbers(result->gradients[0]), ElementsAre(0, 0, 0, 0));
}

TEST(EngineTest, OverflowIsRefused) {
  Engine engine({.threads = 1});
  const TestTensor rows(DType::kF64, {2, 2}, {1, 2, 3, 4}), labels(DType::kI64, {2}, {0, 1});
  LossCall call =
      MakeCall(Handle(Registry(), "cross_entropy", {{"class_weights", std::vector<double>{1e-310, 1e-310}}}),
               {{"prediction", &rows}, {"target", &labels}});
  EXPECT_TRUE(engine.Run(call).ok());
  call.gradient = true;
  const absl::Status factor = engine.Run(call).status();
  EXPECT_EQ(factor.code(), absl::StatusCode::kOutOfRange) << factor;
  EXPECT_EQ(ReasonOf(factor).metadata.at("component"), "cross_entropy");
  const TestTensor far(DType::kF64, {1}, {1e200}), near(DType::kF64, {1}, {0});
  const absl::Status value =
      engine.Run(MakeCall(Handle(Registry(), "mse"), {{"prediction", &far}, {"target", &near}})).status();
  EXPECT_EQ(ReasonOf(value).reason, "NOT_FINITE") << value;
}

// No data, and axes of any size: never more than a message of its size may cost.
TEST(EngineTest, EmptyBatchesOfHugeItems) {
  Engine engine({.threads = 2});
  const TestTensor labels(DType::kI64, {0}, {});
  for (const int64_t classes : {int64_t{1} << 30, int64_t{1} << 44, int64_t{1} << 61, INT64_MAX}) {
    const TestTensor none(DType::kF32, {0, classes}, {});
    const auto result =
        engine.Run(MakeCall(Handle(Registry(), "cross_entropy"), {{"prediction", &none}, {"target", &labels}}));
    if (classes < int64_t{1} << 32) {
      EXPECT_TRUE(result.ok()) << result.status();
    } else {
      ASSERT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << result.status();
      EXPECT_EQ(FieldViolationsOf(result.status()).front().field, "inputs.prediction");
    }
  }
}

TEST(EngineTest, BadValuesAreNamed) {
  Engine engine({.threads = 2});
  const LossHandle loss = Handle(Registry(), "cross_entropy");
  const TestTensor rows(DType::kF32, {2, 3}, {1, 2, 3, 4, 5, 6}), labels(DType::kI64, {2}, {0, 2});
  const auto violation = [&](const TestTensor& prediction, const TestTensor& target, const TestTensor* weight) {
    std::map<std::string, const TestTensor*> inputs{{"prediction", &prediction}, {"target", &target}};
    if (weight != nullptr) inputs["weight"] = weight;
    const absl::Status status = engine.Run(MakeCall(loss, inputs)).status();
    const std::string value = ReasonOf(status).metadata["value"];
    EXPECT_EQ(ReasonOf(status).reason, value == "NaN" || value == "-Inf" ? "NOT_FINITE" : "BAD_VALUE") << status;
    return FieldViolationsOf(status).front();
  };
  const TestTensor out_of_range(DType::kI64, {2}, {0, 3}), negative(DType::kI64, {2}, {-1, 0}),
      big(DType::kI64, {2}, {0, 9007199254740992.0});
  EXPECT_EQ(violation(rows, out_of_range, nullptr),
            (FieldViolation{"inputs.target[1]", "is 3; labels lie in [0, 3) or are -100 (ignored)"}));
  EXPECT_EQ(violation(rows, negative, nullptr),
            (FieldViolation{"inputs.target[0]", "is -1; labels lie in [0, 3) or are -100 (ignored)"}));
  EXPECT_EQ(violation(rows, big, nullptr).description,
            "is 9007199254740992; labels lie in [0, 3) or are -100 (ignored)");
  const TestTensor nan(DType::kBF16, {2, 3}, {1, 2, 3, 4, 5, std::nan("")}),
      inf(DType::kF64, {2, 3}, {1, -INFINITY, 3, 4, 5, 6});
  EXPECT_EQ(violation(nan, labels, nullptr),
            (FieldViolation{"inputs.prediction[1, 2]", "is NaN; allowed are finite numbers"}));
  EXPECT_EQ(violation(inf, labels, nullptr),
            (FieldViolation{"inputs.prediction[0, 1]", "is -Inf; allowed are finite numbers"}));
  const TestTensor weight(DType::kF16, {2}, {1, -0.25});
  EXPECT_EQ(violation(rows, labels, &weight),
            (FieldViolation{"inputs.weight[1]", "is -0.25; allowed are finite numbers of at least 0"}));
  const TestTensor soft(DType::kF32, {2, 3}, {0, 0, 1, 0.5, 0.25, 1.5});
  EXPECT_EQ(violation(rows, soft, nullptr),
            (FieldViolation{"inputs.target[1, 2]", "is 1.5; allowed are numbers in [0, 1]"}));
}

TEST(EngineTest, InputsThatDoNotBindAreRefused) {
  Engine engine({.threads = 1});
  const TestTensor rows(DType::kF32, {2, 3}, {1, 2, 3, 4, 5, 6}), labels(DType::kI64, {3}, {0, 2, 1});
  const LossHandle loss = Handle(Registry(), "cross_entropy");
  EXPECT_EQ(FieldViolationsOf(engine.Run(MakeCall(loss, {{"prediction", &rows}, {"target", &labels}})).status())
                .front()
                .field,
            "inputs.target");
  EXPECT_EQ(FieldViolationsOf(engine.Run(MakeCall(loss, {{"target", &labels}})).status()).front().field,
            "inputs.prediction");
  LossCall call = MakeCall(loss, {{"prediction", &rows}});
  call.inputs.pop_back();
  EXPECT_EQ(FieldViolationsOf(engine.Run(call).status()).front().field, "inputs");
}

// A byte per element comes in, eight per item go out: they are counted before anything is allocated.
TEST(EngineTest, ItemLossesAreCounted) {
  const int64_t items = 1 << 20;
  const TestTensor prediction(DType::kF16, {items}, std::vector<double>(items, 0.5)),
      target(DType::kU8, {items}, std::vector<double>(items, 1));
  Engine engine({.threads = 1, .memory_budget_bytes = 4 << 20});
  LossCall call =
      MakeCall(Handle(Registry(), "binary_cross_entropy"), {{"prediction", &prediction}, {"target", &target}});
  call.gradient = true;
  EXPECT_EQ(*engine.ResultBytes(call), 2 * items);
  EXPECT_TRUE(engine.Run(call).ok());
  call.item_losses = true;
  EXPECT_EQ(*engine.ResultBytes(call), 10 * items);
  EXPECT_EQ(engine.Run(call).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LT(engine.pool().kept_bytes(), 8 << 20) << "it was refused before it was allocated";
  EXPECT_EQ(engine.admitted_bytes(), 0);
}

// What follows a reply in its pooled buffer stays as it was.
TEST(EngineTest, WritesNothingBehindTheGradient) {
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    Engine engine({.threads = 1});
    const TestTensor prediction(dtype, {9, 11}, Randoms(99, 1)), target(DType::kU8, {9}, RandomLabels(9, 2, 11));
    const size_t bytes = prediction.bytes.size(), capacity = 512;
    const std::byte* data = nullptr;
    {
      const PooledBuffer buffer = engine.pool().Take(dtype == DType::kF32 ? bytes : capacity / 2);
      data = buffer.data();
      std::memset(buffer.data(), 0xab, dtype == DType::kF32 ? capacity : capacity / 2);
    }
    LossCall call = MakeCall(Handle(Registry(), "cross_entropy"), {{"prediction", &prediction}, {"target", &target}});
    call.gradient = true;
    const auto result = engine.Run(call);
    ASSERT_TRUE(result.ok());
    ASSERT_EQ(result->gradients[0].data.data(), data) << "the pool gave another buffer";
    for (size_t i = bytes; i < (dtype == DType::kF32 ? capacity : capacity / 2); ++i)
      ASSERT_EQ(data[i], std::byte{0xab}) << i;
  }
}

TEST(EngineTest, NumericsNameTilesTargetCompilerAndLibrary) {
  Engine engine({.threads = 3});
  EXPECT_EQ(engine.threads(), 3);
  EXPECT_THAT(engine.numerics(),
              ::testing::ContainsRegex("^tiles-3 [a-z0-9-]+ gcc-12[^ ]* glibc-[0-9.]+-(avx512|avx2|plain)$"));
  EXPECT_EQ(engine.numerics(), Engine({.threads = 1}).numerics());
}

}  // namespace
}  // namespace gradeline

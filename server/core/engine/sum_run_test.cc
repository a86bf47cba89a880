// Sums of losses: what comes out is the weighted sum of what the terms give alone, in every type, with the same bits
// for any number of threads.
#include "server/core/engine/sum_run.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/engine/engine.h"
#include "server/core/engine/test_batch.h"
#include "server/core/engine/test_losses.h"

namespace gradeline {
namespace {

using test_losses::Probe;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Inputs = std::map<std::string, const TestTensor*>;

class SumRunTest : public ::testing::Test {
 protected:
  void TearDown() override {
    Probe::on_plan = nullptr;
    Probe::on_tile = nullptr;
  }
  LossCall Call(const std::string& loss, const ParamMap& params, const Inputs& inputs) {
    LossCall call = MakeCall(Handle(*registry_, loss, params), inputs);
    call.gradient = true;
    return call;
  }
  static absl::StatusOr<LossResult> RunOn(int threads, const LossCall& call) {
    Engine engine({.threads = threads});
    auto result = engine.Run(call);
    EXPECT_EQ(engine.admitted_bytes(), 0);
    return result;
  }
  /// The result, the same bits for 1, 2, 4 and 8 threads.
  static LossResult Run(const LossCall& call) {
    auto result = RunOn(1, call);
    EXPECT_TRUE(result.ok()) << result.status();
    for (const int threads : {2, 4, 8}) {
      const auto again = RunOn(threads, call);
      EXPECT_TRUE(again.ok() && Bits(*again) == Bits(*result)) << threads << " threads";
    }
    return *std::move(result);
  }
  const std::shared_ptr<const LossRegistry> registry_ = RegistryWith({&test_losses::Plugin()});
};

/// Half the distance of neighbouring numbers, relative to the larger.
double Rounding(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return 0x1p-53;
    case DType::kF32:
      return 0x1p-24;
    case DType::kF16:
      return 0x1p-11;
    default:
      return 0x1p-8;
  }
}

// Pixels in several tiles, terms with weights of their own; in f16 and bf16 too, where the
// terms' gradients are added in f32.
TEST_F(SumRunTest, IsTheWeightedSumOfItsTerms) {
  const size_t images = 2, classes = 5, pixels = 150 * 170;
  std::mt19937 random(11);
  std::uniform_real_distribution<double> uniform(0, 2);
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    const DType real = dtype == DType::kF64 ? DType::kF64 : DType::kF32;
    const TestTensor prediction(dtype, {2, 5, 150, 170}, Randoms(images * classes * pixels, 1));
    const TestTensor target(DType::kF32, {2, 5, 150, 170}, Randoms(images * classes * pixels, 2, 0, 1));
    const Inputs inputs = {{"prediction", &prediction}, {"target", &target}};
    const double a = uniform(random), b = uniform(random), c = uniform(random);
    const LossResult sum = Run(Call("cross_entropy+binary_cross_entropy+mse",
                                    {{"cross_entropy.weight", a},
                                     {"cross_entropy.label_smoothing", 0.1},
                                     {"binary_cross_entropy.weight", b},
                                     {"mse.weight", c}},
                                    inputs));
    const LossResult terms[] = {*RunOn(2, Call("cross_entropy", {{"label_smoothing", 0.1}}, inputs)),
                                *RunOn(2, Call("binary_cross_entropy", {}, inputs)),
                                *RunOn(2, Call("mse", {}, inputs))};
    const double weights[] = {a, b, c};
    ASSERT_EQ(sum.components.size(), 3u);
    double loss = 0;
    std::vector<double> gradient(images * classes * pixels, 0);
    double largest = 0;
    for (size_t t = 0; t < 3; ++t) {
      EXPECT_EQ(sum.components[t].numerator, terms[t].components[0].numerator);
      EXPECT_EQ(sum.components[t].denominator, terms[t].components[0].denominator);
      EXPECT_EQ(sum.components[t].loss, terms[t].loss);
      EXPECT_EQ(sum.components[t].weight, weights[t]);
      loss += weights[t] * terms[t].loss;
      // The terms alone in the real type of the call, so that what is narrowed once is compared with wide numbers.
      std::vector<double> values(prediction.elements());
      for (size_t i = 0; i < values.size(); ++i) values[i] = NumberAt(dtype, prediction.bytes.data(), i);
      const TestTensor wide(real, {2, 5, 150, 170}, values);
      LossCall exact = Call(t == 0   ? "cross_entropy"
                            : t == 1 ? "binary_cross_entropy"
                                     : "mse",
                            {}, {{"prediction", &wide}, {"target", &target}});
      if (t == 0) exact.loss = Handle(*registry_, "cross_entropy", {{"label_smoothing", 0.1}});
      const std::vector<double> part = Numbers(RunOn(2, exact)->gradients[0]);
      for (size_t i = 0; i < part.size(); ++i) {
        gradient[i] += weights[t] * part[i];
        largest = std::max(largest, std::fabs(weights[t] * part[i]));
      }
    }
    EXPECT_DOUBLE_EQ(sum.loss, loss);
    EXPECT_DOUBLE_EQ(sum.average(), loss / 3);
    EXPECT_EQ(sum.valid_count, static_cast<int64_t>(images * classes * pixels)) << "the most that a term counts";
    ASSERT_EQ(sum.gradients.size(), 1u);
    EXPECT_EQ(sum.gradients[0].dtype, dtype);
    EXPECT_THAT(sum.gradients[0].shape, ElementsAre(2, 5, 150, 170));
    const std::vector<double> numbers = Numbers(sum.gradients[0]);
    const double least = dtype == DType::kF16 ? 6e-8 : 0;  // of f16, half the smallest step
    for (size_t i = 0; i < numbers.size(); ++i) {
      const double allowed = 1.01 * Rounding(dtype) * std::fabs(gradient[i]) + 8 * Rounding(real) * largest;
      ASSERT_NEAR(numbers[i], gradient[i], allowed + least) << NameOf(dtype) << " element " << i;
    }
  }
}

// One term reads an f64 input that the other does not: a term of f32 and one of f64 meet in one gradient.
TEST_F(SumRunTest, TermsOfDifferentRealTypesMeetInTheWiderOne) {
  const size_t items = 1200 * 210;
  const TestTensor factors(DType::kF64, {210}, Randoms(210, 5, 0, 9));
  const TestTensor rows(DType::kF32, {1200, 210}, Randoms(items, 1));
  const TestTensor truth(DType::kF32, {1200, 210}, Randoms(items, 4, 0, 1));
  for (const std::string order : {"test_two+cross_entropy", "cross_entropy+test_two"}) {
    const ParamMap params = {{"test_two.share", 0.5}, {"test_two.weight", 1.5}, {"cross_entropy.weight", 0.25}};
    const LossResult sum = Run(Call(order, params, {{"prediction", &rows}, {"target", &truth}, {"factors", &factors}}));
    const LossResult two =
        *RunOn(2, Call("test_two", {{"share", 0.5}}, {{"prediction", &rows}, {"factors", &factors}}));
    const LossResult entropy = *RunOn(2, Call("cross_entropy", {}, {{"prediction", &rows}, {"target", &truth}}));
    ASSERT_EQ(sum.components.size(), 3u);
    EXPECT_DOUBLE_EQ(sum.loss, 1.5 * two.loss + 0.25 * entropy.loss);
    EXPECT_DOUBLE_EQ(sum.average(), sum.loss / 3);
    const std::vector<double> a = Numbers(two.gradients[0]), b = Numbers(entropy.gradients[0]);
    const std::vector<double> numbers = Numbers(sum.gradients[0]);
    for (size_t i = 0; i < numbers.size(); ++i) {
      const double expected = 1.5 * a[i] + 0.25 * b[i];
      ASSERT_NEAR(numbers[i], expected, 3e-7 * (std::fabs(a[i]) + std::fabs(b[i]))) << order << " " << i;
    }
  }
}

TEST_F(SumRunTest, ATermOfNoWeightAddsNothing) {
  const size_t elements = 1200 * 300;
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    const TestTensor prediction(dtype, {1200, 300}, Randoms(elements, 1));
    const TestTensor target(DType::kF32, {1200, 300}, Randoms(elements, 2, 0, 1));
    const Inputs inputs = {{"prediction", &prediction}, {"target", &target}};
    const LossResult alone = *RunOn(2, Call("mse", {}, inputs));
    // First, in the middle, and last, where the sum is still to be narrowed.
    for (const auto& [loss, zeros] : std::vector<std::pair<std::string, std::vector<std::string>>>{
             {"cross_entropy+mse", {"cross_entropy"}},
             {"mse+cross_entropy", {"cross_entropy"}},
             {"cross_entropy+mse+binary_cross_entropy", {"cross_entropy", "binary_cross_entropy"}}}) {
      ParamMap params;
      for (const std::string& zero : zeros) params[zero + ".weight"] = 0.0;
      const LossResult sum = Run(Call(loss, params, inputs));
      EXPECT_EQ(sum.loss, alone.loss);
      EXPECT_TRUE(Numbers(sum.gradients[0]) == Numbers(alone.gradients[0])) << loss << " " << NameOf(dtype);
    }
  }
}

TEST_F(SumRunTest, ReductionsHoldForAllTerms) {
  const TestTensor prediction(DType::kF64, {40, 7}, Randoms(280, 1)),
      target(DType::kF64, {40, 7}, Randoms(280, 2, 0, 1));
  const Inputs inputs = {{"prediction", &prediction}, {"target", &target}};
  LossCall call = Call("cross_entropy+mse", {{"mse.weight", 0.5}}, inputs);
  LossCall entropy = Call("cross_entropy", {}, inputs), squares = Call("mse", {}, inputs);
  for (const Reduction reduction : {Reduction::kMean, Reduction::kMeanAll, Reduction::kSum, Reduction::kGiven}) {
    call.reduction = entropy.reduction = squares.reduction = reduction;
    if (reduction == Reduction::kGiven) {
      call.normalisers = {3, 8};
      entropy.normalisers = {3};
      squares.normalisers = {8};
    }
    call.gradient_scale = entropy.gradient_scale = squares.gradient_scale = 5;
    const LossResult sum = Run(call), a = *RunOn(1, entropy), b = *RunOn(1, squares);
    EXPECT_DOUBLE_EQ(sum.loss, a.loss + 0.5 * b.loss);
    const std::vector<double> of_a = Numbers(a.gradients[0]), of_b = Numbers(b.gradients[0]);
    for (size_t i = 0; i < 280; ++i) ASSERT_NEAR(Numbers(sum.gradients[0])[i], of_a[i] + 0.5 * of_b[i], 1e-14);
  }
  call.normalisers = {3};
  const absl::Status status = RunOn(1, call).status();
  EXPECT_EQ(FieldViolationsOf(status).at(0).description, "has 1 entries; allowed: one per component of the loss, 2");
}

TEST_F(SumRunTest, LossesOfItems) {
  const TestTensor prediction(DType::kF32, {300, 400}, Randoms(120'000, 1)),
      target(DType::kF32, {300, 400}, Randoms(120'000, 2, 0, 1));
  const Inputs inputs = {{"prediction", &prediction}, {"target", &target}};
  LossCall call = Call("binary_cross_entropy+mse", {{"mse.weight", 0.5}, {"binary_cross_entropy.weight", 3.0}}, inputs);
  LossCall entropy = Call("binary_cross_entropy", {}, inputs), squares = Call("mse", {}, inputs);
  call.item_losses = entropy.item_losses = squares.item_losses = true;
  call.reduction = Reduction::kNone;
  const LossResult sum = Run(call);
  const std::vector<double> a = ItemLosses(*RunOn(1, entropy)), b = ItemLosses(*RunOn(1, squares));
  const std::vector<double> items = ItemLosses(sum);
  ASSERT_EQ(items.size(), 120'000u);
  double total = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    ASSERT_DOUBLE_EQ(items[i], 3 * a[i] + 0.5 * b[i]);
    total += items[i];
  }
  EXPECT_NEAR(sum.loss, total, 1e-7 * total) << "with none, the loss is their sum, of floats";
  EXPECT_THAT(sum.item_shape, ElementsAre(300, 400));
  // Rows here, elements there.
  call.loss = Handle(*registry_, "cross_entropy+mse");
  EXPECT_EQ(FieldViolationsOf(RunOn(1, call).status()).at(0).description,
            "are not offered: those of cross_entropy have shape [300], those of mse [300, 400]");
}

TEST_F(SumRunTest, ErrorsSpeakOfTheTerms) {
  TestTensor prediction(DType::kF32, {500, 400}, Randoms(200'000, 1));
  const TestTensor target(DType::kF32, {500, 400}, Randoms(200'000, 2, 0, 1));
  const TestTensor factors(DType::kF32, {400}, Randoms(400, 3, 0, 1));
  Inputs inputs = {{"prediction", &prediction}, {"target", &target}, {"factors", &factors}};
  prediction.Set(401, 13);
  LossCall call = Call("cross_entropy+test_two", {}, inputs);
  EXPECT_THAT(std::string(RunOn(4, call).status().message()), HasSubstr("13 is not liked"));
  prediction.Set(402, std::nan(""));
  const absl::Status nan = RunOn(4, call).status();
  EXPECT_EQ(FieldViolationsOf(nan).at(0).field, "inputs.prediction[1, 2]") << "the first term finds it";
  EXPECT_EQ(ReasonOf(nan).reason, "NOT_FINITE");
  // Shapes: every term says what it misses, each field once.
  inputs.erase("factors");
  inputs.erase("target");
  std::vector<std::string> fields;
  for (const auto& violation : FieldViolationsOf(RunOn(1, Call("cross_entropy+test_two", {}, inputs)).status())) {
    fields.push_back(violation.field);
  }
  EXPECT_THAT(fields, ElementsAre("inputs.target", "inputs.factors"));
}

TEST_F(SumRunTest, OverflowNamesTheComponentOfTheSum) {
  const TestTensor prediction(DType::kF64, {2, 2}, {1e200, 1, 1, 1}), factors(DType::kF64, {2}, {1, 1}),
      target(DType::kF64, {2, 2}, {0, 0, 0, 0});
  const Inputs inputs = {{"prediction", &prediction}, {"target", &target}, {"factors", &factors}};
  LossCall call = Call("test_two+mse", {}, inputs);
  call.gradient = false;
  const absl::Status squares = RunOn(1, call).status();
  EXPECT_EQ(squares.code(), absl::StatusCode::kOutOfRange) << squares;
  EXPECT_EQ(ReasonOf(squares).metadata["component"], "mse");
  call.loss = Handle(*registry_, "mse+test_two", {{"mse.weight", 0.0}, {"test_two.weight", 1e200}});
  const TestTensor small(DType::kF64, {2, 2}, {1e120, 1, 1, 1});
  call = MakeCall(call.loss, {{"prediction", &small}, {"target", &target}, {"factors", &factors}});
  const absl::Status sum = RunOn(1, call).status();
  EXPECT_EQ(ReasonOf(sum).metadata["component"], "test_two.sum") << sum;
}

// Each term's loss is finite, their sum is not.
TEST_F(SumRunTest, TheSumItselfMayOverflow) {
  const TestTensor prediction(DType::kF64, {1, 1}, {1e150}), factors(DType::kF64, {1}, {1}),
      target(DType::kF64, {1, 1}, {0});
  const LossHandle loss = Handle(*registry_, "mse+test_two", {{"mse.weight", 1.7e8}, {"test_two.weight", 0.8e158}});
  LossCall call = MakeCall(loss, {{"prediction", &prediction}, {"target", &target}, {"factors", &factors}});
  const absl::Status sum = RunOn(1, call).status();
  EXPECT_EQ(sum.code(), absl::StatusCode::kOutOfRange) << sum;
  EXPECT_THAT(std::string(sum.message()), HasSubstr("component test_two.sum: the sum of the losses"));
}

TEST_F(SumRunTest, NothingValidIsEmpty) {
  const TestTensor prediction(DType::kF32, {0, 3}, {}), target(DType::kF32, {0, 3}, {});
  const LossResult result = Run(Call("cross_entropy+mse", {}, {{"prediction", &prediction}, {"target", &target}}));
  EXPECT_TRUE(result.empty);
  EXPECT_EQ(result.loss, 0);
  EXPECT_EQ(result.components.size(), 2u);
  EXPECT_THAT(result.gradients.at(0).shape, ElementsAre(0, 3));
}

TEST_F(SumRunTest, CancellationEndsItBetweenTiles) {
  const TestTensor prediction(DType::kF32, {2, 3, 200000}, Randoms(1'200'000, 1));
  const TestTensor target(DType::kF32, {2, 3, 200000}, Randoms(1'200'000, 2, 0, 1));
  std::atomic<bool> cancelled = false;
  std::atomic<int> tiles = 0;
  Probe::on_tile = [&](const GdlTile&) {
    ++tiles;
    cancelled = true;
  };
  LossCall call = MakeCall(Handle(*registry_, "mse+test_probe"), {{"prediction", &prediction}, {"target", &target}});
  call.cancelled = &cancelled;
  EXPECT_EQ(RunOn(1, call).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(tiles, 1);
}

// All at once, and no more than what the longest term, the wide sum and the kept losses of items need.
TEST_F(SumRunTest, MemoryIsAdmittedToTheBudget) {
  const size_t elements = 4000 * 300;
  const TestTensor prediction(DType::kF16, {4000, 300}, Randoms(elements, 1));
  const TestTensor target(DType::kF32, {4000, 300}, Randoms(elements, 2, 0, 1));
  LossCall call = Call("binary_cross_entropy+mse+test_probe", {}, {{"prediction", &prediction}, {"target", &target}});
  Engine engine({.threads = 2});
  std::atomic<int64_t> admitted = 0;
  Probe::on_tile = [&](const GdlTile&) { admitted = engine.admitted_bytes(); };
  call.gradient = true;
  ASSERT_TRUE(engine.Run(call).ok());
  const auto wide = static_cast<int64_t>(elements * sizeof(float));
  EXPECT_GE(admitted, wide);
  EXPECT_LT(admitted, wide + (int64_t{16} << 20));
  EXPECT_EQ(engine.admitted_bytes(), 0);
  EXPECT_EQ(*engine.ResultBytes(call), static_cast<int64_t>(elements * 2));
  Engine small({.threads = 2, .memory_budget_bytes = wide});
  const absl::Status refused = small.Run(call).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("loss binary_cross_entropy+mse+test_probe needs "));
}

// Sums that hold memory and wait for more would wait for each other for ever.
TEST_F(SumRunTest, ManySumsShareASmallBudget) {
  const size_t elements = 2000 * 300;
  const TestTensor prediction(DType::kF16, {2000, 300}, Randoms(elements, 1));
  const TestTensor target(DType::kF32, {2000, 300}, Randoms(elements, 2, 0, 1));
  const LossCall call = Call("binary_cross_entropy+mse", {}, {{"prediction", &prediction}, {"target", &target}});
  const std::string bits = Bits(*RunOn(1, call));
  Engine engine({.threads = 4, .memory_budget_bytes = int64_t{6} << 20});
  std::vector<std::unique_ptr<Lane>> lanes;
  std::atomic<int> right = 0;
  for (int i = 0; i < 8; ++i) {
    lanes.push_back(engine.OpenLane());
    lanes.back()->Post([&, lane = lanes.back().get()] {
      lane->Compute(call, [&](absl::StatusOr<LossResult> result) { right += result.ok() && Bits(*result) == bits; });
    });
  }
  std::atomic<int> drained = 0;
  for (const auto& lane : lanes) lane->Post([&] { drained.fetch_add(1), drained.notify_one(); });
  for (int seen = drained; seen < 8; seen = drained) drained.wait(seen);
  EXPECT_EQ(right, 8);
  EXPECT_EQ(engine.admitted_bytes(), 0);
}

}  // namespace
}  // namespace gradeline

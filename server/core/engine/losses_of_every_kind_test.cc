// The engine with losses that use each part of the ABI: aggregates and carry, batch scratch and jobs, whole outers,
// several components, tensors given whole, complaints of the loss's own.
#include <cmath>

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

class LossesOfEveryKindTest : public ::testing::Test {
 protected:
  void TearDown() override {
    Probe::on_plan = nullptr;
    Probe::on_tile = nullptr;
  }
  absl::StatusOr<LossResult> RunOn(int threads, const LossCall& call) {
    Engine engine({.threads = threads});
    return engine.Run(call);
  }
  /// The result, the same bits for 1, 2, 4 and 8 threads.
  LossResult Run(const LossCall& call) {
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

TEST_F(LossesOfEveryKindTest, AggregateWithCarry) {
  const size_t items = 2 * 200 * 301;
  const std::vector<double> p = Randoms(items, 1, 0, 1);
  std::vector<double> t = RandomLabels(items, 2, 2);
  for (size_t i = 0; i < items; i += 7) t[i] = 255;
  const TestTensor prediction(DType::kF64, {2, 200, 301}, p), target(DType::kU8, {2, 200, 301}, t);
  LossCall call = MakeCall(Handle(*registry_, "test_dice"), {{"prediction", &prediction}, {"target", &target}});
  long double overlap = 0, total = 0;
  int64_t valid = 0;
  for (size_t i = 0; i < items; ++i) {
    if (t[i] == 255) continue;
    overlap += p[i] * t[i];
    total += p[i] + t[i];
    ++valid;
  }
  const auto expected = static_cast<double>(1 - 2 * overlap / total);
  // An aggregate is one number of the batch: no reduction divides it.
  for (const Reduction reduction : {Reduction::kMean, Reduction::kMeanAll, Reduction::kSum, Reduction::kGiven}) {
    const auto run = [&] { return reduction == Reduction::kMean ? Run(call) : *RunOn(2, call); };
    call.reduction = reduction;
    call.normalisers = reduction == Reduction::kGiven ? std::vector<double>{100} : std::vector<double>{};
    call.gradient = true;
    call.gradient_scale = 3;
    const LossResult result = run();
    EXPECT_NEAR(result.loss, expected, 1e-12);
    EXPECT_EQ(result.valid_count, valid);
    const std::vector<double> gradient = Numbers(result.gradients[0]);
    for (size_t i = 0; i < items; ++i) {
      const long double slope = t[i] == 255 ? 0 : (2 * overlap - 2 * t[i] * total) / (total * total);
      ASSERT_NEAR(gradient[i], 3 * static_cast<double>(slope), 1e-14) << i;
    }
    call.gradient = false;
    const LossResult value = run();
    EXPECT_EQ(value.loss, result.loss) << "the gradient's pass is skipped, its loss is not";
    EXPECT_TRUE(value.gradients.empty());
  }
}

TEST_F(LossesOfEveryKindTest, BatchScratchJobsAndWholeOuters) {
  const size_t outer = 300, inner = 700;
  const std::vector<double> x = Randoms(outer * inner, 3);
  const TestTensor prediction(DType::kF32, {300, 700}, x);
  LossCall call = MakeCall(Handle(*registry_, "test_prefix"), {{"prediction", &prediction}});
  // "N *": outer 300, inner 700; but 64 Ki items a tile hold 93 whole outers.
  call.gradient = true;
  const LossResult result = Run(call);
  double sum = 0;
  for (size_t o = 0; o < outer; ++o) {
    double prefix = 0;
    for (size_t i = 0; i < inner; ++i) sum += prefix += static_cast<float>(x[o * inner + i]);
  }
  EXPECT_NEAR(result.components[0].numerator, sum, 1e-6 * std::fabs(sum));
  EXPECT_EQ(result.components[0].denominator, static_cast<double>(outer * inner));
  const std::vector<double> gradient = Numbers(result.gradients[0]);
  for (size_t i = 0; i < gradient.size(); ++i) {
    ASSERT_EQ(gradient[i],
              static_cast<float>(1.0 / static_cast<double>(outer * inner) * static_cast<double>(inner - i % inner)));
  }
}

// Outers longer than a tile: tiled passes cut them, the pass of whole outers does not.
TEST_F(LossesOfEveryKindTest, WholeOutersLargerThanATile) {
  const TestTensor prediction(DType::kF32, {3, 200000}, Randoms(600000, 4));
  LossCall call = MakeCall(Handle(*registry_, "test_prefix"), {{"prediction", &prediction}});
  call.gradient = true;
  const LossResult result = Run(call);
  EXPECT_EQ(Numbers(result.gradients[0])[200000], static_cast<float>(200000 / 600000.0));
}

TEST_F(LossesOfEveryKindTest, ComponentsWeightsAndTensorsGivenWhole) {
  const TestTensor prediction(DType::kF32, {3, 2}, {1, -2, 3, 4, -5, 6}), factors(DType::kF16, {2}, {0.5, 2});
  LossCall call =
      MakeCall(Handle(*registry_, "test_two", {{"share", 3.0}}), {{"prediction", &prediction}, {"factors", &factors}});
  call.gradient = true;
  call.gradient_scale = 10;
  const LossResult result = Run(call);
  ASSERT_EQ(result.components.size(), 2U);
  EXPECT_EQ(result.components[0].weight, 3);
  EXPECT_EQ(result.components[0].numerator, 0.5 * (1 + 3 - 5) + 2 * (-2 + 4 + 6));
  EXPECT_EQ(result.components[0].denominator, 3);
  EXPECT_EQ(result.components[1].weight, 1);
  EXPECT_EQ(result.components[1].loss, 21);
  EXPECT_DOUBLE_EQ(result.loss, 3 * (15.5 / 3) + 21);
  // 3 * 10 / 3 * w + 10 * sign
  EXPECT_THAT(Numbers(result.gradients[0]), ElementsAre(15, 10, 15, 30, -5, 30));
  ASSERT_EQ(result.gradients.size(), 1U);
}

TEST_F(LossesOfEveryKindTest, GivenNormalisersPerComponent) {
  const TestTensor prediction(DType::kF32, {2, 1}, {1, 2}), factors(DType::kF32, {1}, {4});
  LossCall call = MakeCall(Handle(*registry_, "test_two"), {{"prediction", &prediction}, {"factors", &factors}});
  call.reduction = Reduction::kGiven;
  call.normalisers = {8, 5};
  const LossResult result = Run(call);
  EXPECT_EQ(result.components[0].loss, 12.0 / 8);
  EXPECT_EQ(result.components[0].denominator, 2) << "the loss's own";
  EXPECT_EQ(result.components[0].divisor, 8);
  EXPECT_EQ(result.components[1].loss, 3) << "an aggregate";
  EXPECT_EQ(result.components[1].divisor, 1);
}

TEST_F(LossesOfEveryKindTest, WrongValuesOfATensorGivenWhole) {
  const TestTensor prediction(DType::kF32, {1, 2}, {1, 2});
  for (const auto& [value, text] : {std::pair{11.0, "is 11; allowed are numbers in [0, 10]"},
                                    {std::nan(""), "is NaN; allowed are numbers in [0, 10]"},
                                    {-0.5, "is -0.5; allowed are numbers in [0, 10]"}}) {
    const TestTensor factors(DType::kF64, {2}, {1, value});
    const auto result =
        RunOn(2, MakeCall(Handle(*registry_, "test_two"), {{"prediction", &prediction}, {"factors", &factors}}));
    EXPECT_THAT(FieldViolationsOf(result.status()), ElementsAre(FieldViolation{"inputs.factors[1]", text}));
  }
}

// The lowest of a loss's own complaints, in hundreds of runs on four threads.
TEST_F(LossesOfEveryKindTest, ComplaintsOfTheLoss) {
  Engine engine({.threads = 4});
  const LossHandle loss = Handle(*registry_, "test_two");
  const TestTensor factors(DType::kF32, {8}, std::vector<double>(8, 1));
  const int64_t rows = 40000;
  TestTensor prediction(DType::kF32, {rows, 8}, std::vector<double>(8 * rows, 1));
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    int64_t lowest = rows;
    bool liked = true;
    std::vector<int64_t> touched;
    for (int fault = 0; fault < 5; ++fault) {
      const int64_t row = static_cast<int64_t>(random() % rows);
      if (std::find(touched.begin(), touched.end(), row) != touched.end()) continue;
      touched.push_back(row);
      prediction.Set(static_cast<size_t>(row * 8 + 5), fault % 2 == 0 ? 13 : INFINITY);
      if (row < lowest) {
        lowest = row;
        liked = fault % 2 != 0;
      }
    }
    const auto result = engine.Run(MakeCall(loss, {{"prediction", &prediction}, {"factors", &factors}}));
    const FieldViolation expected =
        liked ? FieldViolation{absl::StrCat("inputs.prediction[", lowest, ", 5]"), "is Inf; allowed are finite numbers"}
              : FieldViolation{"inputs.prediction", absl::StrCat("item [", lowest, "]: 13 is not liked")};
    ASSERT_THAT(FieldViolationsOf(result.status()), ElementsAre(expected)) << "round " << round;
    for (const int64_t row : touched) prediction.Set(static_cast<size_t>(row * 8 + 5), 1);
  }
}

// What a kernel is shown: dense views of whole outers or of runs, its own 64-byte aligned scratch, sums of its slot.
TEST_F(LossesOfEveryKindTest, TilesAreShownAsTheAbiSays) {
  const int64_t outer = 2, classes = 3, inner = 50000;
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    const TestTensor prediction(dtype, {outer, classes, inner},
                                std::vector<double>(static_cast<size_t>(outer * classes * inner), 2));
    std::mutex mutex;
    int64_t items = 0, tiles = 0;
    std::string wrong;
    Probe::on_plan = [](const GdlShape&, sdk::Plan& plan) {
      plan.AddPass(GDL_WRITES_GRADIENT, 1, 1).scratch_bytes = 100;
    };
    Probe::on_tile = [&](const GdlTile& tile) {
      const GdlView& view = *tile.inputs[0];
      const bool direct = dtype == DType::kF32;
      const int64_t small_stride = direct ? inner : tile.inner;
      const auto aligned = [](const void* data, uintptr_t to) { return reinterpret_cast<uintptr_t>(data) % to == 0; };
      std::lock_guard lock(mutex);
      items += tile.outer * tile.inner;
      ++tiles;
      if (tile.struct_size != sizeof(GdlTile) || view.struct_size != sizeof(GdlView)) wrong = "struct_size";
      if (view.small != classes || view.small_stride != small_stride || view.outer_stride != classes * small_stride)
        wrong = "strides";
      if (tile.inputs[1] != nullptr) wrong = "absent input";
      if (!aligned(tile.scratch, 64) || !aligned(view.data, direct ? 4 : 64)) wrong = "alignment";
      if (tile.gradients[0] == nullptr || tile.scale == nullptr || tile.item_loss != nullptr) wrong = "gradient";
      if (tile.outer * tile.inner > tile.shape->tile_items) wrong = "tile_items";
      for (int64_t k = 0; k < classes; ++k) {
        for (int64_t i = 0; i < tile.inner; ++i) {
          if (static_cast<const float*>(view.data)[k * small_stride + i] != 2) wrong = "data";
          static_cast<float*>(tile.gradients[0]->data)[k * tile.gradients[0]->small_stride + i] = 1;
        }
      }
      std::memset(tile.scratch, 1, 100);
    };
    LossCall call = MakeCall(Handle(*registry_, "test_probe"), {{"prediction", &prediction}});
    call.gradient = true;
    call.reduction = Reduction::kSum;
    const auto result = RunOn(3, call);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(wrong, "");
    EXPECT_EQ(items, outer * inner);
    EXPECT_GT(tiles, 2);
    EXPECT_EQ(result->components[0].denominator, static_cast<double>(outer * inner));
    for (const double value : Numbers(result->gradients[0])) ASSERT_EQ(value, 1);
  }
}

TEST_F(LossesOfEveryKindTest, SkipsPassesThatAreNotNeeded) {
  const TestTensor x(DType::kF32, {4, 2}, std::vector<double>(8, 1)), weight(DType::kF32, {4}, {1, 1, 1, 1});
  std::vector<uint32_t> ran;
  Probe::on_plan = [](const GdlShape&, sdk::Plan& plan) {
    plan.AddPass(GDL_DENOMINATOR_ONLY, 2, 1);
    plan.AddPass(GDL_GRADIENT_ONLY, 2, 1);
    plan.AddPass(GDL_WRITES_GRADIENT, 3, 1);
  };
  Probe::on_tile = [&](const GdlTile& tile) { ran.push_back(tile.pass); };
  LossCall call = MakeCall(Handle(*registry_, "test_probe"), {{"prediction", &x}, {"weight", &weight}});
  const auto passes = [&] {
    ran.clear();
    EXPECT_TRUE(RunOn(1, call).ok());
    return ran;
  };
  EXPECT_THAT(passes(), ElementsAre(0, 2));
  call.gradient = true;
  EXPECT_THAT(passes(), ElementsAre(0, 1, 2));
  call.reduction = Reduction::kSum;
  EXPECT_THAT(passes(), ElementsAre(1, 2)) << "nothing divides by the denominators";
}

TEST_F(LossesOfEveryKindTest, ScratchBeyondTheBudgetIsRefused) {
  Engine engine({.threads = 2, .memory_budget_bytes = 1 << 20});
  const TestTensor prediction(DType::kF32, {200000}, std::vector<double>(200000, 1));
  const auto result = engine.Run(MakeCall(Handle(*registry_, "test_prefix"), {{"prediction", &prediction}}));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(result.status().message(), HasSubstr("the memory budget is 1048576 bytes"));
  EXPECT_EQ(engine.admitted_bytes(), 0);
}

TEST_F(LossesOfEveryKindTest, ScratchCountsWhileABatchRuns) {
  Engine engine({.threads = 2, .memory_budget_bytes = 64 << 20});
  const int64_t bytes = 8 << 20;
  std::atomic<int64_t> seen = 0;
  Probe::on_plan = [&](const GdlShape&, sdk::Plan& plan) {
    plan.AddPass(GDL_WRITES_GRADIENT, 1, 1);
    plan.raw().batch_bytes = bytes;
  };
  Probe::on_tile = [&](const GdlTile& tile) {
    seen = engine.admitted_bytes();
    static_cast<char*>(tile.batch)[bytes - 1] = 1;
  };
  const TestTensor x(DType::kF32, {4, 2}, std::vector<double>(8, 1));
  EXPECT_TRUE(engine.Run(MakeCall(Handle(*registry_, "test_probe"), {{"prediction", &x}})).ok());
  EXPECT_GE(seen, bytes);
  EXPECT_EQ(engine.admitted_bytes(), 0);
}

// Of losses with a pass for the gradient alone, that pass is skipped: no kernel meets a gradient that is not there.
TEST_F(LossesOfEveryKindTest, AGradientScaleOf0GivesZeros) {
  const TestTensor prediction(DType::kF32, {2, 3, 4, 5}, Randoms(120, 1));
  const TestTensor target(DType::kI64, {2, 4, 5}, RandomLabels(40, 2, 3));
  for (const std::string id : {"cross_entropy", "dice", "cross_entropy_iou_2d", "lovasz_softmax", "ohem_cross_entropy",
                               "dice+lovasz_softmax"}) {
    LossCall call = MakeCall(Handle(*registry_, id), {{"prediction", &prediction}, {"target", &target}});
    const double value = Run(call).loss;
    call.gradient = true;
    call.gradient_scale = 0;
    const LossResult result = Run(call);
    EXPECT_EQ(result.loss, value) << id;
    EXPECT_EQ(Numbers(result.gradients[0]), std::vector<double>(120, 0)) << id;
  }
}

TEST_F(LossesOfEveryKindTest, ATermOfWeight0LeavesTheOthersGradient) {
  const TestTensor prediction(DType::kF32, {2, 3, 4, 5}, Randoms(120, 1));
  const TestTensor target(DType::kI64, {2, 4, 5}, RandomLabels(40, 2, 3));
  const std::map<std::string, const TestTensor*> inputs = {{"prediction", &prediction}, {"target", &target}};
  LossCall alone = MakeCall(Handle(*registry_, "cross_entropy"), inputs);
  LossCall sum = MakeCall(Handle(*registry_, "cross_entropy+dice", {{"dice.weight", 0.0}}), inputs);
  alone.gradient = sum.gradient = true;
  EXPECT_EQ(Numbers(Run(sum).gradients[0]), Numbers(Run(alone).gradients[0]));
}

}  // namespace
}  // namespace gradeline

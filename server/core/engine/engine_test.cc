#include "server/core/engine/engine.h"

#include <cmath>
#include <condition_variable>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/engine/test_batch.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  ExpectNear(result->item_losses, expected.items, 1e-14);
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
    }
  }
}

TEST(LaneTest, ComputesInOrder) {
  Engine engine({.threads = 2});
  const TestTensor prediction(DType::kF32, {4}, {1, 2, 3, 4}), target(DType::kF32, {4}, {0, 0, 0, 0});
  const LossHandle loss = Handle(Registry(), "mse");
  std::vector<int> order;
  std::mutex mutex;
  std::condition_variable ended;
  bool last = false;
  const auto lane = engine.OpenLane();
  for (int i = 0; i < 20; ++i) {
    lane->Post([&, i] {
      lane->Compute(MakeCall(loss, {{"prediction", &prediction}, {"target", &target}}),
                    [&, i](absl::StatusOr<LossResult> result) {
                      ASSERT_TRUE(result.ok()) << result.status();
                      EXPECT_EQ(result->loss, 7.5);
                      order.push_back(i);  // no lock: the lane's work never overlaps
                      if (i == 19) {
                        std::lock_guard lock(mutex);
                        last = true;
                        ended.notify_all();
                      }
                    });
    });
  }
  std::unique_lock lock(mutex);
  ended.wait(lock, [&] { return last; });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace gradeline

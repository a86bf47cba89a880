#include "server/core/engine/tile_tensor.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "server/core/engine/element_loops.h"
#include "server/core/engine/test_batch.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;

constexpr double kInf = std::numeric_limits<double>::infinity();

TensorPlan Reals(DType dtype, int64_t small) {
  TensorPlan plan;
  plan.present = true;
  plan.dtype = dtype;
  plan.small = small;
  return plan;
}

TensorPlan Labels(DType dtype, int64_t size, std::optional<int64_t> ignore) {
  TensorPlan plan = Reals(dtype, 1);
  plan.label = true;
  plan.label_size = size;
  plan.ignore = ignore;
  return plan;
}

// Moves a tensor's bytes to an odd address.
struct Unaligned {
  explicit Unaligned(const TestTensor& tensor) : bytes(tensor.bytes.size() + 1) {
    std::memcpy(bytes.data() + 1, tensor.bytes.data(), tensor.bytes.size());
  }
  const void* data() const { return bytes.data() + 1; }
  std::vector<std::byte> bytes;
};

TEST(RunsTest, PartOfAnOuterIsOneRunPerElementOfAnItem) {
  const TileRuns runs = RunsOf(Reals(DType::kF32, 3), 10, {2, 1, 4, 5});
  EXPECT_EQ(runs.first, 2 * 30 + 4);
  EXPECT_EQ(runs.runs, 3);
  EXPECT_EQ(runs.length, 5);
  EXPECT_EQ(runs.stride, 10);
}

TEST(RunsTest, WholeOutersAreOneRun) {
  const TileRuns runs = RunsOf(Reals(DType::kF32, 3), 10, {2, 4, 0, 10});
  EXPECT_EQ(runs.first, 60);
  EXPECT_EQ(runs.runs, 1);
  EXPECT_EQ(runs.length, 120);
}

TEST(CopyInTest, WidensEveryRealType) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    const TestTensor tensor(dtype, {1, 2, 3}, {1, -2, 0.5, 4, 1024, -0.125});
    const Unaligned moved(tensor);
    const TensorPlan plan = Reals(dtype, 2);
    const TileRuns runs = RunsOf(plan, 3, {0, 1, 1, 2});  // elements 1, 2 and 4, 5
    double wide[4];
    EXPECT_FALSE(CopyIn(plan, runs, moved.data(), 8, wide));
    EXPECT_THAT(wide, ElementsAre(-2, 0.5, 1024, -0.125)) << NameOf(dtype);
    if (dtype == DType::kF64) continue;
    float narrow[4];
    EXPECT_FALSE(CopyIn(plan, runs, moved.data(), 4, narrow));
    EXPECT_THAT(narrow, ElementsAre(-2, 0.5, 1024, -0.125)) << NameOf(dtype);
  }
}

TEST(CopyInTest, LabelsOfEveryType) {
  int32_t labels[4];
  for (const DType dtype : {DType::kU8, DType::kI32, DType::kI64}) {
    const TestTensor tensor(dtype, {4}, {0, 2, 255, 1});
    const Unaligned moved(tensor);
    const TensorPlan plan = Labels(dtype, 3, 255);
    EXPECT_FALSE(CopyIn(plan, RunsOf(plan, 1, {0, 4, 0, 1}), moved.data(), 4, labels));
    EXPECT_THAT(labels, ElementsAre(0, 2, -1, 1)) << NameOf(dtype);
    EXPECT_EQ(CountValid(labels, 4), 3);
    const TensorPlan strict = Labels(dtype, 3, std::nullopt);
    EXPECT_TRUE(CopyIn(strict, RunsOf(strict, 1, {0, 4, 0, 1}), moved.data(), 4, labels));
    EXPECT_TRUE(CopyIn(Labels(dtype, 2, 255), RunsOf(strict, 1, {0, 4, 0, 1}), moved.data(), 4, labels))
        << "2 of 2 classes";
  }
}

TEST(CopyInTest, LabelsBeyond32BitsAndNegativeOnesAreBad) {
  int32_t labels[1];
  for (const int64_t value : {int64_t{1} << 32, int64_t{-1}, int64_t{-100}, std::numeric_limits<int64_t>::min()}) {
    TestTensor tensor(DType::kI64, {1}, {0});
    std::memcpy(tensor.bytes.data(), &value, 8);
    const TensorPlan plan = Labels(DType::kI64, 3, std::nullopt);
    EXPECT_TRUE(CopyIn(plan, RunsOf(plan, 1, {0, 1, 0, 1}), tensor.bytes.data(), 4, labels)) << value;
    EXPECT_FALSE(IsRight(plan, tensor.bytes.data(), 0, true));
  }
}

// An ignored class inside the range is ignored, not counted.
TEST(CopyInTest, IgnoreIndexWithinTheClasses) {
  const TestTensor tensor(DType::kU8, {3}, {0, 1, 2});
  const TensorPlan plan = Labels(DType::kU8, 3, 1);
  int32_t labels[3];
  EXPECT_FALSE(CopyIn(plan, RunsOf(plan, 1, {0, 3, 0, 1}), tensor.bytes.data(), 4, labels));
  EXPECT_THAT(labels, ElementsAre(0, -1, 2));
}

TEST(LabelsFitInPlaceTest, OnlyWhereNothingHasToChange) {
  const TileRuns all = RunsOf(Labels(DType::kI32, 3, 255), 1, {0, 4, 0, 1});
  const auto fit = [&](DType dtype, std::optional<int64_t> ignore, const std::vector<double>& labels) {
    const TestTensor tensor(dtype, {4}, labels);
    return LabelsFitInPlace(Labels(dtype, 3, ignore), all, tensor.bytes.data());
  };
  EXPECT_TRUE(fit(DType::kI32, 255, {0, 2, 1, 1}));
  EXPECT_TRUE(fit(DType::kI32, std::nullopt, {0, 2, 1, 1}));
  EXPECT_FALSE(fit(DType::kI32, 255, {0, 2, 255, 1})) << "one is ignored";
  EXPECT_FALSE(fit(DType::kI32, 255, {0, 2, 3, 1})) << "one is out of range";
  EXPECT_FALSE(fit(DType::kI32, 255, {0, 2, 1, -1})) << "one is negative";
  EXPECT_FALSE(fit(DType::kI32, 1, {0, 2, 0, 0})) << "a class is ignored";
  const TestTensor seen(DType::kI32, {4}, {0, 2, 3, 1});
  EXPECT_TRUE(LabelsFitInPlace(Labels(DType::kI32, 3, 255), all, seen.bytes.data(), true)) << "not looked at again";
  EXPECT_FALSE(fit(DType::kU8, 255, {0, 2, 1, 1}));
  EXPECT_FALSE(fit(DType::kI64, 255, {0, 2, 1, 1}));
  const TestTensor tensor(DType::kI32, {4}, {0, 2, 1, 1});
  EXPECT_FALSE(LabelsFitInPlace(Labels(DType::kI32, 3, 255), all, Unaligned(tensor).data()));
}

template <typename Real>
void ExpectFindsEveryPosition(DType dtype) {
  const TensorPlan plan = Reals(dtype, 1);
  for (const double bad : {kInf, -kInf, std::nan(""), -std::nan("")}) {
    for (size_t at = 0; at < 37; ++at) {
      std::vector<Real> values(37, std::numeric_limits<Real>::max());
      const TileRuns runs{0, 1, 37, 0};
      ASSERT_TRUE(RealsFit(plan, runs, values.data(), 37, sizeof(Real), true));
      values[at] = static_cast<Real>(bad);
      ASSERT_FALSE(RealsFit(plan, runs, values.data(), 37, sizeof(Real), true)) << bad << " at " << at;
      ASSERT_TRUE(RealsFit(plan, runs, values.data(), 37, sizeof(Real), false));
      const auto found = FindBad(plan, 1, {0, 37, 0, 1}, values.data(), true);
      ASSERT_TRUE(found);
      ASSERT_EQ(found->item, static_cast<int64_t>(at));
    }
  }
}

TEST(RealsFitTest, FindsWhatIsNotFinite) {
  ExpectFindsEveryPosition<float>(DType::kF32);
  ExpectFindsEveryPosition<double>(DType::kF64);
}

TEST(RealsFitTest, Ranges) {
  TensorPlan plan = Reals(DType::kF32, 1);
  plan.ranged = true;
  plan.max = 1;
  const auto fits = [&](float value) {
    const bool fit = RealsFit(plan, {0, 1, 1, 0}, &value, 1, 4, false);
    EXPECT_EQ(IsRight(plan, &value, 0, false), fit) << value;
    return fit;
  };
  EXPECT_TRUE(fits(0));
  EXPECT_TRUE(fits(1));
  EXPECT_FALSE(fits(-1e-30F));
  EXPECT_FALSE(fits(std::nextafter(1.0F, 2.0F)));
  EXPECT_FALSE(fits(std::nanf("")));
  plan.max = 0.1;  // not a float: the nearest one is above
  EXPECT_FALSE(fits(0.1F));
  EXPECT_TRUE(fits(std::nextafter(0.1F, 0.0F)));
  plan.max = kInf;
  EXPECT_TRUE(fits(3e38F));
}

// Of an image's wrong values the one of the lowest pixel counts, though another class comes earlier in memory.
TEST(FindBadTest, LowestItemThenElement) {
  std::vector<float> values(2 * 3 * 10, 0);
  const TensorPlan plan = Reals(DType::kF32, 3);
  values[0 * 30 + 0 * 10 + 9] = std::nanf("");
  values[0 * 30 + 2 * 10 + 4] = std::nanf("");
  values[0 * 30 + 1 * 10 + 4] = std::nanf("");
  const auto found = FindBad(plan, 10, {0, 2, 0, 10}, values.data(), true);
  EXPECT_EQ(found->item, 4);
  EXPECT_EQ(found->element, 14);
  EXPECT_EQ(FindBad(plan, 10, {0, 1, 5, 5}, values.data(), true)->item, 9);
  EXPECT_FALSE(FindBad(plan, 10, {1, 1, 0, 10}, values.data(), true));
}

TEST(CopyOutTest, RoundsIntoOwnRunsOnly) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    TestTensor tensor(dtype, {2, 5}, std::vector<double>(10, 7));
    const double wide[] = {1, -2, 3, 4};
    const float narrow[] = {1, -2, 3, 4};
    const TileRuns runs{1, 2, 2, 5};
    for (const bool from_double : {true, false}) {
      CopyOut(dtype, runs, from_double ? static_cast<const void*>(wide) : narrow, from_double ? 8 : 4,
              tensor.bytes.data());
      std::vector<double> after;
      for (size_t i = 0; i < 10; ++i) after.push_back(NumberAt(dtype, tensor.bytes.data(), i));
      EXPECT_THAT(after, ElementsAre(7, 1, -2, 7, 7, 7, 3, 4, 7, 7)) << NameOf(dtype);
    }
  }
}

TEST(ValueAtTest, EveryType) {
  for (int type = 1; type <= 7; ++type) {
    const TestTensor tensor(static_cast<DType>(type), {3}, {0, 1, 100});
    const Unaligned moved(tensor);
    EXPECT_EQ(ValueAt(tensor.dtype, moved.data(), 2), 100) << type;
  }
}

}  // namespace
}  // namespace gradeline

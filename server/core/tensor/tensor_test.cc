#include "server/core/tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "server/core/base/status.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

TEST(DTypeTest, NamesSizesAndNumbers) {
  const std::vector<std::tuple<int, std::string, size_t, bool>> rows{
      {1, "f32", 4, true}, {2, "f64", 8, true},  {3, "f16", 2, true}, {4, "bf16", 2, true},
      {5, "u8", 1, false}, {6, "i32", 4, false}, {7, "i64", 8, false}};
  for (const auto& [number, name, bytes, real] : rows) {
    const auto dtype = static_cast<DType>(number);
    EXPECT_EQ(NameOf(dtype), name);
    EXPECT_EQ(SizeOf(dtype), bytes);
    EXPECT_EQ(IsReal(dtype), real);
    EXPECT_EQ(ParseDType(name), dtype);
  }
  EXPECT_EQ(ParseDType("f8"), std::nullopt);
  EXPECT_EQ(SizeOf(static_cast<DType>(0)), 0u);
  EXPECT_EQ(NameOf(static_cast<DType>(99)), "unknown");
}

TEST(ElementCountTest, ChecksArithmetic) {
  EXPECT_EQ(ElementCount({}), 1);
  EXPECT_EQ(ElementCount({8, 10}), 80);
  EXPECT_EQ(ElementCount({8, 0, 10}), 0);
  EXPECT_EQ(ElementCount({kMost}), kMost);
  EXPECT_EQ(ElementCount({kMost, 2}), std::nullopt);
  EXPECT_EQ(ElementCount({int64_t{1} << 32, int64_t{1} << 32}), std::nullopt);
  EXPECT_EQ(ElementCount({int64_t{1} << 40, int64_t{1} << 40, 0}), std::nullopt);  // a part of it does not fit
  EXPECT_EQ(ElementCount({0, int64_t{1} << 40, int64_t{1} << 40}), std::nullopt);
  EXPECT_EQ(ElementCount({-1}), std::nullopt);
  EXPECT_EQ(ElementCount({-1, -1}), std::nullopt);
}

TEST(CheckTensorTest, ExactBytes) {
  EXPECT_TRUE(CheckTensor("t", DType::kF16, {3, 5}, 30).ok());
  EXPECT_TRUE(CheckTensor("t", DType::kF64, {}, 8).ok());
  EXPECT_TRUE(CheckTensor("t", DType::kF64, {0, 7}, 0).ok());
  EXPECT_THAT(FieldViolationsOf(CheckTensor("inputs.target", DType::kI32, {3, 5}, 59)),
              ElementsAre(FieldViolation{"inputs.target.data", "has 59 bytes; shape [3, 5] of i32 needs 60"}));
  EXPECT_THAT(FieldViolationsOf(CheckTensor("", DType::kI32, {1}, 0)),
              ElementsAre(FieldViolation{"data", "has 0 bytes; shape [1] of i32 needs 4"}));
}

TEST(CheckTensorTest, AllViolationsAtOnce) {
  EXPECT_THAT(FieldViolationsOf(CheckTensor("t", static_cast<DType>(0), {-1, 2, -3}, 0)),
              ElementsAre(FieldViolation{"t.shape[0]", "is -1; sizes are 0 or more"},
                          FieldViolation{"t.shape[2]", "is -3; sizes are 0 or more"},
                          FieldViolation{"t.data_type", "is 0; allowed are 1 to 7"}));
}

TEST(CheckTensorTest, OverflowAndAxes) {
  EXPECT_THAT(
      FieldViolationsOf(CheckTensor("t", DType::kF64, {int64_t{1} << 61}, 0)),
      ElementsAre(FieldViolation{"t.shape", "[2305843009213693952] of f64 has more bytes than fit in 63 bits"}));
  EXPECT_FALSE(CheckTensor("t", DType::kU8, {kMost, kMost}, 1).ok());
  EXPECT_TRUE(CheckTensor("t", DType::kU8, std::vector<int64_t>(16, 1), 1).ok());
  EXPECT_THAT(FieldViolationsOf(CheckTensor("t", DType::kU8, std::vector<int64_t>(17, 1), 1)),
              ElementsAre(FieldViolation{"t.shape", "has 17 axes; at most 16 are allowed"}));
}

TEST(ShapeTextTest, Text) {
  EXPECT_EQ(ShapeText({}), "[]");
  EXPECT_EQ(ShapeText({8, 10}), "[8, 10]");
}

}  // namespace
}  // namespace gradeline

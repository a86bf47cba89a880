#include "server/core/tensor/convert.h"

#include <gtest/gtest.h>

#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <random>

namespace gradeline {
namespace {

// The value of a 16-bit float from its definition, in double.
double ValueOf(uint16_t bits, int mantissa_bits) {
  const int bias = (1 << (14 - mantissa_bits)) - 1;
  const int exponent_field = (bits & 0x7fff) >> mantissa_bits;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent_field == (0x7fff >> mantissa_bits)) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent_field == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(1 + std::ldexp(mantissa, -mantissa_bits), exponent_field - bias);
}

struct Format {
  int mantissa_bits;
  float (*widen)(uint16_t);
  uint16_t (*narrow_float)(float);
  uint16_t (*narrow_double)(double);
  uint16_t (*reference)(float);
  uint16_t infinity;
};
template <typename T>
uint16_t OfEigen(float value) {
  return Eigen::numext::bit_cast<uint16_t>(static_cast<T>(value));
}
const Format kF16{10, WidenF16, NarrowToF16, NarrowToF16, OfEigen<Eigen::half>, 0x7c00};
const Format kBF16{7, WidenBF16, NarrowToBF16, NarrowToBF16, OfEigen<Eigen::bfloat16>, 0x7f80};

class ConvertTest : public ::testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Formats, ConvertTest, ::testing::Values(kF16, kBF16));

TEST_P(ConvertTest, WidensEveryValueExactly) {
  for (int i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const double expected = ValueOf(bits, GetParam().mantissa_bits);
    const float widened = GetParam().widen(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(widened)) << i;
    } else {
      ASSERT_EQ(static_cast<double>(widened), expected) << i;
    }
    ASSERT_EQ(std::signbit(widened), (bits & 0x8000) != 0) << i;
  }
}

TEST_P(ConvertTest, EveryValueComesBack) {
  const int quiet = 1 << (GetParam().mantissa_bits - 1);
  for (int i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const float widened = GetParam().widen(bits);
    const int expected = std::isnan(widened) ? i | quiet : i;
    ASSERT_EQ(GetParam().narrow_float(widened), expected);
    ASSERT_EQ(GetParam().narrow_double(widened), expected);
  }
}

// Around every boundary between two neighbours: a hair below goes down, exactly on it goes to the even one, a hair
// above up.
TEST_P(ConvertTest, RoundsToNearestEvenAtEveryBoundary) {
  for (int i = 0; i < GetParam().infinity; ++i) {
    const double low = ValueOf(static_cast<uint16_t>(i), GetParam().mantissa_bits);
    // Beyond the greatest value the next step would be as large as the last one.
    const double high = i + 1 < GetParam().infinity
                            ? ValueOf(static_cast<uint16_t>(i + 1), GetParam().mantissa_bits)
                            : 2 * low - ValueOf(static_cast<uint16_t>(i - 1), GetParam().mantissa_bits);
    const double middle = (low + high) / 2;
    const int even = i % 2 == 0 ? i : i + 1;
    for (const double sign : {1.0, -1.0}) {
      const int sign_bit = sign < 0 ? 0x8000 : 0;
      ASSERT_EQ(GetParam().narrow_double(sign * std::nextafter(middle, 0.0)), sign_bit | i);
      ASSERT_EQ(GetParam().narrow_double(sign * middle), sign_bit | even);
      ASSERT_EQ(GetParam().narrow_double(sign * std::nextafter(middle, 1e300)), sign_bit | (i + 1));
      const auto middle_float = static_cast<float>(sign * middle);
      ASSERT_EQ(static_cast<double>(middle_float), sign * middle) << "the boundary is a float";
      ASSERT_EQ(GetParam().narrow_float(std::nextafter(middle_float, 0.0F)), sign_bit | i);
      ASSERT_EQ(GetParam().narrow_float(middle_float), sign_bit | even);
      if (std::isfinite(std::nextafter(middle_float, middle_float * 2))) {
        const float above =
            std::nextafter(middle_float, std::copysign(std::numeric_limits<float>::infinity(), middle_float));
        ASSERT_EQ(GetParam().narrow_float(above), sign_bit | (i + 1));
      }
    }
  }
}

TEST_P(ConvertTest, EndsOfTheRange) {
  const Format& format = GetParam();
  EXPECT_EQ(format.narrow_double(std::numeric_limits<double>::infinity()), format.infinity);
  EXPECT_EQ(format.narrow_double(-std::numeric_limits<double>::max()), format.infinity | 0x8000);
  EXPECT_EQ(format.narrow_double(std::numeric_limits<double>::denorm_min()), 0);
  EXPECT_EQ(format.narrow_double(-std::numeric_limits<double>::denorm_min()), 0x8000);
  EXPECT_EQ(format.narrow_float(-0.0F), 0x8000);
  const double nan_with_low_payload = std::bit_cast<double>(uint64_t{0xfff0000000000001});
  EXPECT_TRUE(std::isnan(format.widen(format.narrow_double(nan_with_low_payload))));
  EXPECT_NE(format.narrow_double(nan_with_low_payload) & 0x8000, 0);
}

TEST(ConvertDoubleTest, DoesNotRoundTwice) {
  // 1 + 2^-11 + 2^-40 is above the boundary of f16; as a float it would sit on it and go to even, which is 1.
  const double above = 1 + std::ldexp(1, -11) + std::ldexp(1, -40);
  EXPECT_EQ(WidenF16(NarrowToF16(above)), 1 + std::ldexp(1.0F, -10));
  EXPECT_EQ(WidenF16(NarrowToF16(static_cast<float>(above))), 1.0F);
}

TEST_P(ConvertTest, FloatsAgreeWithDoublesAndWithEigen) {
  std::mt19937 random(1);
  for (int i = 0; i < 2'000'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    const uint16_t narrow = GetParam().narrow_float(value);
    ASSERT_EQ(narrow, GetParam().narrow_double(value)) << std::bit_cast<uint32_t>(value);
    if (!std::isnan(value)) {
      ASSERT_EQ(narrow, GetParam().reference(value)) << std::bit_cast<uint32_t>(value);
    }
  }
}

}  // namespace
}  // namespace gradeline

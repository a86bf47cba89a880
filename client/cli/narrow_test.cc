#include "client/cli/narrow.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace gradeline::cli {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The value of 16 bits, by the definition of the formats.
double Widen(uint16_t bits, int mantissa_bits) {
  const int exponent_bits = 15 - mantissa_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const double fraction = (bits & ((1 << mantissa_bits) - 1)) / std::ldexp(1, mantissa_bits);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return fraction == 0 ? sign * kInfinity : std::nan("");
  return sign * (exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias));
}

TEST(Narrow, EveryNumberOfTheFormatsStaysItself) {
  for (int bits = 0; bits < 65536; ++bits) {
    const double f16 = Widen(static_cast<uint16_t>(bits), 10), bf16 = Widen(static_cast<uint16_t>(bits), 7);
    if (!std::isnan(f16)) {
      EXPECT_EQ(NarrowToF16(f16), bits);
    }
    if (!std::isnan(bf16)) {
      EXPECT_EQ(NarrowToBf16(bf16), bits);
    }
  }
}

TEST(Narrow, RoundsToTheNearestTiesToEven) {
  std::mt19937 random(3);
  for (int round = 0; round < 100000; ++round) {
    const uint16_t bits = static_cast<uint16_t>(random() % 0x7bff);
    const double low = Widen(bits, 10), high = Widen(static_cast<uint16_t>(bits + 1), 10), middle = (low + high) / 2;
    EXPECT_EQ(NarrowToF16(middle), bits % 2 == 0 ? bits : bits + 1);
    EXPECT_EQ(NarrowToF16(std::nextafter(middle, 0)), bits);
    EXPECT_EQ(NarrowToF16(-std::nextafter(middle, kInfinity)), 0x8000 | (bits + 1));
  }
  for (int round = 0; round < 100000; ++round) {
    const uint16_t bits = static_cast<uint16_t>(random() % 0x7f7f);
    const double low = Widen(bits, 7), high = Widen(static_cast<uint16_t>(bits + 1), 7), middle = (low + high) / 2;
    EXPECT_EQ(NarrowToBf16(middle), bits % 2 == 0 ? bits : bits + 1);
    EXPECT_EQ(NarrowToBf16(std::nextafter(middle, 0)), bits);
    EXPECT_EQ(NarrowToBf16(-std::nextafter(middle, kInfinity)), 0x8000 | (bits + 1));
  }
}

TEST(Narrow, TheEndsOfTheRange) {
  EXPECT_EQ(NarrowToF16(65504), 0x7bff);
  EXPECT_EQ(NarrowToF16(65519.99), 0x7bff);
  EXPECT_EQ(NarrowToF16(65520), 0x7c00);
  EXPECT_EQ(NarrowToF16(1e300), 0x7c00);
  EXPECT_EQ(NarrowToF16(-kInfinity), 0xfc00);
  EXPECT_EQ(NarrowToF16(5e-324), 0);
  EXPECT_EQ(NarrowToF16(-0.0), 0x8000);
  EXPECT_EQ(NarrowToBf16(3.5e38), 0x7f80);
  EXPECT_EQ(NarrowToBf16(1e-45), 0);
  EXPECT_TRUE(std::isnan(Widen(NarrowToF16(std::nan("")), 10)));
  EXPECT_TRUE(std::isnan(Widen(NarrowToBf16(std::nan("")), 7)));
}

TEST(Narrow, CastsTensorsAndRefusesOtherTypes) {
  v1::Tensor tensor;
  tensor.set_data_type(v1::DATA_TYPE_F32);
  const float values[] = {1, -2.5};
  tensor.set_data(values, sizeof(values));
  ASSERT_TRUE(CastTensor(v1::DATA_TYPE_BF16, &tensor).ok());
  EXPECT_EQ(tensor.data_type(), v1::DATA_TYPE_BF16);
  WidenBf16(&tensor);
  float back[2];
  ASSERT_EQ(tensor.data().size(), sizeof(back));
  std::memcpy(back, tensor.data().data(), sizeof(back));
  EXPECT_EQ(back[0], 1);
  EXPECT_EQ(back[1], -2.5);
  tensor.set_data_type(v1::DATA_TYPE_I64);
  EXPECT_FALSE(CastTensor(v1::DATA_TYPE_F16, &tensor).ok());
}

}  // namespace
}  // namespace gradeline::cli

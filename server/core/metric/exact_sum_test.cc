#include "server/core/metric/exact_sum.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradeline {
namespace {

using Rational = boost::multiprecision::cpp_rational;

constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kLeast = std::numeric_limits<double>::denorm_min();

// A finite double times 2^2148, by the C library.
Integer MultipleOf(double value) {
  int exponent = 0;
  const auto mantissa = static_cast<int64_t>(std::ldexp(std::frexp(value, &exponent), 53));
  return exponent >= 53 - ExactSum::kFinest ? Integer(Integer(mantissa) << (exponent - 53 + ExactSum::kFinest)) : 0;
}
Rational Exact(double value) { return {MultipleOf(value), Integer(1) << ExactSum::kFinest}; }

// Values of one kind: as f32 data, as f64 data, of all exponents, near each other and far from 0.
std::vector<double> Values(std::mt19937_64& random, int kind, size_t count) {
  std::normal_distribution<double> normal;
  std::vector<double> values;
  while (values.size() < count) {
    double value = normal(random);
    if (kind == 0) value = static_cast<float>(value);
    if (kind == 2) value = std::bit_cast<double>(random());
    if (kind == 3) value = 1e8 + 1e-3 * value;
    if (kind == 4) value = values.size() % 2 == 0 ? value * 1e-310 : value;
    if (kind == 5) value = values.size() % 3 == 0 ? 0 : value * 1e15;
    if (std::isfinite(value)) values.push_back(value);
  }
  return values;
}
constexpr int kKinds = 6;

TEST(ExactSumTest, LosesNothing) {
  ExactSum sum;
  for (const double value : {1e300, 1.0, -1e300, kLeast}) sum.Add(value);
  EXPECT_EQ(sum.Multiple(), MultipleOf(1) + MultipleOf(kLeast));
  sum.Add(-1.0);
  sum.Add(-kLeast);
  EXPECT_EQ(sum, ExactSum());
}

TEST(ExactSumTest, HasRoomForTheLargestAndTheLeastProducts) {
  ExactSum sum;
  sum.AddProduct(kMax, -kMax);
  sum.AddProduct(kLeast, kLeast);
  EXPECT_EQ(sum.Multiple() << ExactSum::kFinest,
            (Integer(1) << ExactSum::kFinest) - MultipleOf(kMax) * MultipleOf(kMax));
  EXPECT_TRUE(sum.negative());
  sum.AddProduct(kMax, kMax);
  EXPECT_EQ(sum.Multiple(), 1);
}

TEST(ExactSumTest, EqualsWholeNumbersOfAnySizeAndBlocksEqualSingleValues) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    const std::vector<double> values = Values(random, round % kKinds, random() % 2500);
    ExactSum sum, squares, magnitudes, block_sum, block_squares, block_magnitudes;
    Integer wanted = 0, wanted_squares = 0, wanted_magnitudes = 0;
    for (const double value : values) {
      sum.Add(value);
      squares.AddProduct(value, value);
      magnitudes.Add(std::abs(value));
      const Integer multiple = MultipleOf(value);
      wanted += multiple;
      wanted_magnitudes += abs(multiple);
      wanted_squares += multiple * multiple;
    }
    AddAll(values, block_sum, block_squares, &block_magnitudes);
    EXPECT_EQ(sum.Multiple(), wanted);
    EXPECT_EQ(squares.Multiple() << ExactSum::kFinest, wanted_squares);
    EXPECT_EQ(magnitudes.Multiple(), wanted_magnitudes);
    EXPECT_EQ(block_sum, sum);
    EXPECT_EQ(block_squares, squares);
    EXPECT_EQ(block_magnitudes, magnitudes);
  }
}

TEST(ExactSumTest, AnyPartitionHasTheSameBytes) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    std::vector<double> values = Values(random, round % kKinds, 200);
    ExactSum whole, merged;
    std::array<ExactSum, 3> parts;
    for (const double value : values) whole.Add(value);
    std::shuffle(values.begin(), values.end(), random);
    for (const double value : values) parts[random() % 3].Add(value);
    for (const ExactSum& part : parts) {
      std::string bytes;
      part.Put(bytes);
      CountsReader reader(bytes);
      ExactSum read;
      ASSERT_TRUE(read.Read(reader, ExactSum::kProductBits + 10));
      EXPECT_TRUE(reader.done());
      EXPECT_EQ(read, part);
      merged.Add(read);
    }
    EXPECT_EQ(merged, whole);
  }
}

TEST(ExactSumTest, FewBytesForFewBits) {
  ExactSum sum;
  std::string bytes;
  sum.Put(bytes);
  EXPECT_EQ(bytes, std::string(1, '\0'));
  bytes.clear();
  sum.Add(-0.75);
  sum.Put(bytes);
  EXPECT_EQ(bytes.size(), 4u);  // sign and words, zeros, 3
}

TEST(ExactSumTest, RefusesMoreBitsThanMayBe) {
  ExactSum sum, read;
  sum.AddProduct(kMax, kMax);
  std::string bytes;
  sum.Put(bytes);
  CountsReader reader(bytes), again(bytes);
  EXPECT_TRUE(read.Read(reader, ExactSum::kProductBits));
  EXPECT_FALSE(read.Read(again, ExactSum::kProductBits - 1));
}

// No neighbour is nearer; of two that are as near the even one is taken.
void ExpectNearest(double value, const Rational& exact) {
  ASSERT_TRUE(std::isfinite(value));
  const Rational distance = abs(exact - Exact(value));
  for (const double towards : {kMax, -kMax}) {
    const Rational other = abs(exact - Exact(std::nextafter(value, towards)));
    EXPECT_LE(distance, other);
    if (distance == other) {
      EXPECT_EQ(std::bit_cast<uint64_t>(value) & 1, 0u);
    }
  }
}

TEST(RoundedTest, RatiosAreNearest) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 500; ++round) {
    const Integer numerator = (Integer(random()) << (random() % 2000)) + random();
    const Integer denominator = (Integer(random() | 1) << (random() % 2000)) + random() % 3;
    const Integer shifted = round % 5 == 0 ? Integer(denominator << (1000 + random() % 100)) : denominator;
    if (abs(static_cast<int64_t>(msb(numerator)) - static_cast<int64_t>(msb(shifted))) > 1020 && round % 5 != 0)
      continue;
    ExpectNearest(RoundedRatio(numerator, shifted), Rational(numerator, shifted));
    ExpectNearest(RoundedRatio(-numerator, shifted), Rational(-numerator, shifted));
  }
  const Integer tie = (Integer(1) << 54) + 2;  // between two doubles
  EXPECT_EQ(RoundedRatio(tie, 1), 0x1p54);
  EXPECT_EQ(RoundedRatio(tie * 3 + 1, 3), 0x1p54 + 4);
  EXPECT_EQ(RoundedRatio(0, 7), 0);
  EXPECT_EQ(RoundedRatio(1, Integer(1) << 1074), kLeast);
  EXPECT_EQ(RoundedRatio(1, Integer(1) << 1075), 0);
  EXPECT_EQ(RoundedRatio(3, Integer(1) << 1076), kLeast);
  EXPECT_EQ(RoundedRatio(Integer(1) << 1024, 1), std::numeric_limits<double>::infinity());
}

TEST(RoundedTest, RootsAreNearest) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 500; ++round) {
    const Integer numerator = (Integer(random()) << (random() % 1500)) + random();
    const Integer denominator = (Integer(random() | 1) << (random() % 1500)) + random() % 3;
    const double root = RoundedRoot(numerator, denominator);
    const Rational square(numerator, denominator);
    const Rational below = (Exact(root) + Exact(std::nextafter(root, 0))) / 2;
    const Rational above = (Exact(root) + Exact(std::nextafter(root, kMax))) / 2;
    EXPECT_LE(below * below, square);
    EXPECT_GE(above * above, square);
  }
  EXPECT_EQ(RoundedRoot(49, 4), 3.5);
  EXPECT_EQ(RoundedRoot(0, 4), 0);
}

TEST(RoundedTest, MeanIsRoundedOnce) {
  EXPECT_EQ(RoundedMean({}), 0);
  EXPECT_EQ(RoundedMean({1e300, 3, -1e300}), 1);
  EXPECT_EQ(RoundedMean({kMax, kMax}), kMax);
}

}  // namespace
}  // namespace gradeline

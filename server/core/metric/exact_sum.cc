#include "server/core/metric/exact_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

namespace gradeline {
namespace {

/// A finite double as mantissa times 2^(exponent - 1074).
struct Parts {
  uint64_t mantissa;
  int exponent;
  bool negative;
};

Parts PartsOf(double value) {
  const auto bits = std::bit_cast<uint64_t>(value);
  const uint64_t fraction = bits & ((uint64_t{1} << 52) - 1);
  const int field = static_cast<int>(bits >> 52 & 0x7ff);
  if (field == 0) return {fraction, 0, bits >> 63 != 0};
  return {fraction | uint64_t{1} << 52, field - 1, bits >> 63 != 0};
}

// Blocks of values become whole numbers of one unit. With 52 bits each, 1,024 of them add up in 64 bits and their
// squares in 128.
constexpr size_t kBlock = 1024;
constexpr int kWholeBits = 52;
// Blocks whose largest value is below 2^kHighest and not below 2^(kLowest - 1): scaling them is exact.
constexpr int kLowest = -900, kHighest = kWholeBits;

/// The least exponent with all magnitudes below 2^exponent.
int ExponentOf(absl::Span<const double> values) {
  constexpr size_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const double magnitude = std::abs(values[i + lane]);
      lanes[lane] = magnitude > lanes[lane] ? magnitude : lanes[lane];
    }
  }
  for (; i < values.size(); ++i) lanes[0] = std::max(lanes[0], std::abs(values[i]));
  int exponent = 0;
  std::frexp(*std::max_element(lanes.begin(), lanes.end()), &exponent);
  return exponent;
}

void AddSigned(__int128 value, int position, ExactSum& sum) {
  sum.AddAt(static_cast<unsigned __int128>(value < 0 ? -value : value), position, value < 0);
}

/// Adds a block of values below 2^exponent if each is a whole number of 2^(exponent - 52), or with `fine` of
/// 2^(exponent - 104); otherwise adds nothing and is false.
template <bool fine>
bool AddWhole(absl::Span<const double> values, int exponent, ExactSum& sum, ExactSum& squares, ExactSum* magnitudes) {
  const double scale = std::ldexp(1.0, kWholeBits - exponent);
  constexpr double kNext = static_cast<double>(int64_t{1} << kWholeBits);
  int64_t high_sum = 0, low_sum = 0, high_magnitude = 0, low_magnitude = 0, broken = 0;
  __int128 high_square = 0, cross = 0, low_square = 0;
  for (const double value : values) {
    const double scaled = value * scale;
    const auto high = static_cast<int64_t>(scaled);
    high_sum += high;
    high_magnitude += std::abs(high);
    high_square += static_cast<__int128>(high) * high;
    const double rest = scaled - static_cast<double>(high);
    if constexpr (fine) {
      const auto low = static_cast<int64_t>(rest * kNext);
      low_sum += low;
      low_magnitude += std::abs(low);
      cross += static_cast<__int128>(high) * low;
      low_square += static_cast<__int128>(low) * low;
      broken |= static_cast<double>(low) != rest * kNext ? 1 : 0;
    } else {
      broken |= rest != 0 ? 1 : 0;
    }
  }
  if (broken != 0) return false;
  const int unit = exponent - kWholeBits;
  AddSigned(high_sum, unit + ExactSum::kFinest, sum);
  AddSigned(high_square, 2 * unit + ExactSum::kFinest, squares);
  if (magnitudes != nullptr) AddSigned(high_magnitude, unit + ExactSum::kFinest, *magnitudes);
  if constexpr (fine) {
    AddSigned(low_sum, unit - kWholeBits + ExactSum::kFinest, sum);
    AddSigned(cross, 2 * unit - kWholeBits + 1 + ExactSum::kFinest, squares);
    AddSigned(low_square, 2 * (unit - kWholeBits) + ExactSum::kFinest, squares);
    if (magnitudes != nullptr) AddSigned(low_magnitude, unit - kWholeBits + ExactSum::kFinest, *magnitudes);
  }
  return true;
}

/// A whole number, and whether it was more before what is behind the point was cut off.
struct Cut {
  Integer whole;
  bool more = false;
};

/// numerator * 2^shift / denominator.
Cut Quotient(Integer numerator, Integer denominator, int64_t shift) {
  if (shift >= 0) numerator <<= shift;
  if (shift < 0) denominator <<= -shift;
  Integer quotient, rest;
  boost::multiprecision::divide_qr(numerator, denominator, quotient, rest);
  return {quotient, rest != 0};
}

/// `magnitude`, of at least 55 bits, times 2^exponent as the nearest double, ties to even.
double Rounded(const Cut& magnitude, int64_t exponent, bool negative) {
  const auto bits = static_cast<int64_t>(msb(magnitude.whole)) + 1;
  // Below 2^-1022 fewer bits are kept: none finer than 2^-1074.
  const int64_t kept = std::min<int64_t>(53, bits + exponent + 1074);
  if (kept < 0) return negative ? -0.0 : 0.0;
  const int64_t drop = bits - kept;
  auto mantissa = static_cast<uint64_t>(magnitude.whole >> drop);
  const Integer rest = magnitude.whole - (Integer(mantissa) << drop);
  const int half = rest.compare(Integer(1) << (drop - 1));
  if (half > 0 || (half == 0 && (magnitude.more || (mantissa & 1) != 0))) ++mantissa;
  const auto power = static_cast<int>(std::clamp<int64_t>(exponent + drop, -4000, 4000));
  const double value = std::ldexp(static_cast<double>(mantissa), power);
  return negative ? -value : value;
}

int64_t Excess(const Integer& numerator, const Integer& denominator) {
  return static_cast<int64_t>(msb(numerator)) - static_cast<int64_t>(msb(denominator));
}

}  // namespace

void ExactSum::AddAt(unsigned __int128 magnitude, int position, bool negative) {
  const auto first = static_cast<size_t>(position / 64);
  const int shift = position % 64;
  const unsigned __int128 low = magnitude << shift;
  const std::array<uint64_t, 3> parts{static_cast<uint64_t>(low), static_cast<uint64_t>(low >> 64),
                                      shift == 0 ? 0 : static_cast<uint64_t>(magnitude >> (128 - shift))};
  uint64_t carry = 0;
  for (size_t i = 0; first + i < kWords && (i < parts.size() || carry != 0); ++i) {
    const unsigned __int128 part = static_cast<unsigned __int128>(i < parts.size() ? parts[i] : 0) + carry;
    uint64_t& word = words_[first + i];
    const unsigned __int128 next = negative ? word - part : word + part;
    word = static_cast<uint64_t>(next);
    carry = static_cast<uint64_t>(next >> 64) & 1;
  }
}

void ExactSum::Add(double finite) {
  const Parts parts = PartsOf(finite);
  AddAt(parts.mantissa, parts.exponent + kFinest - 1074, parts.negative);
}

void ExactSum::AddProduct(double finite, double other_finite) {
  const Parts a = PartsOf(finite), b = PartsOf(other_finite);
  AddAt(static_cast<unsigned __int128>(a.mantissa) * b.mantissa, a.exponent + b.exponent, a.negative != b.negative);
}

void ExactSum::Add(const ExactSum& other) {
  uint64_t carry = 0;
  for (size_t i = 0; i < kWords; ++i) {
    const unsigned __int128 next = static_cast<unsigned __int128>(words_[i]) + other.words_[i] + carry;
    words_[i] = static_cast<uint64_t>(next);
    carry = static_cast<uint64_t>(next >> 64);
  }
}

ExactSum::Words ExactSum::Magnitude() const {
  Words words = words_;
  if (!negative()) return words;
  uint64_t carry = 1;
  for (uint64_t& word : words) {
    word = ~word + carry;
    carry = carry != 0 && word == 0 ? 1 : 0;
  }
  return words;
}

int ExactSum::bits() const {
  const Words words = Magnitude();
  for (size_t i = kWords; i-- > 0;) {
    if (words[i] != 0) return static_cast<int>(i) * 64 + std::bit_width(words[i]);
  }
  return 0;
}

Integer ExactSum::Multiple() const {
  const Words words = Magnitude();
  Integer integer;
  for (size_t i = kWords; i-- > 0;) integer = (integer << 64) | words[i];
  return negative() ? Integer(-integer) : integer;
}

// How many words and the sign, how many zeros are below, and the words above them.
void ExactSum::Put(std::string& bytes) const {
  const int most = bits();
  if (most == 0) return PutUnsigned(0, bytes);
  const Words words = Magnitude();
  size_t first = 0;
  while (words[first] == 0) ++first;
  const int shift = std::countr_zero(words[first]);
  const int zeros = static_cast<int>(first) * 64 + shift;
  const auto count = static_cast<size_t>(most - zeros + 63) / 64;
  PutUnsigned(count << 1 | (negative() ? 1 : 0), bytes);
  PutUnsigned(static_cast<uint64_t>(zeros), bytes);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t above = first + i + 1 < kWords && shift != 0 ? words[first + i + 1] << (64 - shift) : 0;
    PutUnsigned(words[first + i] >> shift | above, bytes);
  }
}

bool ExactSum::Read(CountsReader& reader, int most_bits) {
  words_ = {};
  const uint64_t head = reader.Unsigned();
  if (head == 0) return reader.ok();
  const int zeros = static_cast<int>(reader.Count(most_bits));
  const uint64_t count = head >> 1;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t word = reader.Unsigned();
    const uint64_t end = static_cast<uint64_t>(zeros) + 64 * i + static_cast<uint64_t>(std::bit_width(word));
    if (!reader.ok() || i >= kWords || end > static_cast<uint64_t>(most_bits)) return false;
    AddAt(word, zeros + static_cast<int>(64 * i), (head & 1) != 0);
  }
  return reader.ok();
}

void AddAll(absl::Span<const double> values, ExactSum& sum, ExactSum& squares, ExactSum* magnitudes) {
  for (; !values.empty(); values.remove_prefix(std::min(kBlock, values.size()))) {
    const absl::Span<const double> block = values.first(std::min(kBlock, values.size()));
    const int exponent = ExponentOf(block);
    const bool scales = exponent >= kLowest && exponent <= kHighest;
    if (scales && AddWhole<false>(block, exponent, sum, squares, magnitudes)) continue;
    if (scales && AddWhole<true>(block, exponent, sum, squares, magnitudes)) continue;
    for (const double value : block) {
      sum.Add(value);
      squares.AddProduct(value, value);
      if (magnitudes != nullptr) magnitudes->Add(std::abs(value));
    }
  }
}

double RoundedRatio(const Integer& numerator, const Integer& denominator, int64_t exponent) {
  if (numerator == 0) return 0;
  const Integer magnitude = abs(numerator);
  const int64_t shift = 66 - Excess(magnitude, denominator);
  return Rounded(Quotient(magnitude, denominator, shift), exponent - shift, numerator < 0);
}

double RoundedRoot(const Integer& numerator, const Integer& denominator, int64_t exponent) {
  if (numerator == 0) return 0;
  int64_t shift = 132 - Excess(numerator, denominator);
  shift += shift & 1;
  const Cut square = Quotient(numerator, denominator, shift);
  Integer rest;
  const Integer root = sqrt(square.whole, rest);
  return Rounded({root, square.more || rest != 0}, (exponent - shift) / 2, false);
}

double RoundedMean(absl::Span<const double> values) {
  if (values.empty()) return 0;
  ExactSum sum;
  for (const double value : values) sum.Add(value);
  return RoundedRatio(sum.Multiple(), values.size(), -ExactSum::kFinest);
}

}  // namespace gradeline

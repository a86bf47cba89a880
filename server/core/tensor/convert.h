// Half and brain floats to and from float and double, one number at a time and inline, so that loops vectorise.
// Deliberately knows nothing of tensors. Numbers are narrowed straight from the type they come in (f64 never passes
// through f32, which would round twice): nearest, ties to even, beyond the range infinity. NaN stays NaN with its sign
// and upper payload bits.
#ifndef GRADELINE_SERVER_CORE_TENSOR_CONVERT_H_
#define GRADELINE_SERVER_CORE_TENSOR_CONVERT_H_

#include <bit>
#include <cstdint>
#include <type_traits>

namespace gradeline {

/// Exact.
inline float WidenF16(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7fffu;
  constexpr uint32_t kRebias = (127u - 15u) << 23;
  // A subnormal is m * 2^-24: put m below the leading one of 2^-14 and take the one away again.
  constexpr uint32_t kLeast = 113u << 23;
  const float subnormal = std::bit_cast<float>(kLeast | (magnitude << 13)) - std::bit_cast<float>(kLeast);
  uint32_t bits = (magnitude << 13) + kRebias;
  bits = magnitude >= 0x7c00u ? bits + kRebias : bits;
  bits = magnitude < 0x0400u ? std::bit_cast<uint32_t>(subnormal) : bits;
  return std::bit_cast<float>(bits | sign);
}

/// Exact.
inline float WidenBF16(uint16_t brain) { return std::bit_cast<float>(static_cast<uint32_t>(brain) << 16); }

namespace convert_internal {

/// Narrows `value` to 16 bits with `kMantissa` stored mantissa bits. The whole source mantissa is shifted right once,
/// with the bits that fall off rounding it, in the normal and in the subnormal range: one rounding.
template <int kMantissa, typename Real>
uint16_t Narrow(Real value) {
  using Bits = std::conditional_t<sizeof(Real) == 8, uint64_t, uint32_t>;
  constexpr int kSourceMantissa = sizeof(Real) == 8 ? 52 : 23;
  constexpr int kSourceBias = sizeof(Real) == 8 ? 1023 : 127;
  constexpr int kBias = (1 << (14 - kMantissa)) - 1;
  constexpr int kDrop = kSourceMantissa - kMantissa;
  constexpr uint16_t kInfinity = static_cast<uint16_t>(0x7fff >> kMantissa << kMantissa);
  constexpr Bits kSourceInfinity = static_cast<Bits>(2 * kSourceBias + 1) << kSourceMantissa;
  constexpr Bits kOne = 1;

  const Bits all = std::bit_cast<Bits>(value);
  const Bits magnitude = all & ~(kOne << (8 * sizeof(Real) - 1));
  const auto sign = static_cast<uint16_t>((all >> (8 * sizeof(Real) - 16)) & 0x8000u);
  const auto payload = static_cast<uint16_t>((magnitude >> kDrop) & ((1u << kMantissa) - 1));
  if (magnitude > kSourceInfinity) return static_cast<uint16_t>(sign | kInfinity | (1u << (kMantissa - 1)) | payload);

  const int field = static_cast<int>(magnitude >> kSourceMantissa);
  const int exponent = (field == 0 ? 1 : field) - kSourceBias;
  if (exponent > kBias) return static_cast<uint16_t>(sign | kInfinity);
  Bits kept = 0;
  int drop = kDrop;
  if (exponent >= 1 - kBias && field != 0) {
    kept = magnitude - (static_cast<Bits>(kSourceBias - kBias) << kSourceMantissa);
  } else {
    kept = (magnitude & ((kOne << kSourceMantissa) - 1)) | (field == 0 ? Bits{0} : kOne << kSourceMantissa);
    drop += 1 - kBias - exponent;
    if (drop > kSourceMantissa + 1) return sign;  // below half of the least subnormal
  }
  const Bits rounded = (kept + ((kOne << (drop - 1)) - 1) + ((kept >> drop) & 1)) >> drop;
  return static_cast<uint16_t>(sign |
                               rounded);  // a carry out of the mantissa raises the exponent, at the end to infinity
}

}  // namespace convert_internal

inline uint16_t NarrowToF16(float value) { return convert_internal::Narrow<10>(value); }
inline uint16_t NarrowToF16(double value) { return convert_internal::Narrow<10>(value); }
inline uint16_t NarrowToBF16(float value) { return convert_internal::Narrow<7>(value); }
inline uint16_t NarrowToBF16(double value) { return convert_internal::Narrow<7>(value); }

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_TENSOR_CONVERT_H_

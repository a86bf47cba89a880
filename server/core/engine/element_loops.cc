#include "server/core/engine/element_loops.h"

// Highway compiles what follows once per instruction set; the compiler finds the vectors by itself.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "server/core/engine/element_loops.cc"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// After it:
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace gradeline::HWY_NAMESPACE {
namespace {

// An element of memory that may be unaligned.
template <typename T>
HWY_INLINE T Read(const std::byte* data, int64_t i) {
  T value;
  std::memcpy(&value, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

// True if the exponent of no value is all ones. Adding the exponent's lowest bit carries into the sign exactly then.
template <typename Real>
HWY_INLINE bool Finite(const Real* values, int64_t count) {
  using Bits = std::conditional_t<sizeof(Real) == 8, uint64_t, uint32_t>;
  constexpr Bits kLowest = Bits{1} << (std::numeric_limits<Real>::digits - 1);
  constexpr Bits kExponent = (~Bits{0} >> 1) & ~(kLowest - 1);
  Bits carries = 0;
  for (int64_t i = 0; i < count; ++i) carries |= (std::bit_cast<Bits>(values[i]) & kExponent) + kLowest;
  return (carries >> (8 * sizeof(Real) - 1)) == 0;
}

template <typename Real>
HWY_INLINE bool Within(const Real* values, int64_t count, Real min, Real max) {
  using Bits = std::conditional_t<sizeof(Real) == 8, uint64_t, uint32_t>;
  if (min == 0 && max > 0) {
    // Read as integers, numbers above 0 are in their order, and all below 0 and NaN come after the infinite one.
    Bits highest = 0;
    for (int64_t i = 0; i < count; ++i) highest = std::max(highest, std::bit_cast<Bits>(values[i]));
    if (highest <= std::bit_cast<Bits>(max)) return true;  // else there may be a -0 only
  }
  using Word = std::conditional_t<sizeof(Real) == 8, int64_t, int32_t>;
  Word outside = 0;
  for (int64_t i = 0; i < count; ++i) outside |= static_cast<Word>(!((values[i] >= min) & (values[i] <= max)));
  return outside == 0;
}

// Bits of a label in 32-bit words, of which vectors hold more: `low`, and what is above it.
struct LabelWords {
  uint32_t low, high;
};

template <typename T>
HWY_INLINE LabelWords ReadLabel(const std::byte* from, int64_t i) {
  if constexpr (sizeof(T) == 8) {
    static_assert(std::endian::native == std::endian::little);
    return {Read<uint32_t>(from, 2 * i), Read<uint32_t>(from, 2 * i + 1)};
  } else {
    const auto label = static_cast<int32_t>(Read<T>(from, i));
    return {static_cast<uint32_t>(label), static_cast<uint32_t>(label >> 31)};
  }
}

template <typename T>
HWY_INLINE bool CopyLabels(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to) {
  const uint32_t size = range.size;
  const int64_t ignore = range.ignore.value_or(0);
  const auto ignore_low = static_cast<uint32_t>(ignore), ignore_high = static_cast<uint32_t>(ignore >> 32);
  const bool may_ignore = range.ignore.has_value();
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    const LabelWords label = ReadLabel<T>(from, i);
    const bool ignored = may_ignore & (label.low == ignore_low) & (label.high == ignore_high);
    const bool in_range = (label.high == 0) & (label.low < size);
    bad |= static_cast<uint32_t>(!ignored & !in_range);
    to[i] = ignored | !in_range ? -1 : static_cast<int32_t>(label.low);
  }
  return bad != 0;
}

bool FiniteF32(const float* values, int64_t count) { return Finite(values, count); }
bool FiniteF64(const double* values, int64_t count) { return Finite(values, count); }
bool WithinF32(const float* values, int64_t count, float min, float max) { return Within(values, count, min, max); }
bool WithinF64(const double* values, int64_t count, double min, double max) { return Within(values, count, min, max); }
bool LabelsU8(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to) {
  return CopyLabels<uint8_t>(from, count, range, to);
}
bool LabelsI32(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to) {
  return CopyLabels<int32_t>(from, count, range, to);
}
bool LabelsI64(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to) {
  return CopyLabels<int64_t>(from, count, range, to);
}
uint32_t Highest(const int32_t* labels, int64_t count) {
  uint32_t highest = 0;
  for (int64_t i = 0; i < count; ++i) highest = std::max(highest, static_cast<uint32_t>(labels[i]));
  return highest;
}
int64_t Valid(const int32_t* labels, int64_t count) {
  int64_t valid = 0;
  constexpr int64_t kChunk = int64_t{1} << 20;  // of which vectors count in 32 bits
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    int32_t some = 0;
    for (int64_t i = begin, end = std::min(count, begin + kChunk); i < end; ++i) some += labels[i] >= 0 ? 1 : 0;
    valid += some;
  }
  return valid;
}

}  // namespace
}  // namespace gradeline::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(FiniteF32);
HWY_EXPORT(FiniteF64);
HWY_EXPORT(WithinF32);
HWY_EXPORT(WithinF64);
HWY_EXPORT(LabelsU8);
HWY_EXPORT(LabelsI32);
HWY_EXPORT(LabelsI64);
HWY_EXPORT(Highest);
HWY_EXPORT(Valid);

}  // namespace

bool AllFinite(const float* values, int64_t count) { return HWY_DYNAMIC_DISPATCH(FiniteF32)(values, count); }
bool AllFinite(const double* values, int64_t count) { return HWY_DYNAMIC_DISPATCH(FiniteF64)(values, count); }

bool AllWithin(const float* values, int64_t count, double min, double max) {
  // A bound that a float cannot hold is moved inwards, so that no value beyond it passes.
  auto low = static_cast<float>(min), high = static_cast<float>(max);
  if (static_cast<double>(low) < min) low = std::nextafter(low, std::numeric_limits<float>::infinity());
  if (static_cast<double>(high) > max) high = std::nextafter(high, -std::numeric_limits<float>::infinity());
  return HWY_DYNAMIC_DISPATCH(WithinF32)(values, count, low, high);
}
bool AllWithin(const double* values, int64_t count, double min, double max) {
  return HWY_DYNAMIC_DISPATCH(WithinF64)(values, count, min, max);
}

bool AllBelow(const int32_t* labels, int64_t count, uint32_t size) {
  return HWY_DYNAMIC_DISPATCH(Highest)(labels, count) < size;
}

bool CopyLabelsU8(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to) {
  return HWY_DYNAMIC_DISPATCH(LabelsU8)(from, count, range, to);
}
bool CopyLabelsI32(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to) {
  return HWY_DYNAMIC_DISPATCH(LabelsI32)(from, count, range, to);
}
bool CopyLabelsI64(const std::byte* from, int64_t count, const LabelRange& range, int32_t* to) {
  return HWY_DYNAMIC_DISPATCH(LabelsI64)(from, count, range, to);
}

int64_t CountValid(const int32_t* labels, int64_t count) { return HWY_DYNAMIC_DISPATCH(Valid)(labels, count); }

}  // namespace gradeline
#endif  // HWY_ONCE

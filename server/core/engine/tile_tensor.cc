#include "server/core/engine/tile_tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "server/core/tensor/convert.h"

namespace gradeline {
namespace {

// An element of memory that may be unaligned.
template <typename T>
T Read(const std::byte* data, int64_t i) {
  T value;
  std::memcpy(&value, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T, typename Real>
void Widen(const std::byte* from, int64_t count, Real* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<Real>(Read<T>(from, i));
}

template <float (*widen)(uint16_t), typename Real>
void WidenHalf(const std::byte* from, int64_t count, Real* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<Real>(widen(Read<uint16_t>(from, i)));
}

template <typename Real>
void CopyReals(DType dtype, const std::byte* from, int64_t count, Real* to) {
  switch (dtype) {
    case DType::kF32:
      return Widen<float>(from, count, to);
    case DType::kF64:
      return Widen<double>(from, count, to);
    case DType::kF16:
      return WidenHalf<WidenF16>(from, count, to);
    default:
      return WidenHalf<WidenBF16>(from, count, to);
  }
}

// Bits of a label in 32-bit words, so that compilers find vectors for the oldest machines: `low`, and what is above it.
struct LabelWords {
  uint32_t low, high;
};

template <typename T>
LabelWords ReadLabel(const std::byte* from, int64_t i) {
  if constexpr (sizeof(T) == 8) {
    static_assert(std::endian::native == std::endian::little);
    return {Read<uint32_t>(from, 2 * i), Read<uint32_t>(from, 2 * i + 1)};
  } else {
    const auto label = static_cast<int32_t>(Read<T>(from, i));
    return {static_cast<uint32_t>(label), static_cast<uint32_t>(label >> 31)};
  }
}

template <typename T>
bool CopyLabels(const TensorPlan& tensor, const std::byte* from, int64_t count, int32_t* to) {
  const auto size = static_cast<uint32_t>(std::min<int64_t>(tensor.label_size, int64_t{1} << 31));
  const int64_t ignore = tensor.ignore.value_or(0);
  const auto ignore_low = static_cast<uint32_t>(ignore), ignore_high = static_cast<uint32_t>(ignore >> 32);
  const bool may_ignore = tensor.ignore.has_value();
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

// True if the exponent of no value is all ones. Adding the exponent's lowest bit carries into the sign exactly then.
template <typename Real>
bool AllFinite(const Real* values, int64_t count) {
  using Bits = std::conditional_t<sizeof(Real) == 8, uint64_t, uint32_t>;
  constexpr Bits kLowest = Bits{1} << (std::numeric_limits<Real>::digits - 1);
  constexpr Bits kExponent = (~Bits{0} >> 1) & ~(kLowest - 1);
  Bits carries = 0;
  for (int64_t i = 0; i < count; ++i) carries |= (std::bit_cast<Bits>(values[i]) & kExponent) + kLowest;
  return (carries >> (8 * sizeof(Real) - 1)) == 0;
}

template <typename Real>
bool AllWithin(const Real* values, int64_t count, double min, double max) {
  using Word = std::conditional_t<sizeof(Real) == 8, int64_t, int32_t>;
  Word outside = 0;
  // A bound that Real cannot hold is moved inwards, so that no value beyond it passes.
  Real low = static_cast<Real>(min), high = static_cast<Real>(max);
  if (static_cast<double>(low) < min) low = std::nextafter(low, std::numeric_limits<Real>::infinity());
  if (static_cast<double>(high) > max) high = std::nextafter(high, -std::numeric_limits<Real>::infinity());
  for (int64_t i = 0; i < count; ++i) outside |= static_cast<Word>(!((values[i] >= low) & (values[i] <= high)));
  return outside == 0;
}

template <typename Real>
bool RunsFit(const TensorPlan& tensor, const TileRuns& runs, const Real* at, int64_t stride, bool finite) {
  bool fit = true;
  for (int64_t r = 0; r < runs.runs; ++r, at += stride) {
    if (finite) fit &= AllFinite(at, runs.length);
    if (tensor.ranged) fit &= AllWithin(at, runs.length, tensor.min, tensor.max);
  }
  return fit;
}

template <typename Real>
void CopyOutRun(DType dtype, const Real* from, int64_t count, std::byte* to) {
  const auto store = [&](auto narrow) {
    for (int64_t i = 0; i < count; ++i) {
      const auto value = narrow(from[i]);
      std::memcpy(to + i * static_cast<int64_t>(sizeof(value)), &value, sizeof(value));
    }
  };
  switch (dtype) {
    case DType::kF32:
      return store([](Real value) { return static_cast<float>(value); });
    case DType::kF64:
      return store([](Real value) { return static_cast<double>(value); });
    case DType::kF16:
      return store([](Real value) { return NarrowToF16(value); });
    default:
      return store([](Real value) { return NarrowToBF16(value); });
  }
}

template <typename Sum, typename Real>
void AddOutRun(const Real* from, const std::byte* sum, int64_t count, DType dtype, std::byte* to) {
  constexpr int64_t kBlock = 256;
  std::array<Sum, kBlock> block;
  for (int64_t done = 0; done < count; done += kBlock) {
    const int64_t size = std::min(kBlock, count - done);
    std::memcpy(block.data(), sum + done * static_cast<int64_t>(sizeof(Sum)), static_cast<size_t>(size) * sizeof(Sum));
    for (int64_t i = 0; i < size; ++i) block[static_cast<size_t>(i)] += static_cast<Sum>(from[done + i]);
    CopyOutRun(dtype, block.data(), size, to + done * static_cast<int64_t>(SizeOf(dtype)));
  }
}

template <typename Sum, typename Real>
void AddOutRuns(const TileRuns& runs, const Real* from, const std::byte* sum, DType dtype, std::byte* to) {
  for (int64_t r = 0; r < runs.runs; ++r) {
    const int64_t at = runs.first + r * runs.stride;
    AddOutRun<Sum>(from + r * runs.length, sum + at * static_cast<int64_t>(sizeof(Sum)), runs.length, dtype,
                   to + at * static_cast<int64_t>(SizeOf(dtype)));
  }
}

}  // namespace

TileRuns RunsOf(const TensorPlan& tensor, int64_t inner, const TileBox& box) {
  if (tensor.whole) return {0, 1, tensor.small, 0};
  const int64_t first = box.first_outer * tensor.small * inner + box.first_inner;
  if (box.inner == inner) return {first, 1, box.outer * tensor.small * inner, 0};
  return {first, tensor.small, box.inner, inner};
}

bool CopyIn(const TensorPlan& tensor, const TileRuns& runs, const void* data, int real_bytes, void* out) {
  const auto element_bytes = static_cast<int64_t>(SizeOf(tensor.dtype));
  const std::byte* from = static_cast<const std::byte*>(data) + runs.first * element_bytes;
  bool bad = false;
  for (int64_t r = 0; r < runs.runs; ++r, from += runs.stride * element_bytes) {
    const int64_t to = r * runs.length;
    if (!tensor.label) {
      real_bytes == 8 ? CopyReals(tensor.dtype, from, runs.length, static_cast<double*>(out) + to)
                      : CopyReals(tensor.dtype, from, runs.length, static_cast<float*>(out) + to);
    } else if (tensor.dtype == DType::kU8) {
      bad |= CopyLabels<uint8_t>(tensor, from, runs.length, static_cast<int32_t*>(out) + to);
    } else if (tensor.dtype == DType::kI32) {
      bad |= CopyLabels<int32_t>(tensor, from, runs.length, static_cast<int32_t*>(out) + to);
    } else {
      bad |= CopyLabels<int64_t>(tensor, from, runs.length, static_cast<int32_t*>(out) + to);
    }
  }
  return bad;
}

bool RealsFit(const TensorPlan& tensor, const TileRuns& runs, const void* at, int64_t stride, int real_bytes,
              bool finite) {
  return real_bytes == 8 ? RunsFit(tensor, runs, static_cast<const double*>(at), stride, finite)
                         : RunsFit(tensor, runs, static_cast<const float*>(at), stride, finite);
}

double ValueAt(DType dtype, const void* data, int64_t element) {
  const auto* from = static_cast<const std::byte*>(data);
  switch (dtype) {
    case DType::kF32:
      return Read<float>(from, element);
    case DType::kF64:
      return Read<double>(from, element);
    case DType::kF16:
      return WidenF16(Read<uint16_t>(from, element));
    case DType::kBF16:
      return WidenBF16(Read<uint16_t>(from, element));
    case DType::kU8:
      return Read<uint8_t>(from, element);
    case DType::kI32:
      return Read<int32_t>(from, element);
    case DType::kI64:
      return static_cast<double>(Read<int64_t>(from, element));
  }
  return 0;
}

int64_t LabelAt(const void* data, int64_t element) {
  return Read<int64_t>(static_cast<const std::byte*>(data), element);
}

bool IsRight(const TensorPlan& tensor, const void* data, int64_t element, bool finite) {
  if (tensor.label) {
    const int64_t label = tensor.dtype == DType::kI64 ? LabelAt(data, element)
                                                      : static_cast<int64_t>(ValueAt(tensor.dtype, data, element));
    return label == tensor.ignore || (label >= 0 && label < tensor.label_size);
  }
  const double value = ValueAt(tensor.dtype, data, element);
  if (finite && !std::isfinite(value)) return false;
  return !tensor.ranged || (value >= tensor.min && value <= tensor.max);
}

std::optional<BadElement> FindBad(const TensorPlan& tensor, int64_t inner, const TileBox& box, const void* data,
                                  bool finite) {
  std::optional<BadElement> best;
  const auto look = [&](int64_t item, int64_t element) {
    if (best && (best->item < item || (best->item == item && best->element < element))) return;
    if (!IsRight(tensor, data, element, finite)) best = BadElement{item, element};
  };
  if (tensor.whole) {
    for (int64_t k = 0; k < tensor.small && !best; ++k) look(0, k);
    return best;
  }
  for (int64_t o = box.first_outer; o < box.first_outer + box.outer && !best; ++o) {
    for (int64_t k = 0; k < tensor.small; ++k) {
      for (int64_t i = box.first_inner; i < box.first_inner + box.inner; ++i) {
        look(o * inner + i, (o * tensor.small + k) * inner + i);
      }
    }
  }
  return best;
}

void CopyOut(DType dtype, const TileRuns& runs, const void* from, int real_bytes, void* data) {
  const auto element_bytes = static_cast<int64_t>(SizeOf(dtype));
  auto* to = static_cast<std::byte*>(data) + runs.first * element_bytes;
  for (int64_t r = 0; r < runs.runs; ++r, to += runs.stride * element_bytes) {
    if (real_bytes == 8) {
      CopyOutRun(dtype, static_cast<const double*>(from) + r * runs.length, runs.length, to);
    } else {
      CopyOutRun(dtype, static_cast<const float*>(from) + r * runs.length, runs.length, to);
    }
  }
}

void AddOut(DType sum_dtype, const TileRuns& runs, const void* from, int real_bytes, const void* sum, DType dtype,
            void* data) {
  const auto* onto = static_cast<const std::byte*>(sum);
  auto* to = static_cast<std::byte*>(data);
  const auto add = [&](const auto* reals) {
    sum_dtype == DType::kF64 ? AddOutRuns<double>(runs, reals, onto, dtype, to)
                             : AddOutRuns<float>(runs, reals, onto, dtype, to);
  };
  real_bytes == 8 ? add(static_cast<const double*>(from)) : add(static_cast<const float*>(from));
}

int64_t CountValid(const int32_t* labels, int64_t count) {
  int64_t valid = 0;
  for (int64_t i = 0; i < count; ++i) valid += labels[i] >= 0 ? 1 : 0;
  return valid;
}

}  // namespace gradeline

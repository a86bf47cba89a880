#include "server/core/engine/tile_tensor.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "server/core/engine/element_loops.h"
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

// A whole int32 cannot be out of range of a larger size.
LabelRange RangeOf(const TensorPlan& tensor) {
  return {static_cast<uint32_t>(std::min<int64_t>(tensor.label_size, int64_t{1} << 31)), tensor.ignore};
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
    } else {
      const auto copy = tensor.dtype == DType::kU8    ? CopyLabelsU8
                        : tensor.dtype == DType::kI32 ? CopyLabelsI32
                                                      : CopyLabelsI64;
      bad |= copy(from, runs.length, RangeOf(tensor), static_cast<int32_t*>(out) + to);
    }
  }
  return bad;
}

bool LabelsFitInPlace(const TensorPlan& tensor, const TileRuns& runs, const void* data, bool fit) {
  if (tensor.dtype != DType::kI32 || runs.runs != 1) return false;
  const auto* labels = static_cast<const int32_t*>(data) + runs.first;
  if (reinterpret_cast<uintptr_t>(labels) % sizeof(int32_t) != 0) return false;
  const LabelRange range = RangeOf(tensor);
  if (range.ignore && *range.ignore >= 0 && *range.ignore < range.size) return false;
  return fit || AllBelow(labels, runs.length, range.size);
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

}  // namespace gradeline

// Elements of a tensor as numbers: f32 and f64 as they are, the 16-bit types widened, whole numbers as int64. Memory
// may be unaligned.
#ifndef GRADELINE_SERVER_CORE_METRIC_TYPED_H_
#define GRADELINE_SERVER_CORE_METRIC_TYPED_H_

#include <cstdint>
#include <cstring>

#include "server/core/tensor/convert.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

/// Element `i` of contiguous memory of elements of `dtype`.
template <DType dtype>
auto ReadAs(const void* data, int64_t i) {
  const auto read = [&](auto value) {
    std::memcpy(&value, static_cast<const std::byte*>(data) + i * static_cast<int64_t>(sizeof(value)), sizeof(value));
    return value;
  };
  if constexpr (dtype == DType::kF32) return read(float{});
  if constexpr (dtype == DType::kF64) return read(double{});
  if constexpr (dtype == DType::kF16) return WidenF16(read(uint16_t{}));
  if constexpr (dtype == DType::kBF16) return WidenBF16(read(uint16_t{}));
  if constexpr (dtype == DType::kU8) return int64_t{read(uint8_t{})};
  if constexpr (dtype == DType::kI32) return int64_t{read(int32_t{})};
  if constexpr (dtype == DType::kI64) return read(int64_t{});
}

/// A DType as a type, for code that is written once per type.
template <DType value>
struct DTypeConstant {
  static constexpr DType dtype = value;
};

/// Calls `work` with the DTypeConstant of `dtype`, which must be one of the seven.
template <typename Work>
decltype(auto) WithDType(DType dtype, Work&& work) {
  switch (dtype) {
    case DType::kF64:
      return work(DTypeConstant<DType::kF64>());
    case DType::kF16:
      return work(DTypeConstant<DType::kF16>());
    case DType::kBF16:
      return work(DTypeConstant<DType::kBF16>());
    case DType::kU8:
      return work(DTypeConstant<DType::kU8>());
    case DType::kI32:
      return work(DTypeConstant<DType::kI32>());
    case DType::kI64:
      return work(DTypeConstant<DType::kI64>());
    case DType::kF32:
      break;
  }
  return work(DTypeConstant<DType::kF32>());
}

/// Element `i` as a double (whole numbers beyond 2^53 rounded).
inline double ReadDouble(const TensorView& tensor, int64_t i) {
  return WithDType(tensor.dtype,
                   [&](auto type) { return static_cast<double>(ReadAs<decltype(type)::dtype>(tensor.data, i)); });
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_TYPED_H_

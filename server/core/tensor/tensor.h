// Element types, shapes and borrowed views of tensors. Owns no memory.
#ifndef GRADELINE_SERVER_CORE_TENSOR_TENSOR_H_
#define GRADELINE_SERVER_CORE_TENSOR_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace gradeline {

/// Type of an element. The numbers are those of gradeline.v1.DataType.
enum class DType : uint8_t { kF32 = 1, kF64 = 2, kF16 = 3, kBF16 = 4, kU8 = 5, kI32 = 6, kI64 = 7 };

size_t SizeOf(DType dtype);                              ///< bytes of one element; 0 for a number that is no DType
std::string_view NameOf(DType dtype);                    ///< "f32"; "unknown" for a number that is no DType
std::optional<DType> ParseDType(std::string_view name);  ///< inverse of NameOf
bool IsReal(DType dtype);                                ///< f32, f64, f16, bf16

/// Number of elements of a shape (1 for the empty one); nullopt if a size is negative or the product overflows. Sizes
/// of 0 count as 1 for the overflow, so that the product of any of the sizes fits too.
std::optional<int64_t> ElementCount(absl::Span<const int64_t> shape);

/// "[8, 10]".
std::string ShapeText(absl::Span<const int64_t> shape);

/// A dense row-major tensor in little-endian memory of somebody else. `data` may be unaligned.
struct TensorView {
  DType dtype = DType::kF32;
  absl::Span<const int64_t> shape;
  const void* data = nullptr;
};

/// INVALID_ARGUMENT with all violations (fields "shape[i]", "shape", "data_type", "data", below `field`) unless every
/// size is
/// >= 0, the product fits, at most 16 axes are given, the type is known and `bytes` is exactly what shape and type
/// need.
absl::Status CheckTensor(std::string_view field, DType dtype, absl::Span<const int64_t> shape, size_t bytes);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_TENSOR_TENSOR_H_

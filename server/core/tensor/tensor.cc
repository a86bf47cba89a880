#include "server/core/tensor/tensor.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  size_t bytes;
};
constexpr DTypeRow kDTypes[] = {
    {DType::kF32, "f32", 4}, {DType::kF64, "f64", 8}, {DType::kF16, "f16", 2}, {DType::kBF16, "bf16", 2},
    {DType::kU8, "u8", 1},   {DType::kI32, "i32", 4}, {DType::kI64, "i64", 8},
};
constexpr size_t kMostAxes = 16;

const DTypeRow* FindRow(DType dtype) {
  const auto* row =
      std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](const DTypeRow& r) { return r.dtype == dtype; });
  return row == std::end(kDTypes) ? nullptr : row;
}

}  // namespace

size_t SizeOf(DType dtype) {
  const DTypeRow* row = FindRow(dtype);
  return row == nullptr ? 0 : row->bytes;
}

std::string_view NameOf(DType dtype) {
  const DTypeRow* row = FindRow(dtype);
  return row == nullptr ? "unknown" : row->name;
}

std::optional<DType> ParseDType(std::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

bool IsReal(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kF16 || dtype == DType::kBF16;
}

std::optional<int64_t> ElementCount(absl::Span<const int64_t> shape) {
  int64_t product = 1;
  bool empty = false;
  for (const int64_t size : shape) {
    if (size < 0) return std::nullopt;
    empty |= size == 0;
    if (__builtin_mul_overflow(product, std::max<int64_t>(size, 1), &product)) return std::nullopt;
  }
  return empty ? 0 : product;
}

std::string ShapeText(absl::Span<const int64_t> shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

absl::Status CheckTensor(std::string_view field, DType dtype, absl::Span<const int64_t> shape, size_t bytes) {
  Violations violations;
  const auto add = [&](const std::string& below, std::string description) {
    violations.Add(field.empty() ? below : absl::StrCat(std::string(field), ".", below), std::move(description));
  };
  if (shape.size() > kMostAxes) {
    add("shape", absl::StrCat("has ", shape.size(), " axes; at most ", kMostAxes, " are allowed"));
    return violations.ToStatus();
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) add(absl::StrCat("shape[", i, "]"), absl::StrCat("is ", shape[i], "; sizes are 0 or more"));
  }
  const size_t element_bytes = SizeOf(dtype);
  if (element_bytes == 0) add("data_type", absl::StrCat("is ", static_cast<int>(dtype), "; allowed are 1 to 7"));
  if (!violations.empty()) return violations.ToStatus();

  const std::optional<int64_t> count = ElementCount(shape);
  int64_t expected = 0;
  if (!count || __builtin_mul_overflow(*count, static_cast<int64_t>(element_bytes), &expected)) {
    add("shape",
        absl::StrCat(ShapeText(shape), " of ", std::string(NameOf(dtype)), " has more bytes than fit in 63 bits"));
  } else if (bytes != static_cast<uint64_t>(expected)) {
    add("data", absl::StrCat("has ", bytes, " bytes; shape ", ShapeText(shape), " of ", std::string(NameOf(dtype)),
                             " needs ", expected));
  }
  return violations.ToStatus();
}

}  // namespace gradeline

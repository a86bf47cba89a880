// See narrow.h.
#include "client/cli/narrow.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

// Rounds once, from double, so that no value is rounded twice on its way.
uint16_t Narrow(double value, int mantissa_bits, int exponent_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int infinite = ((1 << exponent_bits) - 1) << mantissa_bits;
  const int sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | infinite | 1 << (mantissa_bits - 1));
  if (std::isinf(value)) return static_cast<uint16_t>(sign | infinite);
  if (value == 0) return static_cast<uint16_t>(sign);
  const double magnitude = std::fabs(value);
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  exponent = std::max(exponent - 1, 1 - bias);
  // In units of the last place, at most 2^(mantissa_bits + 1); carrying over into the exponent is what addition does.
  const auto units = static_cast<int>(std::nearbyint(std::ldexp(magnitude, mantissa_bits - exponent)));
  const int64_t bits = (static_cast<int64_t>(exponent + bias - 1) << mantissa_bits) + units;
  return static_cast<uint16_t>(sign | std::min<int64_t>(bits, infinite));
}

template <typename Wide>
std::string NarrowAll(const std::string& data, uint16_t (*narrow)(double)) {
  const size_t count = data.size() / sizeof(Wide);
  std::string out(count * sizeof(uint16_t), '\0');
  for (size_t i = 0; i < count; ++i) {
    Wide wide;
    std::memcpy(&wide, data.data() + i * sizeof(Wide), sizeof(Wide));
    const uint16_t bits = narrow(static_cast<double>(wide));
    std::memcpy(out.data() + i * sizeof(bits), &bits, sizeof(bits));
  }
  return out;
}

}  // namespace

uint16_t NarrowToF16(double value) { return Narrow(value, 10, 5); }
uint16_t NarrowToBf16(double value) { return Narrow(value, 7, 8); }

absl::Status CastTensor(v1::DataType to, v1::Tensor* tensor) {
  const v1::DataType from = tensor->data_type();
  if (from == to) {
    return absl::OkStatus();
  }
  if ((from != v1::DATA_TYPE_F32 && from != v1::DATA_TYPE_F64) ||
      (to != v1::DATA_TYPE_F16 && to != v1::DATA_TYPE_BF16)) {
    return absl::InvalidArgumentError(absl::StrCat("cannot be cast from ", v1::DataType_Name(from), " to ",
                                                   v1::DataType_Name(to), "; allowed are f32 and f64 to f16 and bf16"));
  }
  const auto narrow = to == v1::DATA_TYPE_F16 ? NarrowToF16 : NarrowToBf16;
  tensor->set_data(from == v1::DATA_TYPE_F32 ? NarrowAll<float>(tensor->data(), narrow)
                                             : NarrowAll<double>(tensor->data(), narrow));
  tensor->set_data_type(to);
  return absl::OkStatus();
}

void WidenBf16(v1::Tensor* tensor) {
  const std::string& data = tensor->data();
  std::string out;
  out.reserve(data.size() * 2);
  for (size_t i = 0; i + 1 < data.size(); i += 2) {
    out.append({'\0', '\0', data[i], data[i + 1]});
  }
  tensor->set_data(std::move(out));
  tensor->set_data_type(v1::DATA_TYPE_F32);
}

}  // namespace gradeline::cli

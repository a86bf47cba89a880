// See narrow.h.
#include "client/cli/narrow.h"

#include <Eigen/Core>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

// A double as a float that narrows to what the double itself would: cut off, with the last bit set where anything was
// lost, so that Eigen's rounding from float is the only one. Holds for formats at least two bits narrower than float.
float CutToFloat(double value) {
  float near = static_cast<float>(value);
  if (std::isnan(value) || static_cast<double>(near) == value) return near;
  if (std::fabs(static_cast<double>(near)) > std::fabs(value)) near = std::nextafter(near, 0.0F);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(near) | 1U);
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

uint16_t NarrowToF16(double value) { return std::bit_cast<uint16_t>(Eigen::half(CutToFloat(value))); }
uint16_t NarrowToBf16(double value) { return std::bit_cast<uint16_t>(Eigen::bfloat16(CutToFloat(value))); }

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

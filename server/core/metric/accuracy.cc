#include "server/core/metric/accuracy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/tensor/convert.h"

namespace gradeline {
namespace {

constexpr int64_t kBlock = 64;
using Classes = std::array<int64_t, kBlock>;

/// A tensor as [outer][classes][inner]; labels have one class.
struct Layout {
  int64_t outer = 0, classes = 1, inner = 1;
};

// Memory may be unaligned; the 16-bit types are read as what they mean.
template <DType dtype>
auto ReadAs(const std::byte* data, int64_t i) {
  const auto read = [&](auto value) {
    std::memcpy(&value, data + i * static_cast<int64_t>(sizeof(value)), sizeof(value));
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

/// The class of `count` items from inner item `first` of outer `o` on: the highest of reals, the lowest class among
/// equals.
template <DType dtype>
void HighestOf(const std::byte* data, const Layout& layout, int64_t o, int64_t first, int64_t count, Classes& highest) {
  std::array<decltype(ReadAs<dtype>(data, 0)), kBlock> top;
  for (int64_t k = 0; k < layout.classes; ++k) {
    const int64_t row = (o * layout.classes + k) * layout.inner + first;
    for (int64_t j = 0; j < count; ++j) {
      const auto value = ReadAs<dtype>(data, row + j);
      const auto at = static_cast<size_t>(j);
      const bool higher = k == 0 || value > top[at];
      top[at] = higher ? value : top[at];
      highest[at] = higher ? k : highest[at];
    }
  }
}

template <DType dtype>
void LabelsOf(const std::byte* data, const Layout& layout, int64_t o, int64_t first, int64_t count, Classes& labels) {
  for (int64_t j = 0; j < count; ++j)
    labels[static_cast<size_t>(j)] = ReadAs<dtype>(data, o * layout.inner + first + j);
}

using ClassesOf = void (*)(const std::byte*, const Layout&, int64_t, int64_t, int64_t, Classes&);

ClassesOf ReaderOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return HighestOf<DType::kF32>;
    case DType::kF64:
      return HighestOf<DType::kF64>;
    case DType::kF16:
      return HighestOf<DType::kF16>;
    case DType::kBF16:
      return HighestOf<DType::kBF16>;
    case DType::kU8:
      return LabelsOf<DType::kU8>;
    case DType::kI32:
      return LabelsOf<DType::kI32>;
    case DType::kI64:
      return LabelsOf<DType::kI64>;
  }
  return nullptr;
}

absl::StatusOr<Layout> LayoutOf(const MetricBatch& batch) {
  const absl::Span<const int64_t> prediction = batch.prediction.shape, target = batch.target.shape;
  Violations violations;
  if (!IsReal(batch.prediction.dtype)) {
    violations.Add("inputs.prediction", absl::StrCat("has type ", std::string(NameOf(batch.prediction.dtype)),
                                                     "; accuracy takes f32, f64, f16 and bf16"));
  }
  if (prediction.size() < 2 || prediction[1] < 1 || !ElementCount(prediction)) {
    violations.Add("inputs.prediction",
                   absl::StrCat("has shape ", ShapeText(prediction), "; accuracy takes [N, C, ...] with C at least 1"));
    return violations.ToStatus();
  }
  std::vector<int64_t> expected(prediction.begin(), prediction.end());
  if (!IsReal(batch.target.dtype)) expected.erase(expected.begin() + 1);
  if (target != absl::MakeConstSpan(expected)) {
    violations.Add("inputs.target", absl::StrCat("has shape ", ShapeText(target), "; a prediction of ",
                                                 ShapeText(prediction), " needs ", ShapeText(expected)));
  }
  if (!violations.empty()) return violations.ToStatus();
  return Layout{prediction[0], prediction[1], *ElementCount(prediction.subspan(2))};
}

}  // namespace

const MetricInfo& Accuracy::info() const {
  static const MetricInfo kInfo{"accuracy",
                                "Share of items whose highest prediction is the class of the target.",
                                {"multiclass", "pixel-multiclass"},
                                true};
  return kInfo;
}

absl::StatusOr<std::vector<double>> Accuracy::Update(const MetricBatch& batch) const {
  GRADELINE_ASSIGN_OR_RETURN(const Layout layout, LayoutOf(batch));
  const ClassesOf prediction_of = ReaderOf(batch.prediction.dtype), target_of = ReaderOf(batch.target.dtype);
  const bool labels = !IsReal(batch.target.dtype);
  const auto* prediction = static_cast<const std::byte*>(batch.prediction.data);
  const auto* target = static_cast<const std::byte*>(batch.target.data);
  int64_t right = 0, counted = 0;
  if (layout.inner == 0) return std::vector<double>{0, 0};  // whatever outer says: there is nothing to walk over
  Classes predicted{}, wanted{};
  for (int64_t o = 0; o < layout.outer; ++o) {
    for (int64_t first = 0; first < layout.inner; first += kBlock) {
      const int64_t count = std::min(kBlock, layout.inner - first);
      prediction_of(prediction, layout, o, first, count, predicted);
      target_of(target, layout, o, first, count, wanted);
      for (size_t j = 0; j < static_cast<size_t>(count); ++j) {
        if (labels && wanted[j] == batch.ignore_index) continue;
        ++counted;
        right += predicted[j] == wanted[j] ? 1 : 0;
      }
    }
  }
  return std::vector<double>{static_cast<double>(right), static_cast<double>(counted)};
}

bool Accuracy::Fits(absl::Span<const double> delta) const {
  constexpr double kCountsBelow = 2147483648.0;
  const double right = delta[0], counted = delta[1];
  return right >= 0 && right <= counted && counted < kCountsBelow && std::floor(right) == right &&
         std::floor(counted) == counted;
}

Metric::Value Accuracy::Compute(absl::Span<const double> sum) const {
  if (sum.size() != 2 || sum[1] <= 0) return {};
  return {sum[0] / sum[1], static_cast<int64_t>(sum[1])};
}

}  // namespace gradeline

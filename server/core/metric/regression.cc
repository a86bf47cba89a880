#include "server/core/metric/regression.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

constexpr int64_t kMost = (int64_t{1} << 53) - 1;
constexpr int64_t kBlock = 1024;  // items that are looked at together

/// Elements first, first + stride ... of real numbers.
void Widen(const TensorView& tensor, int64_t first, int64_t stride, absl::Span<double> to) {
  WithDType(tensor.dtype, [&](auto type) {
    const auto count = static_cast<int64_t>(to.size());
    for (int64_t i = 0; i < count; ++i) {
      to[static_cast<size_t>(i)] = static_cast<double>(ReadAs<decltype(type)::dtype>(tensor.data, first + i * stride));
    }
  });
}

/// Targets and differences of up to kBlock items.
struct Block {
  std::vector<double> targets, differences;

  Block(const TensorView& prediction, const TensorView& target, int64_t first, int64_t stride, int64_t count) {
    targets.resize(static_cast<size_t>(count));
    differences.resize(static_cast<size_t>(count));
    Widen(target, first, stride, absl::MakeSpan(targets));
    Widen(prediction, first, stride, absl::MakeSpan(differences));
    for (size_t i = 0; i < differences.size(); ++i) differences[i] -= targets[i];
  }
  /// Whatever is not finite leaves a difference that is not.
  std::optional<int64_t> FirstNotFinite() const {
    int64_t wrong = 0;
    for (const double difference : differences) wrong += difference - difference == 0 ? 0 : 1;
    if (wrong == 0) return std::nullopt;
    const auto found = std::find_if(differences.begin(), differences.end(), [](double d) { return !std::isfinite(d); });
    return found - differences.begin();
  }
};

void CheckFinite(const TensorView& prediction, const TensorView& target, int64_t items, int64_t outputs,
                 Violations& violations) {
  for (int64_t first = 0; first < items * outputs; first += kBlock) {
    const std::optional<int64_t> found =
        Block(prediction, target, first, 1, std::min(kBlock, items * outputs - first)).FirstNotFinite();
    if (!found) continue;
    const int64_t element = first + *found, item = element / outputs;
    const double p = ReadDouble(prediction, element), t = ReadDouble(target, element);
    const auto text = [&](double value) {
      return absl::StrCat("is ", value, " at item ", item, "; allowed: finite numbers");
    };
    if (!std::isfinite(p)) violations.Add("inputs.prediction", text(p));
    if (!std::isfinite(t)) violations.Add("inputs.target", text(t));
    if (std::isfinite(p) && std::isfinite(t)) {
      violations.Add("inputs.prediction", absl::StrCat("is ", p, " at item ", item, ", infinitely far from ", t));
    }
    return;
  }
}

void CheckShapes(const TensorView& prediction, const TensorView& target, Violations& violations) {
  const auto check_type = [&](const char* field, DType dtype) {
    if (IsReal(dtype)) return;
    violations.Add(field, absl::StrCat("has type ", std::string(NameOf(dtype)), "; allowed: f32, f64, f16, bf16"));
  };
  check_type("inputs.prediction", prediction.dtype);
  check_type("inputs.target", target.dtype);
  if (prediction.shape.empty() || !ElementCount(prediction.shape)) {
    violations.Add("inputs.prediction", absl::StrCat("has shape ", ShapeText(prediction.shape), "; allowed: [N, ...]"));
  } else if (target.shape != prediction.shape) {
    violations.Add("inputs.target", absl::StrCat("has shape ", ShapeText(target.shape), "; a prediction of ",
                                                 ShapeText(prediction.shape), " needs the same"));
  }
}

constexpr auto kSums = {&RegressionSums::targets, &RegressionSums::target_squares, &RegressionSums::differences,
                        &RegressionSums::difference_squares, &RegressionSums::magnitudes};

/// What was put of one output of `items` items; false if it is none.
bool ReadSums(CountsReader& reader, int64_t items, RegressionSums& sums) {
  const int most = ExactSum::kProductBits + std::bit_width(static_cast<uint64_t>(items));
  for (const auto sum : kSums) {
    if (!(sums.*sum).Read(reader, most)) return false;
  }
  return !sums.target_squares.negative() && !sums.difference_squares.negative() && !sums.magnitudes.negative();
}

}  // namespace

absl::Status Regression::Fits(int64_t outputs, int64_t items) const {
  constexpr auto kOutputBytes = static_cast<int64_t>(sizeof(RegressionSums));
  if (outputs > max_bytes_ / kOutputBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("regression of ", outputs, " outputs takes ",
                                                     static_cast<double>(outputs) * kOutputBytes,
                                                     " bytes; allowed: ", max_bytes_, " (metrics.max_bytes)"));
  }
  if (items > kMost - items_) return absl::ResourceExhaustedError("more than 2^53 items");
  return absl::OkStatus();
}

absl::Status Regression::Add(const MetricBatch& batch) {
  Violations violations;
  const absl::StatusOr<const TensorView*> found = batch.Input("prediction"), wanted = batch.Input("target");
  violations.MergeRest("", found.status());
  violations.MergeRest("", wanted.status());
  if (!violations.empty()) return violations.ToStatus();
  const TensorView& prediction = **found;
  const TensorView& target = **wanted;
  CheckShapes(prediction, target, violations);
  if (!violations.empty()) return violations.ToStatus();
  const int64_t items = prediction.shape[0], outputs = *ElementCount(prediction.shape.subspan(1));
  if (items == 0 || outputs == 0) return absl::OkStatus();
  if (items_ > 0 && outputs != static_cast<int64_t>(outputs_.size())) {
    violations.Add("inputs.prediction", absl::StrCat("has ", outputs, " outputs; counted before: ", outputs_.size()));
    return violations.ToStatus();
  }
  CheckFinite(prediction, target, items, outputs, violations);
  if (!violations.empty()) return violations.ToStatus();
  GRADELINE_RETURN_IF_ERROR(Fits(outputs, items));
  items_ += items;
  outputs_.resize(static_cast<size_t>(outputs));
  for (int64_t first = 0; first < items; first += kBlock) {
    for (int64_t output = 0; output < outputs; ++output) {
      const Block block(prediction, target, first * outputs + output, outputs, std::min(kBlock, items - first));
      RegressionSums& sums = outputs_[static_cast<size_t>(output)];
      AddAll(block.targets, sums.targets, sums.target_squares, nullptr);
      AddAll(block.differences, sums.differences, sums.difference_squares, &sums.magnitudes);
    }
  }
  return absl::OkStatus();
}

absl::Status Regression::Merge(std::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  CountsReader reader(bytes);
  const int64_t items = reader.Count(kMost);
  const int64_t outputs = reader.Count(static_cast<int64_t>(reader.left()));
  if (items < 1 || outputs < 1 || (items_ > 0 && outputs != static_cast<int64_t>(outputs_.size()))) {
    return absl::InvalidArgumentError("is no regression count");
  }
  // First all is checked, then all is added: twice read takes less memory than once kept.
  CountsReader checked = reader;
  for (int64_t output = 0; output < outputs; ++output) {
    RegressionSums sums;
    if (!ReadSums(checked, items, sums)) return absl::InvalidArgumentError("is no regression count");
  }
  GRADELINE_RETURN_IF_ERROR(checked.Finish("regression"));
  GRADELINE_RETURN_IF_ERROR(Fits(outputs, items));
  items_ += items;
  outputs_.resize(static_cast<size_t>(outputs));
  for (RegressionSums& own : outputs_) {
    RegressionSums sums;
    ReadSums(reader, items, sums);
    for (const auto sum : kSums) (own.*sum).Add(sums.*sum);
  }
  return absl::OkStatus();
}

std::string Regression::Bytes() const {
  std::string bytes;
  if (items_ == 0) return bytes;
  PutUnsigned(static_cast<uint64_t>(items_), bytes);
  PutUnsigned(outputs_.size(), bytes);
  for (const RegressionSums& output : outputs_) {
    for (const auto sum : kSums) (output.*sum).Put(bytes);
  }
  return bytes;
}

const CountsKind& RegressionKind(std::string_view) {
  static const CountsKind kKind{"regression", {}, [](const CountsOptions& options) -> std::unique_ptr<Counts> {
                                  return std::make_unique<Regression>(options.max_bytes);
                                }};
  return kKind;
}

}  // namespace gradeline

#include "server/core/metric/decisions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/decision_loops.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

int64_t LabelAt(const TensorView& tensor, int64_t i) {
  return WithDType(tensor.dtype,
                   [&](auto type) { return static_cast<int64_t>(ReadAs<decltype(type)::dtype>(tensor.data, i)); });
}

/// The first of `count` scores that is NaN, `stride` elements from one to the next; `count` if none is.
int64_t FirstNan(const TensorView& tensor, int64_t first, int64_t stride, int64_t count) {
  int64_t i = 0;
  while (i < count && !std::isnan(ReadDouble(tensor, first + i * stride))) ++i;
  return i;
}

/// The class of the highest score of every item; the first item with NaN, or nullopt.
std::optional<int64_t> Highest(const TensorView& tensor, const DecisionLayout& layout, std::vector<int32_t>& highest) {
  highest.resize(static_cast<size_t>(layout.items()));
  // Rows are looked at a few at a time, so that NaN is soon found again.
  const bool rows = layout.inner == 1;
  const int64_t outer = rows ? 1 : layout.outer, inner = rows ? layout.outer : layout.inner;
  const auto* scores = static_cast<const std::byte*>(tensor.data);
  const auto size = static_cast<int64_t>(SizeOf(tensor.dtype));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; i += kPlaneBlock) {
      const int64_t count = std::min(kPlaneBlock, inner - i), item = o * inner + i;
      const int64_t first = rows ? i * layout.classes : o * layout.classes * inner + i;
      int32_t* const to = highest.data() + item;
      if (rows ? HighestOfRows(tensor.dtype, scores + first * size, layout.classes, count, to)
               : HighestOfPlanes(tensor.dtype, scores + first * size, layout.classes, inner, count, to)) {
        continue;
      }
      for (int64_t j = 0; j < count; ++j) {
        const int64_t start = first + (rows ? j * layout.classes : j);
        if (FirstNan(tensor, start, layout.inner, layout.classes) < layout.classes) return item + j;
      }
    }
  }
  return std::nullopt;
}

/// Whole numbers as classes, those equal to `ignored` as kIgnored; the first item that is no class, or nullopt. A class
/// is 0 to classes - 1; where `classes` is 0 any number that an int32 holds below the largest.
std::optional<int64_t> Labels(const TensorView& tensor, int64_t items, int64_t classes, std::optional<int64_t> ignored,
                              std::vector<int32_t>& labels) {
  const int64_t most = std::numeric_limits<int32_t>::max();
  const LabelRange range{static_cast<uint32_t>(classes > 0 ? std::min(classes, most) : most), ignored};
  labels.resize(static_cast<size_t>(items));
  if (ClassesOf(tensor.dtype, static_cast<const std::byte*>(tensor.data), items, range, labels.data())) {
    return std::nullopt;
  }
  for (int64_t i = 0;; ++i) {
    const int64_t label = LabelAt(tensor, i);
    if (label != ignored && (label < 0 || label >= range.end)) return i;
  }
}

/// Fills `classes` from scores or labels and adds what is wrong.
void Read(const TensorView& tensor, const char* field, const DecisionLayout& layout, std::optional<int64_t> ignored,
          std::vector<int32_t>& classes, Violations& violations) {
  const std::optional<int64_t> wrong = IsReal(tensor.dtype)
                                           ? Highest(tensor, layout, classes)
                                           : Labels(tensor, layout.items(), layout.classes, ignored, classes);
  if (!wrong) return;
  if (IsReal(tensor.dtype)) {
    violations.Add(field, absl::StrCat("is NaN at item ", *wrong, "; allowed: numbers"));
  } else {
    violations.Add(field, absl::StrCat("is ", LabelAt(tensor, *wrong), " at item ", *wrong, "; allowed: ",
                                       layout.classes > 0 ? absl::StrCat("0 to ", layout.classes - 1) : "0 and above",
                                       ignored ? absl::StrCat(", and ", *ignored, ", which is ignored") : ""));
  }
}

}  // namespace

absl::StatusOr<DecisionLayout> LayoutOf(const TensorView& prediction, const TensorView& target) {
  Violations violations;
  const bool scores = IsReal(prediction.dtype);
  const absl::Span<const int64_t> shape = prediction.shape;
  if (shape.size() < (scores ? 2 : 1) || (scores && shape[1] < 1) || !ElementCount(shape)) {
    violations.Add("inputs.prediction", absl::StrCat("has shape ", ShapeText(shape),
                                                     scores ? "; allowed: scores [N, C, ...] with C at least 1"
                                                            : "; allowed: classes [N, ...]"));
    return violations.ToStatus();
  }
  std::vector<int64_t> expected(shape.begin(), shape.end());
  if (scores && !IsReal(target.dtype)) expected.erase(expected.begin() + 1);
  if (!scores && IsReal(target.dtype)) {
    violations.Add("inputs.target", absl::StrCat("has type ", std::string(NameOf(target.dtype)),
                                                 "; a prediction of classes needs u8, i32 or i64"));
  }
  if (target.shape != absl::MakeConstSpan(expected)) {
    violations.Add("inputs.target", absl::StrCat("has shape ", ShapeText(target.shape), "; a prediction of ",
                                                 ShapeText(shape), " needs ", ShapeText(expected)));
  }
  if (!violations.empty()) return violations.ToStatus();
  if (!scores) return DecisionLayout{shape[0], 0, *ElementCount(shape.subspan(1))};
  return DecisionLayout{shape[0], shape[1], *ElementCount(shape.subspan(2))};
}

absl::StatusOr<Decisions> Decide(const TensorView& prediction, const TensorView& target, int64_t ignore_index) {
  GRADELINE_ASSIGN_OR_RETURN(const DecisionLayout layout, LayoutOf(prediction, target));
  Decisions decisions{.classes = layout.classes, .outer = layout.outer, .inner = layout.inner};
  if (layout.items() == 0) return decisions;
  Violations violations;
  Read(prediction, "inputs.prediction", layout, std::nullopt, decisions.predicted, violations);
  Read(target, "inputs.target", layout, ignore_index, decisions.wanted, violations);
  if (!violations.empty()) return violations.ToStatus();
  if (decisions.classes == 0) {
    const auto most = [](const std::vector<int32_t>& classes) {
      return *std::max_element(classes.begin(), classes.end());
    };
    decisions.classes = int64_t{std::max(most(decisions.predicted), most(decisions.wanted))} + 1;
  }
  return decisions;
}

}  // namespace gradeline

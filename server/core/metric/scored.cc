#include "server/core/metric/scored.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

/// Where things lie: [outer][classes][inner] in the batch, [classes][outer][inner] in Scored.
struct Layout {
  int64_t outer = 0, classes = 1, inner = 1;
  int64_t items() const { return outer * inner; }
};

/// Calls work(from, to) for each element of the batch.
template <typename Work>
void ForEach(const Layout& layout, Work&& work) {
  for (int64_t o = 0; o < layout.outer; ++o) {
    for (int64_t k = 0; k < layout.classes; ++k) {
      const int64_t from = (o * layout.classes + k) * layout.inner;
      const int64_t to = k * layout.items() + o * layout.inner;
      for (int64_t i = 0; i < layout.inner; ++i) work(from + i, to + i);
    }
  }
}

absl::StatusOr<Layout> LayoutOf(const MetricBatch& batch) {
  Violations violations;
  const absl::StatusOr<const TensorView*> prediction = batch.Input("prediction"), target = batch.Input("target");
  violations.MergeRest("", prediction.status());
  violations.MergeRest("", target.status());
  if (!violations.empty()) return violations.ToStatus();
  const absl::Span<const int64_t> shape = (*prediction)->shape;
  const bool multilabel = batch.signal() == "multilabel";
  if (shape.size() < (multilabel ? 2 : 1) || (multilabel && shape[1] < 1) || !ElementCount(shape)) {
    violations.Add("inputs.prediction", absl::StrCat("has shape ", ShapeText(shape), "; allowed: ",
                                                     multilabel ? "[N, C, ...] with C at least 1" : "[N, ...]"));
  } else if ((*target)->shape != shape) {
    violations.Add("inputs.target", absl::StrCat("has shape ", ShapeText((*target)->shape), "; a prediction of ",
                                                 ShapeText(shape), " needs the same"));
  }
  if (!violations.empty()) return violations.ToStatus();
  if (multilabel) return Layout{shape[0], shape[1], *ElementCount(shape.subspan(2))};
  return Layout{1, 1, *ElementCount(shape)};
}

void AddWrong(const char* field, const TensorView& tensor, const Layout& layout, int64_t element,
              std::string_view allowed, Violations& violations) {
  const int64_t item = element / (layout.classes * layout.inner) * layout.inner + element % layout.inner;
  const double value = ReadDouble(tensor, element);
  violations.Add(field, absl::StrCat("is ", value != value ? "NaN" : absl::StrCat(value), " at item ", item,
                                     "; allowed: ", std::string(allowed)));
}

/// Reads all elements as `read` says; work on `wrong`, of which the first is named.
template <typename To, typename Read, typename Wrong>
void ReadAll(const TensorView& tensor, const char* field, const Layout& layout, Read&& read, Wrong&& wrong,
             std::string_view allowed, std::vector<To>& all, Violations& violations) {
  all.resize(static_cast<size_t>(layout.items() * layout.classes));
  WithDType(tensor.dtype, [&](auto type) {
    constexpr DType dtype = decltype(type)::dtype;
    bool any = false;
    ForEach(layout, [&](int64_t from, int64_t to) {
      const auto value = ReadAs<dtype>(tensor.data, from);
      any |= wrong(value);
      all[static_cast<size_t>(to)] = read(value);
    });
    if (!any) return;
    int64_t first = 0;
    while (!wrong(ReadAs<dtype>(tensor.data, first))) ++first;
    AddWrong(field, tensor, layout, first, allowed, violations);
  });
}

absl::StatusOr<Scored> ReadQuestions(const MetricBatch& batch) {
  GRADELINE_ASSIGN_OR_RETURN(const Layout layout, LayoutOf(batch));
  Scored scored{.classes = layout.classes, .items = layout.items()};
  Violations violations;
  const auto is_no_score = [](auto value) {
    if constexpr (std::is_integral_v<decltype(value)>) return value != 0 && value != 1;
    return value != value;
  };
  const auto as_score = [](auto value) { return static_cast<double>(value); };
  const TensorView& prediction = *batch.Find("prediction");
  ReadAll(prediction, "inputs.prediction", layout, as_score, is_no_score,
          IsReal(prediction.dtype) ? "numbers" : "0 and 1, decisions", scored.scores, violations);
  const int64_t ignored = batch.ignore_index();
  const auto is_no_label = [ignored](auto value) {
    if constexpr (std::is_integral_v<decltype(value)>) return value != 0 && value != 1 && value != ignored;
    return value != value;
  };
  const auto as_label = [ignored](auto value) {
    if constexpr (std::is_integral_v<decltype(value)>) {
      return value == ignored ? Scored::kSkipped : static_cast<int8_t>(value);
    } else {
      return value > 0.5 ? Scored::kYes : Scored::kNo;
    }
  };
  const TensorView& target = *batch.Find("target");
  const std::string allowed =
      IsReal(target.dtype) ? "numbers" : absl::StrCat("0, 1, and ", ignored, ", which is ignored");
  ReadAll(target, "inputs.target", layout, as_label, is_no_label, allowed, scored.labels, violations);
  if (!violations.empty()) return violations.ToStatus();
  return scored;
}

/// Of one row, in place. Of infinite scores the limit: x - x is no number, yet the highest are as likely as each other.
void Softmax(std::vector<double>& row) {
  const double highest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& score : row) {
    score = score == highest ? 1.0 : std::exp(score - highest);
    sum += score;
  }
  for (double& score : row) score /= sum;
}

absl::StatusOr<Scored> ReadSoftmax(const MetricBatch& batch) {
  GRADELINE_ASSIGN_OR_RETURN(const Decisions* decisions, batch.decisions());
  const TensorView& prediction = *batch.Find("prediction");
  if (!IsReal(prediction.dtype)) {
    Violations violations;
    violations.Add("inputs.prediction", "is classes; allowed: scores [N, C, ...]");
    return violations.ToStatus();
  }
  const Layout layout{decisions->outer, decisions->classes, decisions->inner};
  Scored scored{.classes = layout.classes, .items = layout.items()};
  const auto count = static_cast<size_t>(layout.classes * layout.items());
  scored.scores.resize(count);
  scored.labels.resize(count);
  std::vector<double> row(static_cast<size_t>(layout.classes));
  WithDType(prediction.dtype, [&](auto type) {
    for (int64_t item = 0; item < scored.items; ++item) {
      const int64_t first = item / layout.inner * layout.classes * layout.inner + item % layout.inner;
      for (int64_t k = 0; k < layout.classes; ++k) {
        row[static_cast<size_t>(k)] =
            static_cast<double>(ReadAs<decltype(type)::dtype>(prediction.data, first + k * layout.inner));
      }
      Softmax(row);
      const int32_t wanted = decisions->wanted[static_cast<size_t>(item)];
      for (int64_t k = 0; k < layout.classes; ++k) {
        const auto to = static_cast<size_t>(k * scored.items + item);
        scored.scores[to] = row[static_cast<size_t>(k)];
        scored.labels[to] = wanted == kIgnored ? Scored::kSkipped : wanted == k ? Scored::kYes : Scored::kNo;
      }
    }
  });
  return scored;
}

}  // namespace

double Sigmoid(double x) {
  const double tail = std::exp(-std::abs(x));
  return x >= 0 ? 1 / (1 + tail) : tail / (1 + tail);
}

absl::StatusOr<Scored> ReadScored(const MetricBatch& batch) {
  return batch.signal() == "multiclass" ? ReadSoftmax(batch) : ReadQuestions(batch);
}

}  // namespace gradeline

#include "server/core/metric/slots.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

std::string ValueText(const TensorView& tensor, int64_t i) {
  return WithDType(tensor.dtype,
                   [&](auto type) { return absl::StrCat(ReadAs<decltype(type)::dtype>(tensor.data, i)); });
}

/// The sum of the 8 bytes of `word`.
int64_t SumOfBytes(uint64_t word) {
  constexpr uint64_t kEven = 0x00ff00ff00ff00ffu;
  return static_cast<int64_t>((((word & kEven) + (word >> 8 & kEven)) * 0x0001000100010001u) >> 48);
}

}  // namespace

absl::StatusOr<Slots> Slots::Of(const MetricBatch& batch) {
  Violations violations;
  const absl::StatusOr<const TensorView*> prediction = batch.Input("prediction"), target = batch.Input("target");
  violations.Merge("", prediction.status());
  violations.Merge("", target.status());
  if (!violations.empty()) return violations.ToStatus();
  Slots slots;
  slots.prediction_ = **prediction;
  slots.target_ = **target;
  slots.ignore_index_ = batch.ignore_index();
  const bool several = batch.signal() == "multilabel" || batch.signal() == "pixel-multilabel";
  const absl::Span<const int64_t> shape = slots.prediction_.shape;
  if (shape.size() < (several ? 2 : 1) || (several && shape[1] < 1) || !ElementCount(shape)) {
    violations.Add("inputs.prediction", absl::StrCat("has shape ", ShapeText(shape), "; allowed: ",
                                                     several ? "[N, C, ...] with C at least 1" : "[N, ...]"));
  } else if (slots.target_.shape != shape) {
    violations.Add("inputs.target", absl::StrCat("has shape ", ShapeText(slots.target_.shape), "; a prediction of ",
                                                 ShapeText(shape), " needs the same"));
  }
  if (!violations.empty()) return violations.ToStatus();
  if (several) {
    slots.outer_ = shape[0];
    slots.labels_ = shape[1];
  }
  slots.inner_ = *ElementCount(several ? shape.subspan(2) : shape);
  return slots;
}

uint8_t Slots::Read(int64_t first, absl::Span<uint8_t> states) const {
  const auto from = [first](const TensorView& tensor) {
    return static_cast<const std::byte*>(tensor.data) + first * static_cast<int64_t>(SizeOf(tensor.dtype));
  };
  ReadPredicted(prediction_.dtype, from(prediction_), states);
  return ReadWanted(target_.dtype, from(target_), ignore_index_, states);
}

absl::Status Slots::Wrong() const {
  Violations violations;
  int64_t prediction = -1, target = -1;
  for (int64_t i = 0; i < outer_ * labels_ * inner_; ++i) {
    uint8_t state = 0;
    Read(i, absl::MakeSpan(&state, 1));
    if ((state & kWrongPrediction) != 0 && prediction < 0) prediction = i;
    if ((state & kWrongTarget) != 0 && target < 0) target = i;
  }
  if (prediction >= 0) {
    violations.Add("inputs.prediction",
                   absl::StrCat("is ", ValueText(prediction_, prediction), " at element ", prediction,
                                "; allowed: ", IsReal(prediction_.dtype) ? "numbers" : "0, 1"));
  }
  if (target >= 0) {
    violations.Add(
        "inputs.target",
        absl::StrCat(
            "is ", ValueText(target_, target), " at element ", target, "; allowed: ",
            IsReal(target_.dtype) ? "numbers" : absl::StrCat("0, 1, and ", ignore_index_, ", which is ignored")));
  }
  return violations.ToStatus();
}

ClassCount CountStates(absl::Span<const uint8_t> states) {
  // Eight states in a word; their bytes count up to 255 words.
  constexpr uint64_t kOnes = 0x0101010101010101u;
  constexpr size_t kWord = 8, kWords = 255;
  ClassCount count;
  int64_t predicted = 0, wanted = 0, skipped = 0;
  size_t i = 0;
  while (i + kWord <= states.size()) {
    const size_t end = i + std::min(kWords, (states.size() - i) / kWord) * kWord;
    uint64_t both_sum = 0, predicted_sum = 0, wanted_sum = 0, skipped_sum = 0;
    for (; i < end; i += kWord) {
      uint64_t word = 0;
      std::memcpy(&word, states.data() + i, kWord);
      predicted_sum += word & kOnes;
      wanted_sum += word >> 1 & kOnes;
      both_sum += word & word >> 1 & kOnes;
      skipped_sum += word >> 2 & kOnes;
    }
    count.tp += SumOfBytes(both_sum);
    predicted += SumOfBytes(predicted_sum);
    wanted += SumOfBytes(wanted_sum);
    skipped += SumOfBytes(skipped_sum);
  }
  for (; i < states.size(); ++i) {
    count.tp += states[i] == (kPredictedSlot | kWantedSlot) ? 1 : 0;
    predicted += states[i] & 1;
    wanted += states[i] >> 1 & 1;
    skipped += states[i] >> 2 & 1;
  }
  count.fp = predicted - count.tp;
  count.fn = wanted - count.tp;
  count.tn = static_cast<int64_t>(states.size()) - skipped - count.tp - count.fp - count.fn;
  return count;
}

void CountColumns(absl::Span<const uint8_t> states, absl::Span<ClassCount> counts) {
  // Some columns of at most 255 rows at a time are counted in bytes.
  constexpr size_t kColumns = 256, kRows = 255;
  const size_t columns = counts.size(), rows = columns == 0 ? 0 : states.size() / columns;
  for (size_t row = 0; row < rows; row += kRows) {
    const size_t row_end = std::min(rows, row + kRows);
    for (size_t column = 0; column < columns; column += kColumns) {
      const size_t width = std::min(kColumns, columns - column);
      std::array<uint8_t, kColumns> both{}, predicted{}, wanted{}, skipped{};
      for (size_t r = row; r < row_end; ++r) {
        const uint8_t* const state = states.data() + r * columns + column;
        for (size_t c = 0; c < width; ++c) {
          predicted[c] = static_cast<uint8_t>(predicted[c] + (state[c] & 1));
          wanted[c] = static_cast<uint8_t>(wanted[c] + (state[c] >> 1 & 1));
          both[c] = static_cast<uint8_t>(both[c] + (state[c] & state[c] >> 1 & 1));
          skipped[c] = static_cast<uint8_t>(skipped[c] + (state[c] >> 2 & 1));
        }
      }
      for (size_t c = 0; c < width; ++c) {
        ClassCount& count = counts[column + c];
        count.tp += both[c];
        count.fp += predicted[c] - both[c];
        count.fn += wanted[c] - both[c];
        count.tn += static_cast<int64_t>(row_end - row) - skipped[c] - predicted[c] - wanted[c] + both[c];
      }
    }
  }
}

}  // namespace gradeline

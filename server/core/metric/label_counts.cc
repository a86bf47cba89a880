#include "server/core/metric/label_counts.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/memory_limit.h"
#include "server/core/metric/slots.h"

namespace gradeline {
namespace {

constexpr int64_t kLabelBytes = sizeof(ClassCount);
constexpr int64_t kStates = 16320;  // slots whose states are read at once: 8 times 255 words of 8

absl::Status CheckRoom(int64_t labels, int64_t max_bytes) {
  return CheckMemory(absl::StrCat("counts of ", labels, " labels"),
                     static_cast<double>(kLabelBytes) * static_cast<double>(labels), max_bytes);
}

/// Side by side lie the slots of a label, or those of an item.
void CountAlong(const Slots& slots, std::vector<ClassCount>& labels, uint8_t& bits) {
  std::vector<uint8_t> states(static_cast<size_t>(kStates));
  for (int64_t part = 0; part < slots.outer() * slots.labels(); ++part) {
    ClassCount& label = labels[static_cast<size_t>(part % slots.labels())];
    for (int64_t i = 0; i < slots.inner(); i += kStates) {
      const auto some = absl::MakeSpan(states).first(static_cast<size_t>(std::min(kStates, slots.inner() - i)));
      bits |= slots.Read(part * slots.inner() + i, some);
      const ClassCount count = CountStates(some);
      label.tp += count.tp;
      label.fp += count.fp;
      label.fn += count.fn;
      label.tn += count.tn;
    }
  }
}

void CountAcross(const Slots& slots, std::vector<ClassCount>& labels, uint8_t& bits) {
  const int64_t rows = std::max<int64_t>(1, kStates / slots.labels());
  std::vector<uint8_t> states(static_cast<size_t>(rows * slots.labels()));
  for (int64_t row = 0; row < slots.outer(); row += rows) {
    const int64_t count = std::min(rows, slots.outer() - row) * slots.labels();
    const auto some = absl::MakeSpan(states).first(static_cast<size_t>(count));
    bits |= slots.Read(row * slots.labels(), some);
    CountColumns(some, absl::MakeSpan(labels));
  }
}

}  // namespace

absl::Status LabelCounts::Add(const MetricBatch& batch) {
  GRADELINE_ASSIGN_OR_RETURN(const Slots slots, Slots::Of(batch));
  GRADELINE_RETURN_IF_ERROR(CheckRoom(slots.labels(), max_bytes_));
  std::vector<ClassCount> labels(static_cast<size_t>(slots.labels()));
  uint8_t bits = 0;
  if (slots.inner() == 1 && slots.labels() > 1) {
    CountAcross(slots, labels, bits);
  } else {
    CountAlong(slots, labels, bits);
  }
  if ((bits & (kWrongPrediction | kWrongTarget)) != 0) return slots.Wrong();
  return AddLabels(labels);
}

absl::Status LabelCounts::AddLabels(const std::vector<ClassCount>& labels) {
  int64_t slots = 0;
  for (const ClassCount& label : labels) slots += label.all();
  if (slots > kMostCounted - counted_) return absl::InvalidArgumentError("counts 2^53 slots or more");
  counted_ += slots;
  labels_.resize(std::max(labels_.size(), labels.size()));
  for (size_t i = 0; i < labels.size(); ++i) {
    labels_[i].tp += labels[i].tp;
    labels_[i].fp += labels[i].fp;
    labels_[i].fn += labels[i].fn;
    labels_[i].tn += labels[i].tn;
  }
  return absl::OkStatus();
}

ClassPairs LabelCounts::Pairs() const {
  ClassPairs pairs;
  if (labels_.size() != 1) return pairs;
  const ClassCount& yes = labels_.front();
  pairs.classes = 2;
  for (const PairCount& pair : {PairCount{0, 0, yes.tn}, {0, 1, yes.fp}, {1, 0, yes.fn}, {1, 1, yes.tp}}) {
    if (pair.count > 0) pairs.pairs.push_back(pair);
  }
  return pairs;
}

std::string LabelCounts::Bytes() const {
  std::string bytes;
  for (const ClassCount& label : labels_) {
    for (const int64_t count : {label.tp, label.fp, label.fn, label.tn}) {
      PutUnsigned(static_cast<uint64_t>(count), bytes);
    }
  }
  return bytes;
}

absl::Status LabelCounts::Merge(std::string_view bytes) {
  CountsReader reader(bytes);
  std::vector<ClassCount> labels;
  int64_t slots = 0;
  while (reader.ok() && !reader.done()) {
    ClassCount& label = labels.emplace_back();
    for (int64_t* const count : {&label.tp, &label.fp, &label.fn, &label.tn}) {
      *count = reader.Count(kMostCounted - slots);
      slots += *count;
    }
  }
  GRADELINE_RETURN_IF_ERROR(reader.Finish("label"));
  GRADELINE_RETURN_IF_ERROR(CheckRoom(static_cast<int64_t>(labels.size()), max_bytes_));
  return AddLabels(labels);
}

const CountsKind& LabelCountsKind() {
  static const CountsKind kKind{
      "label_counts",
      {},
      [](const CountsOptions& options) -> std::unique_ptr<Counts> { return std::make_unique<LabelCounts>(options); },
      [](int64_t classes) {
        constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
        return classes < kMost / kLabelBytes ? kLabelBytes * classes : kMost;
      }};
  return kKind;
}

}  // namespace gradeline

#include "server/core/metric/confusion.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/memory_limit.h"
#include "server/core/metric/pair_histogram.h"

namespace gradeline {
namespace {

// From here on, classes of one byte are counted where they are; fewer go with the classes that other counts use too.
constexpr int64_t kManyItems = 16384;

double MatrixBytes(int64_t classes) { return 8.0 * static_cast<double>(classes) * static_cast<double>(classes); }

/// Whether so many pairs are better kept in a list (of 16 bytes each, and short of repetitions).
bool AreFew(size_t pairs, int64_t classes) { return static_cast<double>(pairs) * 64 < MatrixBytes(classes); }

/// Row by row, every pair once.
void Sort(std::vector<PairCount>& pairs) {
  const auto place = [](const PairCount& pair) { return std::pair(pair.wanted, pair.predicted); };
  std::sort(pairs.begin(), pairs.end(), [&](const PairCount& a, const PairCount& b) { return place(a) < place(b); });
  size_t last = 0;
  for (size_t i = 1; i < pairs.size(); ++i) {
    if (place(pairs[i]) == place(pairs[last])) {
      pairs[last].count += pairs[i].count;
    } else {
      pairs[++last] = pairs[i];
    }
  }
  if (!pairs.empty()) pairs.resize(last + 1);
}

}  // namespace

absl::Status Confusion::CheckRoom(int64_t classes, int64_t items) const {
  GRADELINE_RETURN_IF_ERROR(
      CheckMemory(absl::StrCat("confusion matrix of ", classes, " classes"), MatrixBytes(classes), max_bytes_));
  if (items <= kMostCounted - counted_) return absl::OkStatus();
  return absl::InvalidArgumentError("counts 2^53 items or more");
}

void Confusion::Grow(int64_t classes) {
  if (classes <= classes_) return;
  if (!matrix_.empty()) {
    std::vector<int64_t> larger(static_cast<size_t>(classes * classes));
    for (int64_t row = 0; row < classes_; ++row) {
      std::copy_n(matrix_.begin() + row * classes_, classes_, larger.begin() + row * classes);
    }
    matrix_ = std::move(larger);
  }
  classes_ = classes;
}

void Confusion::MakeMatrix() {
  if (!matrix_.empty() || classes_ == 0) return;
  matrix_.resize(static_cast<size_t>(classes_ * classes_));
  const std::vector<PairCount> pairs = std::exchange(list_, {});
  AddPairs(pairs);
}

void Confusion::AddPairs(const std::vector<PairCount>& pairs) {
  if (!matrix_.empty()) {
    for (const PairCount& pair : pairs) {
      matrix_[static_cast<size_t>(pair.wanted * classes_ + pair.predicted)] += pair.count;
    }
    return;
  }
  list_.insert(list_.end(), pairs.begin(), pairs.end());
  if (AreFew(list_.size(), classes_) && list_.size() < 2 * sorted_ + 1024) return;
  Sort(list_);
  sorted_ = list_.size();
  if (!AreFew(list_.size(), classes_)) MakeMatrix();
}

absl::Status Confusion::Add(const MetricBatch& batch) {
  const TensorView *prediction = batch.Find("prediction"), *target = batch.Find("target");
  const auto of_bytes = [](const TensorView* tensor) { return tensor != nullptr && tensor->dtype == DType::kU8; };
  if (of_bytes(prediction) && of_bytes(target)) {
    const std::optional<int64_t> items = ElementCount(prediction->shape);
    if (items && *items >= kManyItems) return AddBytes(*prediction, *target, batch.ignore_index());
  }
  GRADELINE_ASSIGN_OR_RETURN(const Decisions* decisions, batch.decisions());
  return AddDecisions(*decisions);
}

absl::Status Confusion::AddBytes(const TensorView& prediction, const TensorView& target, int64_t ignore_index) {
  GRADELINE_ASSIGN_OR_RETURN(const DecisionLayout layout, LayoutOf(prediction, target));
  const auto span = [&](const TensorView& tensor) {
    return absl::MakeConstSpan(static_cast<const uint8_t*>(tensor.data), static_cast<size_t>(layout.items()));
  };
  constexpr int64_t kRows = 256;  // a byte's: what is ignored is often the last
  uint8_t highest = 0;
  for (const uint8_t predicted : span(prediction)) highest = std::max(highest, predicted);
  const int64_t columns = int64_t{highest} + 1;
  std::vector<int64_t> cells(static_cast<size_t>(kRows * columns));
  CountPairs(span(target), span(prediction), columns, absl::MakeSpan(cells));
  std::vector<PairCount> pairs;
  int64_t classes = columns, items = 0;
  for (int32_t wanted = 0; wanted < kRows; ++wanted) {
    if (wanted == ignore_index) continue;
    for (int32_t predicted = 0; predicted < columns; ++predicted) {
      const int64_t count = cells[static_cast<size_t>(wanted * columns + predicted)];
      if (count == 0) continue;
      pairs.push_back({wanted, predicted, count});
      classes = std::max(classes, int64_t{wanted} + 1);
      items += count;
    }
  }
  GRADELINE_RETURN_IF_ERROR(CheckRoom(classes, items));
  Grow(classes);
  counted_ += items;
  AddPairs(pairs);
  return absl::OkStatus();
}

absl::Status Confusion::AddDecisions(const Decisions& decisions) {
  const std::vector<int32_t>&wanted = decisions.wanted, &predicted = decisions.predicted;
  const auto items = static_cast<int64_t>(wanted.size()) - std::count(wanted.begin(), wanted.end(), kIgnored);
  GRADELINE_RETURN_IF_ERROR(CheckRoom(decisions.classes, items));
  Grow(decisions.classes);
  counted_ += items;
  if (!AreFew(static_cast<size_t>(items), classes_)) MakeMatrix();
  if (!matrix_.empty()) {
    CountPairs(wanted, predicted, classes_, absl::MakeSpan(matrix_));
    return absl::OkStatus();
  }
  std::vector<PairCount> pairs;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] != kIgnored) pairs.push_back({wanted[i], predicted[i], 1});
  }
  AddPairs(pairs);
  return absl::OkStatus();
}

ClassPairs Confusion::Pairs() const {
  ClassPairs all{classes_, list_};
  Sort(all.pairs);
  for (size_t i = 0; i < matrix_.size(); ++i) {
    if (matrix_[i] == 0) continue;
    const auto at = static_cast<int64_t>(i);
    all.pairs.push_back({static_cast<int32_t>(at / classes_), static_cast<int32_t>(at % classes_), matrix_[i]});
  }
  return all;
}

std::string Confusion::Bytes() const {
  std::string bytes;
  if (classes_ == 0) return bytes;
  PutUnsigned(static_cast<uint64_t>(classes_), bytes);
  int64_t next = 0;
  for (const PairCount& pair : Pairs().pairs) {
    const int64_t at = pair.wanted * classes_ + pair.predicted;
    PutUnsigned(static_cast<uint64_t>(at - next), bytes);
    PutUnsigned(static_cast<uint64_t>(pair.count), bytes);
    next = at + 1;
  }
  return bytes;
}

absl::Status Confusion::Merge(std::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  CountsReader reader(bytes);
  const int64_t classes = reader.Count(std::numeric_limits<int32_t>::max());
  std::vector<PairCount> pairs;
  int64_t next = 0, items = 0;
  while (reader.ok() && !reader.done()) {
    const int64_t at = next + reader.Count(classes * classes), count = reader.Count(kMostCounted - items);
    if (at >= classes * classes || count == 0) return absl::InvalidArgumentError("is no confusion count");
    pairs.push_back({static_cast<int32_t>(at / classes), static_cast<int32_t>(at % classes), count});
    items += count;
    next = at + 1;
  }
  GRADELINE_RETURN_IF_ERROR(reader.Finish("confusion"));
  GRADELINE_RETURN_IF_ERROR(CheckRoom(std::max(classes, classes_), items));
  Grow(classes);
  counted_ += items;
  AddPairs(pairs);
  return absl::OkStatus();
}

const CountsKind& ConfusionKind() {
  static const CountsKind kKind{
      "confusion",
      {},
      [](const CountsOptions& options) -> std::unique_ptr<Counts> { return std::make_unique<Confusion>(options); },
      [](int64_t classes) {
        const double bytes = MatrixBytes(classes);
        return bytes < 9e18 ? static_cast<int64_t>(bytes) : std::numeric_limits<int64_t>::max();
      }};
  return kKind;
}

}  // namespace gradeline

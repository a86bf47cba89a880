#include "server/core/metric/distance_transform.h"

#include <algorithm>

namespace gradeline {
namespace {

constexpr int32_t kNone = int32_t{1} << 30;  // rows, or more: the column has no point

int64_t FloorOfQuotient(int64_t part, int64_t whole) { return part / whole - (part % whole < 0 ? 1 : 0); }

}  // namespace

void DistanceTransform::Start(absl::Span<const uint8_t> points, int64_t rows, int64_t columns, int64_t most) {
  columns_ = columns;
  most_ = most;
  along_columns_.resize(points.size());
  squared_.resize(static_cast<size_t>(columns));
  for (int64_t row = 0; row < rows; ++row) {
    int32_t* const here = along_columns_.data() + row * columns;
    const uint8_t* const point = points.data() + row * columns;
    if (row == 0) std::fill_n(here, columns, kNone);
    const int32_t* const above = row == 0 ? here : here - columns;
    for (int64_t c = 0; c < columns; ++c) here[c] = point[c] != 0 ? 0 : above[c] + 1;
  }
  for (int64_t row = rows - 2; row >= 0; --row) {
    int32_t* const here = along_columns_.data() + row * columns;
    for (int64_t c = 0; c < columns; ++c) here[c] = std::min(here[c], here[c + columns] + 1);
  }
}

void DistanceTransform::FindEnvelope(const int32_t* row) {
  envelope_.clear();
  for (int64_t q = 0; q < columns_; ++q) {
    const int64_t height = int64_t{row[q]} * row[q];
    if (row[q] >= kNone || height > most_) continue;
    Parabola next{q, height, 0};
    while (!envelope_.empty()) {
      // Beyond this column the parabola of q is the lower one; on it they are at best equal.
      const Parabola& last = envelope_.back();
      next.from = FloorOfQuotient(next.height + q * q - last.height - last.at * last.at, 2 * (q - last.at)) + 1;
      if (next.from > last.from) break;
      envelope_.pop_back();
      next.from = 0;
    }
    if (next.from < columns_) envelope_.push_back(next);
  }
}

absl::Span<const int64_t> DistanceTransform::Row(int64_t row) {
  FindEnvelope(along_columns_.data() + row * columns_);
  int64_t* const squared = squared_.data();
  if (envelope_.empty()) std::fill_n(squared, columns_, kFar);
  for (size_t i = 0; i < envelope_.size(); ++i) {
    const Parabola& parabola = envelope_[i];
    const int64_t end = i + 1 < envelope_.size() ? envelope_[i + 1].from : columns_;
    for (int64_t x = parabola.from; x < end; ++x) {
      const int64_t distance = (x - parabola.at) * (x - parabola.at) + parabola.height;
      squared[x] = distance <= most_ ? distance : kFar;
    }
  }
  return squared_;
}

}  // namespace gradeline

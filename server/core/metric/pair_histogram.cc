// Neighbouring items are often of the same pair (pixels of one object): adding to the same place again and again waits
// for memory that was just written. So a group that is of one pair is added at once, and other items go round several
// copies of the matrix.
#include "server/core/metric/pair_histogram.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace gradeline {
namespace {

constexpr int64_t kGroup = 16;               // items
constexpr int64_t kCopies = 4;               // of the matrix
constexpr int64_t kFew = 65536;              // cells of which copies are worth while
constexpr int64_t kMost = int64_t{1} << 31;  // items that 32 bits count

/// Whether all of a group, or of half a group, are the same.
template <int64_t count>
bool AllSame(const uint8_t* items) {
  uint64_t first = 0, last = 0;
  std::memcpy(&first, items, sizeof(first));
  std::memcpy(&last, items + count - sizeof(last), sizeof(last));
  return ((first ^ std::rotl(first, 8)) | (first ^ last)) == 0;
}

template <int64_t count>
bool AllSame(const int32_t* items) {
  int32_t other = 0;
  for (int64_t j = 1; j < count; ++j) other |= items[j] ^ items[0];
  return other == 0;
}

/// Into kCopies matrices of `size` cells, whose first row is that of `first_row`; a row has 1 << shift cells.
template <typename Class>
void Count(const Class* wanted, const Class* predicted, int64_t items, int shift, int first_row, uint32_t* cells,
           int64_t size) {
  const auto cell = [=](int64_t i) { return (int64_t{wanted[i] - first_row} << shift) + predicted[i]; };
  constexpr int64_t kHalf = kGroup / 2;
  int64_t i = 0;
  for (; i + kGroup <= items; i += kGroup) {
    if (AllSame<kGroup>(wanted + i) && AllSame<kGroup>(predicted + i)) {
      cells[cell(i)] += kGroup;
      continue;
    }
    for (const int64_t half : {i, i + kHalf}) {
      if (AllSame<kHalf>(wanted + half) && AllSame<kHalf>(predicted + half)) {
        cells[cell(half)] += kHalf;
        continue;
      }
      for (int64_t j = 0; j < kHalf; ++j) ++cells[j % kCopies * size + cell(half + j)];
    }
  }
  for (; i < items; ++i) ++cells[cell(i)];
}

template <typename Class>
void CountWith(absl::Span<const Class> wanted, absl::Span<const Class> predicted, int64_t columns, int first_row,
               absl::Span<int64_t> cells) {
  const Class *const right = wanted.data(), *const said = predicted.data();
  const auto items = static_cast<int64_t>(wanted.size());
  int64_t* const to = cells.data();
  // Rows of a power of two, for a shift is quicker than a product. The row of those that do not count is counted too
  // and dropped: asking of every item takes longer.
  const int shift = std::bit_width(static_cast<uint64_t>(columns - 1));
  const int64_t rows = static_cast<int64_t>(cells.size()) / columns, size = (rows - first_row) << shift;
  if (size > kFew) {
    for (int64_t i = 0; i < items; ++i) {
      if (static_cast<int64_t>(right[i]) >= 0) ++to[right[i] * columns + said[i]];
    }
    return;
  }
  std::vector<uint32_t> copies(static_cast<size_t>(kCopies * size));
  for (int64_t begin = 0; begin < items; begin += kMost) {
    std::fill(copies.begin(), copies.end(), 0);
    Count(right + begin, said + begin, std::min(kMost, items - begin), shift, first_row, copies.data(), size);
    for (int64_t copy = 0; copy < kCopies; ++copy) {
      for (int64_t row = 0; row < rows; ++row) {
        const uint32_t* const counted = copies.data() + copy * size + ((row - first_row) << shift);
        for (int64_t column = 0; column < columns; ++column) to[row * columns + column] += counted[column];
      }
    }
  }
}

}  // namespace

void CountPairs(absl::Span<const uint8_t> wanted, absl::Span<const uint8_t> predicted, int64_t columns,
                absl::Span<int64_t> cells) {
  CountWith(wanted, predicted, columns, 0, cells);
}

void CountPairs(absl::Span<const int32_t> wanted, absl::Span<const int32_t> predicted, int64_t columns,
                absl::Span<int64_t> cells) {
  CountWith(wanted, predicted, columns, -1, cells);
}

}  // namespace gradeline

#include <algorithm>
#include <cmath>
#include <utility>

#include "server/core/metric/boundary.h"
#include "server/core/metric/distance_transform.h"

namespace gradeline {
namespace {

constexpr int64_t kFewRows = 64;

/// The boundary pixels of all classes, class by class.
struct Outline {
  std::vector<int64_t> first;   // [classes + 1]: into `pixels`
  std::vector<int64_t> pixels;  // row * columns + column
  std::vector<uint8_t> occurs;  // [classes]

  absl::Span<const int64_t> Of(int64_t index) const {
    const auto c = static_cast<size_t>(index);
    return absl::MakeConstSpan(pixels).subspan(static_cast<size_t>(first[c]),
                                               static_cast<size_t>(first[c + 1] - first[c]));
  }
};

Outline OutlineOf(const ClassMap& map) {
  Outline outline;
  outline.occurs.resize(static_cast<size_t>(map.classes));
  outline.first.resize(static_cast<size_t>(map.classes) + 1);
  std::vector<std::pair<int32_t, int64_t>> found;  // class, pixel
  const int32_t* const pixels = map.pixels.data();
  const auto other = [&](int64_t pixel, int64_t neighbour) {
    return pixels[neighbour] >= 0 && pixels[neighbour] != pixels[pixel];
  };
  for (int64_t row = 0, pixel = 0; row < map.rows; ++row) {
    for (int64_t column = 0; column < map.columns; ++column, ++pixel) {
      const int32_t index = pixels[pixel];
      if (index < 0 || index >= map.classes) continue;
      outline.occurs[static_cast<size_t>(index)] = 1;
      if ((column > 0 && other(pixel, pixel - 1)) || (column + 1 < map.columns && other(pixel, pixel + 1)) ||
          (row > 0 && other(pixel, pixel - map.columns)) || (row + 1 < map.rows && other(pixel, pixel + map.columns))) {
        found.emplace_back(index, pixel);
        ++outline.first[static_cast<size_t>(index) + 1];
      }
    }
  }
  for (size_t c = 1; c < outline.first.size(); ++c) outline.first[c] += outline.first[c - 1];
  outline.pixels.resize(found.size());
  std::vector<int64_t> next = outline.first;
  for (const auto& [index, pixel] : found) {
    outline.pixels[static_cast<size_t>(next[static_cast<size_t>(index)]++)] = pixel;
  }
  return outline;
}

/// The least part of the image that has all of some pixels.
struct Box {
  int64_t top, left, rows, columns;
};

Box BoxOf(absl::Span<const int64_t> a, absl::Span<const int64_t> b, int64_t columns) {
  const int64_t top = std::min(a.front(), b.front()) / columns, bottom = std::max(a.back(), b.back()) / columns;
  int64_t left = columns, right = 0;
  for (const absl::Span<const int64_t> pixels : {a, b}) {
    for (const int64_t pixel : pixels) {
      left = std::min(left, pixel % columns);
      right = std::max(right, pixel % columns);
    }
  }
  return {top, left, bottom - top + 1, right - left + 1};
}

class Scorer {
 public:
  /// Of an image with so many columns; near is up to the square root of `most`.
  Scorer(int64_t columns, int64_t most) : columns_(columns), most_(most) {}

  /// F as BoundaryScore has it.
  uint64_t Scaled(absl::Span<const int64_t> predicted, absl::Span<const int64_t> wanted) {
    constexpr uint64_t kOne = uint64_t{1} << 52;
    if (predicted.empty() && wanted.empty()) return kOne;
    if (predicted.empty() || wanted.empty()) return 0;
    const Box box = BoxOf(predicted, wanted, columns_);
    const Boundary::Wide p = Near(predicted, wanted, box), t = Near(wanted, predicted, box);
    if (p == 0 || t == 0) return 0;
    const Boundary::Wide whole = p * wanted.size() + t * predicted.size();
    return static_cast<uint64_t>((2 * p * t * kOne + whole / 2) / whole);
  }

 private:
  /// How many of `from` have one of `to` near.
  uint64_t Near(absl::Span<const int64_t> from, absl::Span<const int64_t> to, const Box& box) {
    return most_ <= kFewRows * kFewRows ? NearByRows(from, to) : NearByTransform(from, to, box);
  }

  /// Looks through the few rows that are near, the nearest first: most pixels have one in their own. Both lists are in
  /// order, so in each row that is so far away the place to look at only moves on.
  uint64_t NearByRows(absl::Span<const int64_t> from, absl::Span<const int64_t> to) const {
    struct Above {
      int64_t rows, reach;  // reach: of columns
      size_t next;          // into `to`
    };
    std::vector<Above> places;
    for (int64_t rows = 0; rows * rows <= most_; ++rows) {
      const auto reach = static_cast<int64_t>(std::sqrt(static_cast<double>(most_ - rows * rows)));
      places.push_back({rows, reach, 0});
      if (rows > 0) places.push_back({-rows, reach, 0});
    }
    uint64_t near = 0;
    for (const int64_t pixel : from) {
      const int64_t row = pixel / columns_, column = pixel % columns_;
      for (Above& place : places) {
        const int64_t first = (row - place.rows) * columns_ + std::max<int64_t>(column - place.reach, 0);
        const int64_t last = (row - place.rows) * columns_ + std::min(column + place.reach, columns_ - 1);
        while (place.next < to.size() && to[place.next] < first) ++place.next;
        if (place.next == to.size() || to[place.next] > last) continue;
        ++near;
        break;
      }
    }
    return near;
  }

  /// Takes the same time for every distance.
  uint64_t NearByTransform(absl::Span<const int64_t> from, absl::Span<const int64_t> to, const Box& box) {
    points_.assign(static_cast<size_t>(box.rows * box.columns), 0);
    for (const int64_t pixel : to) {
      points_[static_cast<size_t>((pixel / columns_ - box.top) * box.columns + pixel % columns_ - box.left)] = 1;
    }
    transform_.Start(points_, box.rows, box.columns, most_);
    uint64_t near = 0;
    absl::Span<const int64_t> squared;
    int64_t row = -1;
    for (const int64_t pixel : from) {
      if (pixel / columns_ != row) {
        row = pixel / columns_;
        squared = transform_.Row(row - box.top);
      }
      near += squared[static_cast<size_t>(pixel % columns_ - box.left)] <= most_ ? 1 : 0;
    }
    return near;
  }

  const int64_t columns_, most_;
  std::vector<uint8_t> points_;
  DistanceTransform transform_;
};

}  // namespace

std::vector<BoundaryScore> BoundaryScores(const ClassMap& predicted, const ClassMap& wanted, double tolerance) {
  const auto rows = static_cast<double>(wanted.rows), columns = static_cast<double>(wanted.columns);
  const auto most = static_cast<int64_t>(tolerance * tolerance * (rows * rows + columns * columns));
  const Outline said = OutlineOf(predicted), right = OutlineOf(wanted);
  Scorer scorer(wanted.columns, most);
  std::vector<BoundaryScore> scores;
  for (int64_t c = 0; c < wanted.classes; ++c) {
    if ((said.occurs[static_cast<size_t>(c)] | right.occurs[static_cast<size_t>(c)]) == 0) continue;
    scores.push_back({static_cast<int32_t>(c), scorer.Scaled(said.Of(c), right.Of(c))});
  }
  return scores;
}

}  // namespace gradeline

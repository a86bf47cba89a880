// See coco_mask.h.
#include "client/cli/coco_mask.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

constexpr int kFiner = 5;
constexpr double kFarthest = 1 << 17;
constexpr size_t kMostCrossings = 1 << 22;

struct Point {
  int64_t x = 0, y = 0;
};
using Interval = std::pair<int64_t, int64_t>;

// Gives `visit` the points of a line on the fine grid, both ends among them: one for each step along its longer side.
template <typename Visit>
void Walk(Point from, Point to, Visit visit) {
  const int64_t dx = std::abs(to.x - from.x), dy = std::abs(to.y - from.y);
  const bool flat = dx >= dy;
  const bool backwards = flat ? from.x > to.x : from.y > to.y;
  if (backwards) std::swap(from, to);
  const int64_t steps = std::max(dx, dy);
  const double slope =
      steps == 0 ? 0 : static_cast<double>(flat ? to.y - from.y : to.x - from.x) / static_cast<double>(steps);
  for (int64_t d = 0; d <= steps; ++d) {
    const int64_t t = backwards ? steps - d : d;
    const auto across = [&](int64_t begin) {
      // As COCO's tools round, towards 0 once a half is added.
      // NOLINTNEXTLINE(bugprone-incorrect-roundings)
      return static_cast<int64_t>(static_cast<double>(begin) + slope * static_cast<double>(t) + 0.5);
    };
    visit(flat ? Point{from.x + t, across(from.y)} : Point{across(from.x), from.y + t});
  }
}

// Where a polygon's edges cross the middle of a column: positions, column by column, at which inside and outside
// change.
class Crossings {
 public:
  Crossings(int64_t height, int64_t width) : height_(height), width_(width) {}

  void Visit(Point here) {
    if (before_ && here.x != before_->x) Cross(here, *before_);
    before_ = here;
  }
  bool too_many() const { return at_.size() > kMostCrossings; }
  std::vector<int64_t> Sorted() && {
    std::sort(at_.begin(), at_.end());
    return std::move(at_);
  }

 private:
  void Cross(Point here, Point before) {
    const auto coarse = [](int64_t fine) { return (static_cast<double>(fine) + 0.5) / kFiner - 0.5; };
    const double column = coarse(here.x < before.x ? here.x : here.x - 1);
    if (std::floor(column) != column || column < 0 || column > static_cast<double>(width_ - 1)) return;
    const double row = std::clamp(coarse(std::min(here.y, before.y)), 0.0, static_cast<double>(height_));
    at_.push_back(static_cast<int64_t>(column) * height_ + static_cast<int64_t>(std::ceil(row)));
  }

  const int64_t height_, width_;
  std::optional<Point> before_;
  std::vector<int64_t> at_;
};

// The runs of `size` pixels of which the intervals cover some, more than once or not.
std::vector<int64_t> RunsOfIntervals(std::vector<Interval> intervals, int64_t size) {
  std::sort(intervals.begin(), intervals.end());
  std::vector<int64_t> runs{0};
  int64_t at = 0;
  for (const auto& [first, end] : intervals) {
    const int64_t begin = std::max(first, at);
    if (begin >= end) continue;
    if (at == 0) {
      runs[0] = begin;
      runs.push_back(end - begin);
    } else if (begin == at) {
      runs.back() += end - begin;
    } else {
      runs.push_back(begin - at);
      runs.push_back(end - begin);
    }
    at = end;
  }
  if (at == 0) return {size};
  if (at < size) runs.push_back(size - at);
  return runs;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> RunsOfText(absl::string_view text) {
  // Numbers of five bits a character from 48 on, the lowest first: bit 5 says that more follow, bit 4 of the last one
  // is the sign. From the fourth on they are differences to the number two before.
  std::vector<int64_t> runs;
  for (size_t i = 0; i < text.size();) {
    int64_t number = 0;
    int shift = 0;
    bool more = true;
    while (more) {
      const int code = i < text.size() ? text[i++] - 48 : -1;
      if (code < 0 || code > 63 || shift > 50) return absl::InvalidArgumentError("counts is no compressed run lengths");
      number |= static_cast<int64_t>(code & 31) << shift;
      shift += 5;
      more = (code & 32) != 0;
      if (!more && (code & 16) != 0) number -= int64_t{1} << shift;
    }
    if (runs.size() > 2) number += runs[runs.size() - 2];
    if (number < 0) return absl::InvalidArgumentError("counts is no compressed run lengths: one is negative");
    runs.push_back(number);
  }
  return runs;
}

absl::StatusOr<std::vector<int64_t>> RunsOfPolygons(const std::vector<std::vector<double>>& polygons, int64_t height,
                                                    int64_t width) {
  std::vector<Interval> covered;
  for (const std::vector<double>& polygon : polygons) {
    const size_t corners = polygon.size() / 2;
    if (corners < 3 || polygon.size() % 2 != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("has a polygon of ", polygon.size(), " numbers; allowed: an even number from 6 on"));
    }
    std::vector<Point> corner;
    for (size_t i = 0; i < corners; ++i) {
      const double x = polygon[2 * i], y = polygon[2 * i + 1];
      if (!(std::abs(x) <= kFarthest && std::abs(y) <= kFarthest)) {
        return absl::InvalidArgumentError(absl::StrCat("has a corner at ", x, ", ", y, "; allowed: up to ", kFarthest));
      }
      // NOLINTNEXTLINE(bugprone-incorrect-roundings): as above
      corner.push_back({static_cast<int64_t>(kFiner * x + 0.5), static_cast<int64_t>(kFiner * y + 0.5)});
    }
    Crossings crossings(height, width);
    for (size_t i = 0; i < corners && !crossings.too_many(); ++i) {
      Walk(corner[i], corner[(i + 1) % corners], [&](Point point) { crossings.Visit(point); });
    }
    if (crossings.too_many() || covered.size() > kMostCrossings) {
      return absl::InvalidArgumentError(
          absl::StrCat("has polygons that cross columns of pixels more than ", kMostCrossings, " times"));
    }
    const std::vector<int64_t> at = std::move(crossings).Sorted();
    for (size_t i = 0; i < at.size(); i += 2) {
      covered.emplace_back(at[i], i + 1 < at.size() ? at[i + 1] : height * width);
    }
  }
  return RunsOfIntervals(std::move(covered), height * width);
}

}  // namespace gradeline::cli

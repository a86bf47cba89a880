#include "server/core/metric/curves.h"

#include <algorithm>
#include <cmath>

namespace gradeline {
namespace {

constexpr size_t kMostPoints = 1000;
constexpr int64_t kMostTerms = 64;  // that are added one by one; of more the integral is a bound

/// Precision; of no items 1, where the curve begins.
double Precision(int64_t true_positives, int64_t false_positives) {
  const int64_t taken = true_positives + false_positives;
  return taken == 0 ? 1 : static_cast<double>(true_positives) / static_cast<double>(taken);
}

/// Calls visit(cell, true positives before it, false positives before it) from the highest score down.
template <typename Visit>
void Down(const ClassCells& cells, Visit&& visit) {
  int64_t true_positives = 0, false_positives = 0;
  for (auto cell = cells.cells.rbegin(); cell != cells.cells.rend(); ++cell) {
    visit(*cell, true_positives, false_positives);
    true_positives += cell->positives;
    false_positives += cell->negatives;
  }
}

/// The integral of x / (x + fp) for x from tp to tp + more.
double PrecisionIntegral(int64_t tp, int64_t fp, int64_t more) {
  if (fp == 0) return static_cast<double>(more);
  const auto first = static_cast<double>(tp + fp), width = static_cast<double>(more), wrong = static_cast<double>(fp);
  return width - wrong * std::log1p(width / first);
}

/// What a cell of `a` positives adds to an area, times all positives: as ties, and between which bounds for any order.
struct Bounds {
  double value = 0, least = 0, most = 0;
  void Add(const Bounds& other) {
    value += other.value;
    least += other.least;
    most += other.most;
  }
};

Area ToArea(const Bounds& bounds, const ClassCells& cells) {
  const auto all = static_cast<double>(cells.positives);
  const double error = cells.coarse ? std::max({0.0, bounds.most - bounds.value, bounds.value - bounds.least}) : 0;
  return {bounds.value / all, error / all};
}

/// Each positive counts the precision at the threshold that takes it in. That is at most that of all positives of the
/// cell before any negative, in one tie; and of the j-th positive at least that of j positives after all negatives.
/// The sum of an increasing function of j = 1 to a is at least its integral from 0 to a.
Bounds PrecisionBounds(const ScoreCell& cell, int64_t tp, int64_t fp) {
  const int64_t a = cell.positives, after = fp + cell.negatives;
  const auto count = static_cast<double>(a);
  Bounds bounds{count * Precision(tp + a, after), 0, count * Precision(tp + a, fp)};
  if (a > kMostTerms) {
    bounds.least = PrecisionIntegral(tp, after, a);
  } else {
    for (int64_t j = 1; j <= a; ++j) bounds.least += Precision(tp + j, after);
  }
  return bounds;
}

/// A step of the curve that takes in positives t' + 1 to t'' counts (t'' - t') (P' + P'') / 2. With f(t) = t / (t +
/// fp), fp before the cell, P <= f(t) at each end, and f is concave: the most is one step for each positive, which is
/// at most the integral. With g(t) = t / (t + fp), fp after the cell, P >= g(t), concave too: the least is a single
/// step.
Bounds TrapezoidBounds(const ScoreCell& cell, int64_t tp, int64_t fp) {
  const int64_t a = cell.positives, after = fp + cell.negatives;
  const auto half = static_cast<double>(a) / 2;
  Bounds bounds{half * (Precision(tp, fp) + Precision(tp + a, after)),
                half * (Precision(tp, after) + Precision(tp + a, after)), 0};
  if (a > kMostTerms) {
    bounds.most = PrecisionIntegral(tp, fp, a);
  } else {
    for (int64_t j = 1; j <= a; ++j) bounds.most += (Precision(tp + j - 1, fp) + Precision(tp + j, fp)) / 2;
  }
  return bounds;
}

}  // namespace

void Thin(Curve& curve, size_t most) {
  const size_t points = curve.x.size();
  if (points <= most) return;
  for (size_t i = 0; i < most; ++i) {
    const size_t from = i * (points - 1) / (most - 1);
    curve.x[i] = curve.x[from];
    curve.y[i] = curve.y[from];
  }
  curve.x.resize(most);
  curve.y.resize(most);
}

ClassCells WithSums(absl::Span<const ScoreCell> cells, bool coarse) {
  ClassCells sums{.cells = cells, .coarse = coarse};
  for (const ScoreCell& cell : cells) {
    sums.positives += cell.positives;
    sums.negatives += cell.negatives;
  }
  return sums;
}

Area RocArea(const ClassCells& cells) {
  // Twice the pairs that are in order, and the pairs within cells: whole numbers below 2^107.
  unsigned __int128 twice = 0, tied = 0;
  Down(cells, [&](const ScoreCell& cell, int64_t, int64_t fp) {
    const auto positives = static_cast<unsigned __int128>(cell.positives);
    const int64_t below = cells.negatives - fp - cell.negatives;
    twice += positives * static_cast<uint64_t>(2 * below + cell.negatives);
    tied += positives * static_cast<uint64_t>(cell.negatives);
  });
  const double pairs = 2 * static_cast<double>(cells.positives) * static_cast<double>(cells.negatives);
  // Pairs of a cell count half, and are worth 0 to 1.
  return {static_cast<double>(twice) / pairs, cells.coarse ? static_cast<double>(tied) / pairs : 0};
}

Area AveragePrecision(const ClassCells& cells) {
  Bounds sum;
  Down(cells, [&](const ScoreCell& cell, int64_t tp, int64_t fp) { sum.Add(PrecisionBounds(cell, tp, fp)); });
  return ToArea(sum, cells);
}

Area PrecisionRecallArea(const ClassCells& cells) {
  Bounds sum;
  Down(cells, [&](const ScoreCell& cell, int64_t tp, int64_t fp) { sum.Add(TrapezoidBounds(cell, tp, fp)); });
  return ToArea(sum, cells);
}

Curve RocCurve(const ClassCells& cells, int32_t index) {
  Curve curve{index, "false_positive_rate", "true_positive_rate", {0}, {0}};
  Down(cells, [&](const ScoreCell& cell, int64_t tp, int64_t fp) {
    curve.x.push_back(static_cast<double>(fp + cell.negatives) / static_cast<double>(cells.negatives));
    curve.y.push_back(static_cast<double>(tp + cell.positives) / static_cast<double>(cells.positives));
  });
  Thin(curve, kMostPoints);
  return curve;
}

Curve PrecisionRecallCurve(const ClassCells& cells, int32_t index) {
  Curve curve{index, "recall", "precision", {0}, {1}};
  Down(cells, [&](const ScoreCell& cell, int64_t tp, int64_t fp) {
    curve.x.push_back(static_cast<double>(tp + cell.positives) / static_cast<double>(cells.positives));
    curve.y.push_back(Precision(tp + cell.positives, fp + cell.negatives));
  });
  Thin(curve, kMostPoints);
  return curve;
}

}  // namespace gradeline

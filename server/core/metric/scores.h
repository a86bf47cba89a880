// Every score that was seen and how often it was right: what curves over all thresholds are made of.
#ifndef GRADELINE_SERVER_CORE_METRIC_SCORES_H_
#define GRADELINE_SERVER_CORE_METRIC_SCORES_H_

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/metric/counts.h"

namespace gradeline {

/// How many items of a class (positives) and of the others (negatives) have scores of one key.
struct ScoreCell {
  uint64_t key = 0;
  int64_t positives = 0, negatives = 0;
  bool operator==(const ScoreCell&) const = default;
};

/// Of each class the cells in order of their keys. A key is the score's place among all doubles (0 and -0 are one),
/// without its lowest `coarse` bits. At first coarse is 0: a cell is a score, and everything that follows is exact.
///
/// Coarse grows to the least number of bits with which the cells of all classes fit `max_bytes`. So it depends on what
/// was counted alone, not on the order or the partition: let n(S, c) be the number of cells that scores S have with c
/// bits cut off, and c(S) the least c with which n(S, c) fits. Cutting more joins cells and never parts any, and a part
/// A of S has no cell that S has not: n(A, c) <= n(S, c), hence c(A) <= c(S). Counts of A keep what was seen up to c(A)
/// bits, from which all of more bits follow. So those of A and B, brought to c0 = max(c(A), c(B)) <= c(A + B) and
/// added, are the cells of A + B with c0 bits cut off, and growing from c0 to the least that fits ends at c(A + B).
class Scores : public Counts {
 public:
  /// Bytes per cell: 24 for a cell, and up to four times as many cells while two lists become one.
  static constexpr int64_t kCellBytes = 96;
  static constexpr int kKeyBits = 64;

  /// `exclusive`: of multiclass batches, each item is of one class.
  Scores(bool exclusive, int64_t max_bytes) : exclusive_(exclusive), limit_(max_bytes / kCellBytes) {}

  /// Also takes 17 bytes for each score of the batch while it runs.
  absl::Status Add(const MetricBatch& batch) override;
  /// Takes time in proportion to the bytes, and each cell is merged again as often as what is there doubles.
  absl::Status Merge(std::string_view bytes) override;
  std::string Bytes() const override;

  bool exclusive() const { return exclusive_; }
  int64_t classes() const { return classes_; }
  int coarse() const;
  /// By ascending key. Valid until the next Add or Merge.
  absl::Span<const ScoreCell> cells(int64_t index) const;

  /// Cells of all classes in order, those of class k end at ends[k].
  struct Run {
    int coarse = 0;
    std::vector<ScoreCell> cells = {};
    std::vector<size_t> ends = {};
    size_t size() const { return cells.size() + ends.size(); }
  };

 private:
  absl::Status Fits(int64_t classes, int64_t scores) const;
  void Push(Run run, int64_t scores);
  const Run* Whole() const;

  const bool exclusive_;
  const int64_t limit_;  // of cells and classes together
  int64_t classes_ = 0;
  int64_t scores_ = 0;             // counted, below 2^53
  mutable std::vector<Run> runs_;  // each more than twice as large as the next; joined when asked for
};

/// The order of keys is that of scores. `score` is not NaN.
inline uint64_t KeyOf(double score) {
  constexpr uint64_t kMiddle = uint64_t{1} << 63;
  const auto bits = std::bit_cast<uint64_t>(score);
  const uint64_t magnitude = bits & ~kMiddle;
  return bits >= kMiddle ? kMiddle - magnitude : kMiddle + magnitude;
}

/// Of binary and multilabel signals, and of multiclass ones.
const CountsKind& ScoresKind(std::string_view signal);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_SCORES_H_

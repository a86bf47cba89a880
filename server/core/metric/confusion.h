// The confusion matrix as counts.
#ifndef GRADELINE_SERVER_CORE_METRIC_CONFUSION_H_
#define GRADELINE_SERVER_CORE_METRIC_CONFUSION_H_

#include <string>
#include <string_view>
#include <vector>

#include "server/core/metric/class_counts.h"

namespace gradeline {

/// Of multiclass and pixel-multiclass batches. Has as many classes as the batch that has the most: one whose classes
/// are decided knows only of its highest. Pairs are a list as long as they are few beside classes * classes, then a
/// matrix of 8 bytes each; the matrix must fit into `max_bytes` even while it is not needed, so that no order of the
/// batches is refused where another is not.
class Confusion : public ClassCounts {
 public:
  explicit Confusion(const CountsOptions& options) : max_bytes_(options.max_bytes) {}

  absl::Status Add(const MetricBatch& batch) override;
  /// Bytes: classes, then of every pair that occurs the distance to the one before, row by row, and the count.
  absl::Status Merge(std::string_view bytes) override;
  std::string Bytes() const override;

  std::vector<ClassCount> Classes() const override { return ClassesOfPairs(Pairs()); }
  ClassPairs Pairs() const override;
  int64_t counted() const override { return counted_; }

 private:
  absl::Status AddBytes(const TensorView& prediction, const TensorView& target, int64_t ignore_index);
  absl::Status AddDecisions(const Decisions& decisions);
  absl::Status CheckRoom(int64_t classes, int64_t items) const;
  void Grow(int64_t classes);
  void MakeMatrix();
  void AddPairs(const std::vector<PairCount>& pairs);

  int64_t max_bytes_;
  int64_t classes_ = 0, counted_ = 0;
  std::vector<PairCount> list_;  // in any order, a pair may be there several times; empty once there is a matrix
  size_t sorted_ = 0;            // how many there were when the list was last without repetitions
  std::vector<int64_t> matrix_;  // [classes_][classes_], or empty
};

/// Kind "confusion".
const CountsKind& ConfusionKind();

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_CONFUSION_H_

// True and false positives and negatives of labels as counts.
#ifndef GRADELINE_SERVER_CORE_METRIC_LABEL_COUNTS_H_
#define GRADELINE_SERVER_CORE_METRIC_LABEL_COUNTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "server/core/metric/class_counts.h"

namespace gradeline {

/// Of binary, pixel-binary (one label), multilabel and pixel-multilabel batches. Has as many labels as the batch that
/// has the most; 32 bytes of memory each.
class LabelCounts : public ClassCounts {
 public:
  explicit LabelCounts(const CountsOptions& options) : max_bytes_(options.max_bytes) {}

  absl::Status Add(const MetricBatch& batch) override;
  /// Bytes: tp, fp, fn and tn of every label.
  absl::Status Merge(std::string_view bytes) override;
  std::string Bytes() const override;

  std::vector<ClassCount> Classes() const override { return labels_; }
  ClassPairs Pairs() const override;
  int64_t counted() const override { return counted_; }

 private:
  absl::Status AddLabels(const std::vector<ClassCount>& labels);

  int64_t max_bytes_;
  int64_t counted_ = 0;
  std::vector<ClassCount> labels_;
};

/// Kind "label_counts".
const CountsKind& LabelCountsKind();

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_LABEL_COUNTS_H_

// Labels that are there or not: what was decided of every slot, and what is right.
#ifndef GRADELINE_SERVER_CORE_METRIC_SLOTS_H_
#define GRADELINE_SERVER_CORE_METRIC_SLOTS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/metric/batch.h"
#include "server/core/metric/class_counts.h"
#include "server/core/metric/slot_loops.h"

namespace gradeline {

/// The slots [outer][labels][inner] of a binary or multilabel batch, of rows or pixels. A binary one has one label and
/// outer 1. Borrows
/// the batch's tensors.
class Slots {
 public:
  /// INVALID_ARGUMENT with all violations of shapes; also of inputs that are missing.
  static absl::StatusOr<Slots> Of(const MetricBatch& batch);

  int64_t outer() const { return outer_; }
  int64_t labels() const { return labels_; }
  int64_t inner() const { return inner_; }
  /// Writes the states of the slots from `first` on; returns all of their bits.
  uint8_t Read(int64_t first, absl::Span<uint8_t> states) const;
  /// INVALID_ARGUMENT that names the first wrong prediction and the first wrong target, of which there must be one.
  absl::Status Wrong() const;

 private:
  TensorView prediction_, target_;
  int64_t ignore_index_ = 0;
  int64_t outer_ = 1, labels_ = 1, inner_ = 1;
};

/// How often which state is among `states`, none of them wrong.
ClassCount CountStates(absl::Span<const uint8_t> states);
/// The same for every column of a matrix of states, added to `counts`, which has one for each column.
void CountColumns(absl::Span<const uint8_t> states, absl::Span<ClassCount> counts);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_SLOTS_H_

// The tensors of one batch as metrics look at them.
#ifndef GRADELINE_SERVER_CORE_METRIC_BATCH_H_
#define GRADELINE_SERVER_CORE_METRIC_BATCH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/metric/decisions.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

/// A tensor with its name, "prediction".
struct NamedTensor {
  std::string name;
  TensorView tensor;
};

/// The label that does not count where nobody says another, as of the losses.
inline constexpr int64_t kIgnoreIndex = -100;

/// Shapes by signal; B is any axes, none or more:
/// - multiclass, pixel-multiclass: prediction [N, C, B] real scores, or [N, B] whole numbers: classes that are decided;
///   target [N, B] labels, or [N, C, B] real whose highest is the class;
/// - binary, pixel-binary: prediction [N, B]; multilabel, pixel-multilabel: [N, C, B]; real, or whole numbers 0 and 1:
///   decided; target of the same shape, 0 or 1, or real: above 0.5 is 1;
/// - value: prediction and target [N, B] real.
/// Others have inputs of their own. Labels equal to `ignore_index` do not count. Borrows the tensors' memory. Not
/// thread-safe: what several counts need is computed once and kept.
class MetricBatch {
 public:
  MetricBatch(std::string_view signal, std::vector<NamedTensor> tensors, int64_t ignore_index = kIgnoreIndex);

  std::string_view signal() const { return signal_; }
  int64_t ignore_index() const { return ignore_index_; }
  /// nullptr if there is none of that name.
  const TensorView* Find(std::string_view name) const;
  /// As Find; INVALID_ARGUMENT with the violation "inputs.NAME" if it is missing.
  absl::StatusOr<const TensorView*> Input(std::string_view name) const;
  /// Of a multiclass or pixel-multiclass batch: see Decide.
  absl::StatusOr<const Decisions*> decisions() const;

 private:
  std::string signal_;
  std::vector<NamedTensor> tensors_;
  int64_t ignore_index_;
  mutable std::unique_ptr<const Decisions> decisions_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_BATCH_H_

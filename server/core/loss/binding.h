// Binding: symbolic dims of a loss ("N C *") against the shapes of a batch.
#ifndef GRADELINE_SERVER_CORE_LOSS_BINDING_H_
#define GRADELINE_SERVER_CORE_LOSS_BINDING_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/loss/registry.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

/// Type and shape of one input; absent inputs have no value.
struct InputShape {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  bool operator==(const InputShape&) const = default;
};

/// A batch's shapes bound to a loss: everything the engine's plan depends on.
struct Binding {
  int64_t outer = 0, inner = 0;              ///< items = outer * inner, row-major
  std::vector<int64_t> small;                ///< per tensor; -1 = absent
  std::vector<bool> whole;                   ///< per tensor: no item axis, given whole to every tile
  std::vector<int64_t> label_size;           ///< per tensor: labels lie in [0, label_size); 0 where not a label
  std::map<std::string, int64_t> axes;       ///< named axes
  std::vector<int64_t> item_shape;           ///< shape of per-item results
  int real_bytes = 4;                        ///< 8 if any real input is f64, else 4
  int64_t items() const { return outer * inner; }
};

/// Binds `inputs` (one entry per tensor spec of the loss). INVALID_ARGUMENT with all violations, fields "inputs.target": missing,
/// rank, sizes that disagree (both named), wrong type kind, vector parameters whose length is not their axis ("params.class_weights"), one_of groups.
absl::StatusOr<Binding> BindShapes(const LossHandle& loss, absl::Span<const std::optional<InputShape>> inputs);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_BINDING_H_

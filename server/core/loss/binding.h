// Binding: symbolic dims of a loss ("N C *") against the shapes of a batch.
#ifndef GRADELINE_SERVER_CORE_LOSS_BINDING_H_
#define GRADELINE_SERVER_CORE_LOSS_BINDING_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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
  int64_t outer = 0, inner = 0;         ///< items = outer * inner, row-major
  std::vector<int64_t> small;           ///< per tensor; -1 = absent
  std::vector<bool> whole;              ///< per tensor: no item axis, given whole to every tile
  std::vector<int64_t> label_size;      ///< per tensor: labels lie in [0, label_size); 0 where not a label
  std::map<std::string, int64_t> axes;  ///< named axes; one that may be missing and is has size 1
  std::vector<int64_t> item_shape;      ///< shape of per-item results
  int real_bytes = 4;                   ///< 8 if any real input is f64, else 4
  int64_t items() const { return outer * inner; }
};

/// The tensor of `info` that a tensor called `name` of type `dtype` is meant for: labels and reals may share a name
/// ("target", hard or soft). nullopt if there is no such name; of a name with one spec, that one, whatever the type.
std::optional<size_t> FindInput(const LossInfo& info, std::string_view name, DType dtype);

/// Binds `inputs` (one entry per tensor spec of the loss). INVALID_ARGUMENT with all violations, fields
/// "inputs.target": missing, rank, sizes that disagree (both named), wrong kind of type, one_of groups; and
/// "params.class_weights": vectors whose length is not their axis.
absl::StatusOr<Binding> BindShapes(const LossHandle& loss, absl::Span<const std::optional<InputShape>> inputs);

/// What of a sum's inputs, in its order, is a term's, in the term's order.
template <typename Input>
std::vector<std::optional<Input>> InputsOf(const LossTerm& term, absl::Span<const std::optional<Input>> inputs) {
  std::vector<std::optional<Input>> own;
  for (const std::optional<size_t>& index : term.tensors) {
    own.push_back(index && *index < inputs.size() ? inputs[*index] : std::nullopt);
  }
  return own;
}

/// Whether the shapes bind to the loss, or to every term of the sum. As BindShapes.
absl::Status CheckShapes(const LossHandle& loss, absl::Span<const std::optional<InputShape>> inputs);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_BINDING_H_

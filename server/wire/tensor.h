// Tensors of a request as borrowed views.
#ifndef GRADELINE_SERVER_WIRE_TENSOR_H_
#define GRADELINE_SERVER_WIRE_TENSOR_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "gradeline/v1/tensor.pb.h"
#include "server/core/loss/loss_info.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

/// One view per tensor spec of `loss`, found by name (and, where specs share one, by integer or real), into the memory
/// of `tensors`, which must outlive them. INVALID_ARGUMENT with all violations: fields "inputs.<name>..." for a known
/// name, "inputs[i].name" for an unknown or repeated one. Absent inputs are left to binding.
absl::StatusOr<std::vector<std::optional<TensorView>>> InputsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Tensor>& tensors, const LossInfo& loss);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_TENSOR_H_

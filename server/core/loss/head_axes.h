// What a head fixes of a loss's tensors: the axes of its signal, and the size of the class axis among them. Losses are
// more general than heads: one that takes "N C? *" binds pixels as well as tags.
#ifndef GRADELINE_SERVER_CORE_LOSS_HEAD_AXES_H_
#define GRADELINE_SERVER_CORE_LOSS_HEAD_AXES_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/core/loss/catalog.h"
#include "server/core/loss/registry.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

/// Size of the class axis of the head's predictions over a dataset of `dataset_classes` (0: unknown). 0 where it is not
/// known, or the signal has no class axis: things and stuff are not told apart by datasets yet.
int64_t ClassesOf(const Head& head, int64_t dataset_classes);

/// Vectors over the class axis that do not fit a head of `signal` with `classes` (0: unknown). INVALID_ARGUMENT with
/// all violations, fields "params.class_weights".
absl::Status CheckClassVectors(std::string_view signal, int64_t classes, const LossHandle& loss);

/// Whether the prediction has the axes of `signal`, and `classes` (0: unknown) on its class axis. INVALID_ARGUMENT,
/// field "inputs.prediction". The loss's own dims say the rest. `inputs`: one per tensor spec of the loss.
absl::Status CheckHeadInputs(std::string_view signal, int64_t classes, const LossInfo& loss,
                             absl::Span<const std::optional<TensorView>> inputs);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_HEAD_AXES_H_

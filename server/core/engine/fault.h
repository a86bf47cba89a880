// A wrong value in a batch, and the words for it. Which of several is reported does not depend on threads: the lowest
// item's.
#ifndef GRADELINE_SERVER_CORE_ENGINE_FAULT_H_
#define GRADELINE_SERVER_CORE_ENGINE_FAULT_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/core/engine/call_plan.h"
#include "server/core/tensor/tensor.h"

namespace gradeline {

struct Fault {
  int64_t item = 0;
  size_t tensor = 0;
  std::optional<int64_t> element;  ///< flat index in the tensor; a loss's own complaint may name the item alone
  const char* what = nullptr;      ///< a loss's own words, static; nullptr: the value is not finite or not in its range

  bool Before(const Fault& other) const { return item != other.item ? item < other.item : tensor < other.tensor; }
};

/// INVALID_ARGUMENT with field "inputs.target[0, 17]", the value and what is allowed; reason NOT_FINITE
/// for NaN and infinities, BAD_VALUE for others.
absl::Status ToStatus(const Fault& fault, const CallPlan& plan, absl::Span<const std::optional<TensorView>> views);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_ENGINE_FAULT_H_

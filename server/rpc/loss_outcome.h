// How a loss call ended, in the words of the metric gradeline_loss_evaluations_total.
#ifndef GRADELINE_SERVER_RPC_LOSS_OUTCOME_H_
#define GRADELINE_SERVER_RPC_LOSS_OUTCOME_H_

#include <string_view>

#include "absl/status/status.h"

namespace gradeline {

inline std::string_view LossOutcome(const absl::Status& status) {
  if (status.ok()) return "ok";
  if (absl::IsCancelled(status)) return "cancelled";
  return absl::IsInternal(status) || absl::IsUnknown(status) ? "failed" : "refused";
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_LOSS_OUTCOME_H_

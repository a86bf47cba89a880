// What was called and how it ended, in the words of the metric gradeline_loss_evaluations_total.
#ifndef GRADELINE_SERVER_RPC_LOSS_OUTCOME_H_
#define GRADELINE_SERVER_RPC_LOSS_OUTCOME_H_

#include <string_view>

#include "absl/status/status.h"

namespace gradeline {

/// The loss's id; every sum of losses is counted as "sum", for there are more of them than a metric may have series.
inline std::string_view LossLabel(std::string_view loss) {
  return loss.find('+') == std::string_view::npos ? loss : "sum";
}

inline std::string_view LossOutcome(const absl::Status& status) {
  if (status.ok()) return "ok";
  if (absl::IsCancelled(status)) return "cancelled";
  return absl::IsInternal(status) || absl::IsUnknown(status) ? "failed" : "refused";
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_LOSS_OUTCOME_H_

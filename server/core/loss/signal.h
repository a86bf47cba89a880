// Signals: the tensor contracts between heads and losses. A fixed table; see docs/architecture.md.
#ifndef GRADELINE_SERVER_CORE_LOSS_SIGNAL_H_
#define GRADELINE_SERVER_CORE_LOSS_SIGNAL_H_

#include <string_view>

#include "absl/types/span.h"

namespace gradeline {

struct SignalInfo {
  std::string_view id;          ///< "pixel-multiclass"
  std::string_view prediction;  ///< dims of the prediction in the ABI's words: "N c *"
  int class_axis;               ///< of the prediction; -1: it has none
  std::string_view target;      ///< for people: "N * labels"
  std::string_view doc;
};

absl::Span<const SignalInfo> Signals();
const SignalInfo* FindSignal(std::string_view id);  ///< nullptr if unknown

/// Signals of evaluations, of which there are metrics and no losses: what a batch of them holds is the metrics' to say.
absl::Span<const std::string_view> EvaluationSignals();

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_SIGNAL_H_

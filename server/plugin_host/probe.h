// The inside of a probe: opens one plugin file and tries its losses. Runs in a process of its own, which it may take
// down.
#ifndef GRADELINE_SERVER_PLUGIN_HOST_PROBE_H_
#define GRADELINE_SERVER_PLUGIN_HOST_PROBE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "server/core/loss/loss_info.h"

namespace gradeline {

/// Environment variable with the file descriptor that the report goes to; without it, to standard output.
inline constexpr char kProbeReportVariable[] = "GRADELINE_PROBE_REPORT_FD";

/// The whole of a probing program: `file` is opened and tried, the report written, line by line: "stage <what comes
/// next>", and at the end "passed" or "refused <why>". Returns 0 if it passed.
int ProbePluginMain(const std::string& file);

/// Tries one checked loss with its defaults on tiny batches: plan and compute run, the loss is finite and repeats bit
/// by bit, gradients are stored wholly and agree with finite differences, f32 agrees with f64, NaN and infinity are
/// refused, an empty batch gives 0. `stage` is told what comes next.
absl::Status ProbeLoss(const LossInfo& loss, const std::function<void(const std::string&)>& stage);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_PLUGIN_HOST_PROBE_H_

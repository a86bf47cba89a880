// The outside of a probe: starts the probing process, reads its report, and ends it at the deadline.
#ifndef GRADELINE_SERVER_PLUGIN_HOST_PROBE_PROCESS_H_
#define GRADELINE_SERVER_PLUGIN_HOST_PROBE_PROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace gradeline {

/// Runs `command` with `file` behind it and waits for its verdict. FAILED_PRECONDITION with the reason if it refused,
/// died (the signal and what it was at are named), ended without a verdict, or was not ready at the deadline; INTERNAL
/// if it could not be started. The process and whatever it started are gone when this returns.
absl::Status RunProbe(const std::vector<std::string>& command, const std::string& file, int64_t deadline_ms);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_PLUGIN_HOST_PROBE_PROCESS_H_

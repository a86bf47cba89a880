// Counts take no more memory than they may.
#ifndef GRADELINE_SERVER_CORE_METRIC_MEMORY_LIMIT_H_
#define GRADELINE_SERVER_CORE_METRIC_MEMORY_LIMIT_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gradeline {

/// "190.7 MiB".
inline std::string BytesText(double bytes) {
  const char* unit = " B";
  for (const char* larger : {" KiB", " MiB", " GiB", " TiB"}) {
    if (bytes < 1024) break;
    bytes /= 1024;
    unit = larger;
  }
  return absl::StrCat(std::round(bytes * 10) / 10, unit);
}

/// RESOURCE_EXHAUSTED if `bytes`, which `what` takes ("confusion matrix of 5000 classes"), are more than `max_bytes`.
inline absl::Status CheckMemory(std::string_view what, double bytes, int64_t max_bytes) {
  if (bytes <= static_cast<double>(max_bytes)) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(std::string(what), " takes ", BytesText(bytes), "; allowed: ",
                                                   BytesText(static_cast<double>(max_bytes)), " (metrics.max_bytes)"));
}

/// No sum of counts is larger: a double holds each exactly.
inline constexpr int64_t kMostCounted = (int64_t{1} << 53) - 1;

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_MEMORY_LIMIT_H_

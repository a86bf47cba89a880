// Worst errors of a loss, appended to the file that GRADELINE_ERRORS names: one JSON object per line and comparison,
// for the table in the documentation.
#ifndef GRADELINE_PLUGINS_SDK_REFERENCE_RECORD_H_
#define GRADELINE_PLUGINS_SDK_REFERENCE_RECORD_H_

#include <cstdlib>
#include <fstream>
#include <string>

#include "plugins/sdk/loss_abi.h"

namespace gradeline::conformance {

/// Relative to the largest: of numerators, denominators and item losses; of gradients.
struct WorstError {
  long double value = 0, gradient = 0;
};

/// A NULL-ended list (or none) of words without quotes or backslashes.
inline std::string JsonList(const char* const* words) {
  std::string text = "[";
  for (; words != nullptr && *words != nullptr; ++words) {
    text += (text.size() > 1 ? ", \"" : "\"") + std::string(*words) + "\"";
  }
  return text + "]";
}

/// `peer`: what the loss was compared with. `dtype`: bytes of a real.
inline void RecordErrors(const GdlLoss& loss, const std::string& peer, uint32_t dtype, size_t cases,
                         const WorstError& error) {
  const char* path = std::getenv("GRADELINE_ERRORS");
  if (path == nullptr) return;
  const char* merge = loss.merge == GDL_MERGE_RATIO ? "ratio" : loss.merge == GDL_MERGE_SUMS ? "sums" : "none";
  std::ofstream file(path, std::ios::app);
  file.precision(3);
  file << R"({"loss": ")" << loss.id << R"(", "peer": ")" << peer << R"(", "bits": )" << 8 * dtype << R"(, "cases": )"
       << cases << R"(, "value": )" << error.value << R"(, "gradient": )" << error.gradient << R"(, "merge": ")"
       << merge << R"(", "signals": )" << JsonList(loss.signals) << R"(, "tasks": )" << JsonList(loss.tasks) << "}\n";
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_REFERENCE_RECORD_H_

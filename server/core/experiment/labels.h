// What an experiment carries for people alone: labels and notes.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_LABELS_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_LABELS_H_

#include <string_view>

#include "absl/status/status.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// Whether `key` may be that of a label: 1 to 63 characters of [a-z0-9_.-], beginning with a letter.
bool IsLabelKey(std::string_view key);
inline constexpr char kLabelKeyRule[] = "1 to 63 characters of a-z, 0-9, _ . and -, beginning with a letter";

/// INVALID_ARGUMENT with fields "labels", "labels.KEY" and "notes": too many labels, a key that is none, a value or
/// notes too long.
absl::Status CheckLabelsAndNotes(const Experiment& experiment);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_LABELS_H_

#include "server/core/experiment/labels.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/base/utf8.h"

namespace gradeline {
namespace {

constexpr size_t kMostLabels = 64, kLongestKey = 63, kLongestValue = 256, kLongestNotes = 16'384;

}  // namespace

bool IsLabelKey(std::string_view key) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !key.empty() && key.size() <= kLongestKey && key.front() >= 'a' && key.front() <= 'z' &&
         key.find_first_not_of(kAllowed) == std::string_view::npos;
}

absl::Status CheckLabelsAndNotes(const Experiment& experiment) {
  Violations violations;
  if (experiment.labels.size() > kMostLabels) {
    violations.Add("labels", absl::StrCat("are ", experiment.labels.size(), "; allowed: up to ", kMostLabels));
  }
  for (const auto& [key, value] : experiment.labels) {
    if (!IsLabelKey(key)) {
      violations.Add("labels", absl::StrCat(Quoted(key), " is no key; allowed: ", kLabelKeyRule));
    } else if (value.size() > kLongestValue) {
      violations.Add(absl::StrCat("labels.", key),
                     absl::StrCat("has ", value.size(), " bytes; allowed: up to ", kLongestValue));
    }
  }
  if (experiment.notes.size() > kLongestNotes) {
    violations.Add("notes", absl::StrCat("has ", experiment.notes.size(), " bytes; allowed: up to ", kLongestNotes));
  }
  return violations.ToStatus();
}

}  // namespace gradeline

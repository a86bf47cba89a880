// "Did you mean": words close to a mistyped one.
#ifndef GRADELINE_CLIENT_CLI_NEAR_NAMES_H_
#define GRADELINE_CLIENT_CLI_NEAR_NAMES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace gradeline::cli {

/// Up to three of `known` that a person may have meant by `word`, best first.
std::vector<std::string> NearNames(absl::string_view word, const std::vector<std::string>& known);

/// "; did you mean \"a\" or \"b\"?" if something is near, else "; known are a, b, c" (empty for no known words).
std::string Suggestion(absl::string_view word, const std::vector<std::string>& known);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_NEAR_NAMES_H_

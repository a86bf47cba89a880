// Whether the parameters of one noun of the catalog make sense: the checks that architectures, solvers, schedulers,
// augmentations and the training itself share.
#ifndef GRADELINE_SERVER_CORE_LOSS_PARAM_CHECK_H_
#define GRADELINE_SERVER_CORE_LOSS_PARAM_CHECK_H_

#include <string>

#include "absl/types/span.h"
#include "server/core/base/status.h"
#include "server/core/loss/loss_info.h"

namespace gradeline {

/// Adds what is wrong: a name twice, a default that the parameter itself or its needs refuse, a `when` that is no
/// "parameter=word" of a choice or a bool, a `needs` that is no condition on known parameters. Fields
/// "<path>.parameters.<name>.default".
void CheckParamSpecs(absl::Span<const ParamSpec> specs, const std::string& path, Violations& violations);

/// "parameter=word" or "parameter=word|word" of a choice or a bool among `specs`; what is allowed otherwise.
absl::Status CheckRule(std::string_view rule, absl::Span<const ParamSpec> specs);

/// Near names if there are any ("did you mean a, b?"), else all of them ("known: a, b").
std::string Hint(const std::string& word, const std::vector<std::string>& known);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_PARAM_CHECK_H_

// Private to this room: the meaning of a loss's tables once they are copied. loss_info.cc copies, this checks.
#ifndef GRADELINE_SERVER_CORE_LOSS_LOSS_LINT_H_
#define GRADELINE_SERVER_CORE_LOSS_LOSS_LINT_H_

#include <string>

#include "server/core/base/status.h"
#include "server/core/loss/loss_info.h"

namespace gradeline {

/// Adds a violation below `path` ("losses[0]") for everything in `loss` that a host could not rely on.
void LintLoss(const LossInfo& loss, const std::string& path, Violations& violations);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_LOSS_LINT_H_

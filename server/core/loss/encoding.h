// What the numbers of a tensor mean, where a parameter of the loss decides it: "box:{format|delta}" of the plugin ABI.
#ifndef GRADELINE_SERVER_CORE_LOSS_ENCODING_H_
#define GRADELINE_SERVER_CORE_LOSS_ENCODING_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/core/loss/loss_info.h"
#include "server/core/loss/params.h"

namespace gradeline {

/// "box:xyxy" or "box:delta" of "box:{format|delta}" under resolved parameter values. Texts without braces stay as they
/// are.
std::string EncodingOf(const TensorSpec& tensor, absl::Span<const ParamSpec> specs, const ParamMap& params);

/// INVALID_ARGUMENT says what is wrong with the braces of an encoding: they name a CHOICE, and say what stands for one
/// that has a `when`.
absl::Status CheckEncoding(const TensorSpec& tensor, absl::Span<const ParamSpec> specs);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_ENCODING_H_

// Parameter values as users give them, and their checking against specs.
#ifndef GRADELINE_SERVER_CORE_LOSS_PARAMS_H_
#define GRADELINE_SERVER_CORE_LOSS_PARAMS_H_

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/core/loss/loss_info.h"

namespace gradeline {

/// A number (INTEGER too), a bool, a word (CHOICE) or a list of numbers (VECTOR).
using ParamValue = std::variant<double, bool, std::string, std::vector<double>>;
using ParamMap = std::map<std::string, ParamValue>;

/// "0.5", "true", "giou", "[1, 2]".
std::string ParamText(const ParamValue& value);

/// Checks `given` against `specs` and returns every parameter that is not off, defaults filled in (CHOICE as its word).
/// The word "off" turns off a parameter that may be. All violations at once: unknown names (with near ones), wrong
/// kinds, out of range (with the bounds, open or closed). A one-number VECTOR may be given as a number. Lengths of
/// vectors are checked when the axis is bound. A parameter whose `when` does not hold is checked and kept like any
/// other. What a parameter needs of others is checked once all have values, while it is on: a bool that is true,
/// another that is not off.
absl::StatusOr<ParamMap> ResolveParams(absl::Span<const ParamSpec> specs, const ParamMap& given);

/// Reads the text form of the command line and of "type=giou" rules for one spec, and checks it: numbers, words, comma
/// lists, "true", "false", "off".
absl::StatusOr<ParamValue> ParseParam(const ParamSpec& spec, std::string_view text);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_PARAMS_H_

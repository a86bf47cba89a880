// Parameters between google.protobuf.Struct and the core. Deliberately checks only that values have a kind the core
// knows; names and ranges are checked against specs in core/loss.
#ifndef GRADELINE_SERVER_WIRE_PARAMS_H_
#define GRADELINE_SERVER_WIRE_PARAMS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/struct.pb.h"
#include "server/core/loss/params.h"

namespace gradeline {

/// INVALID_ARGUMENT with all violations, fields "<field>.<name>": null, an object, a list with anything but numbers.
absl::StatusOr<ParamMap> ParamsFromProto(std::string_view field, const google::protobuf::Struct& proto);

google::protobuf::Struct ParamsToProto(const ParamMap& params);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_PARAMS_H_

// Parameters between google.protobuf.Struct and the core. Deliberately checks only that values have a kind the core
// knows; names and ranges are checked against specs in core/loss.
#ifndef GRADELINE_SERVER_WIRE_PARAMS_H_
#define GRADELINE_SERVER_WIRE_PARAMS_H_

#include <string_view>

#include "google/protobuf/struct.pb.h"
#include "server/core/base/status.h"
#include "server/core/loss/params.h"

namespace gradeline {

/// The parameters as far as they can be read; adds the violations, fields "<field>.<name>": null, an object, a list
/// with anything but numbers (its wrong entries are read as 0).
ParamMap ParamsFromProto(std::string_view field, const google::protobuf::Struct& proto, Violations* violations);

google::protobuf::Struct ParamsToProto(const ParamMap& params);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_PARAMS_H_

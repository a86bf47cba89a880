// A parameter as a catalog file has it, to the core's.
#ifndef GRADELINE_SERVER_WIRE_CATALOG_PARAMS_H_
#define GRADELINE_SERVER_WIRE_CATALOG_PARAMS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gradeline/config/v1/catalog.pb.h"
#include "server/core/loss/loss_info.h"

namespace gradeline {

/// Takes what is wrong at a path of the file: ("parameters.mode.default", "is missing").
using AddProblem = std::function<void(const std::string& path, std::string description)>;

/// nullopt if it has no kind; with another problem what could be read.
std::optional<ParamSpec> SpecFromProto(const std::string& name, const config::v1::Parameter& from,
                                       const AddProblem& add);

/// In order of name.
std::vector<ParamSpec> SpecsFromProto(const google::protobuf::Map<std::string, config::v1::Parameter>& from,
                                      const AddProblem& add);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_CATALOG_PARAMS_H_

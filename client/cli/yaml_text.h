// JSON rewritten as YAML that people can read and edit. Only for JSON that this program printed itself.
#ifndef GRADELINE_CLIENT_CLI_YAML_TEXT_H_
#define GRADELINE_CLIENT_CLI_YAML_TEXT_H_

#include <string>

namespace gradeline::cli {

/// The document as block YAML, keys in the same order; strings are quoted where YAML would read them as something else.
/// Ends with a newline.
std::string YamlOfJson(const std::string& json);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_YAML_TEXT_H_

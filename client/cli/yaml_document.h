// One YAML document as nodes, or what keeps its text from being one.
#ifndef GRADELINE_CLIENT_CLI_YAML_DOCUMENT_H_
#define GRADELINE_CLIENT_CLI_YAML_DOCUMENT_H_

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>

namespace gradeline::cli {

struct YamlFault {
  int line = 0;  ///< from 1
  std::string what;
};

/// Loads the only document of `text`, null if there is none. A fault is the first byte that is no text, the first thing
/// that is no YAML, or what comes behind the document.
std::optional<YamlFault> LoadYaml(const std::string& text, YAML::Node* document);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_YAML_DOCUMENT_H_

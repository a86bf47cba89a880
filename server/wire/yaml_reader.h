// YAML into protobuf messages by reflection: the messages alone say which keys there are and what they hold.
// Deliberately knows nothing of what a message means; the rules of the form are in
// proto/gradeline/config/v1/catalog.proto.
#ifndef GRADELINE_SERVER_WIRE_YAML_READER_H_
#define GRADELINE_SERVER_WIRE_YAML_READER_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace gradeline {

/// Lines (from 1) of everything that was read, by path: "heads[0].signal", "parameters.mode.default".
using YamlLines = std::map<std::string, int>;

/// The line of `path` or of the longest part of it that has one; 1 if none has.
int LineOf(const YamlLines& lines, std::string path);

/// Fills `message` (which should be empty) from `text`. INVALID_ARGUMENT with every problem of the text at once: fields
/// like "u-net.yaml:9: heads[0].signal" from `name`, descriptions with the value and what is allowed; unknown keys with
/// near ones.
absl::Status ReadYaml(std::string_view text, const std::string& name, google::protobuf::Message& message,
                      YamlLines* lines = nullptr);

/// The text of the file at `path`. NOT_FOUND, or FAILED_PRECONDITION if it cannot be read or is larger than 1 MiB.
absl::Status ReadTextFile(const std::string& path, std::string& text);

/// Sets one field of `message` from "grpc.listen=127.0.0.1:0" over what it holds. A list is given as "a,b" or as YAML
/// "[a, b]". INVALID_ARGUMENT names the setting.
absl::Status ApplySetting(std::string_view setting, google::protobuf::Message& message);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_YAML_READER_H_

// Filling messages from text by reflection: one field by its path (--set training.epochs=5), or a whole message from
// YAML. Knows no message by name except the well-known types Struct, Value and Timestamp.
#ifndef GRADELINE_CLIENT_CLI_FILL_H_
#define GRADELINE_CLIENT_CLI_FILL_H_

#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace gradeline::cli {

/// A parameter's value as people write it: numbers, true and false, comma lists ("1,2,0.5"; "2," is a list of one), and
/// words for all else.
google::protobuf::Value ParseValue(const std::string& text);

/// Sets one singular field of basic type, enum or Timestamp from text. Enums take their short word ("global") or full
/// name.
absl::Status SetScalar(const google::protobuf::FieldDescriptor* field, const std::string& text,
                       google::protobuf::Message* message);

/// The field called `name` in snake_case or in lowerCamelCase; null if there is none.
const google::protobuf::FieldDescriptor* FindField(const google::protobuf::Descriptor* descriptor,
                                                   const std::string& name);
/// Names of all fields, snake_case, for suggestions.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor* descriptor);

/// Sets the field at `path`: names joined by dots, "[2]" for an existing entry of a list. Within a Struct the rest of
/// the path is one key, and the value is read by ParseValue. A message takes the empty value, which clears it.
/// INVALID_ARGUMENT names the path and near names. `mask_path`: the path as a field mask has it, in snake_case and no
/// further than a list.
absl::Status SetByPath(const std::string& path, const std::string& value, google::protobuf::Message* message,
                       std::string* mask_path = nullptr);

/// Sets a loss's parameter in a message that has the fields `params` and `reduction`. The name `reduction` is the
/// host's: it sets the field of that name, the others go into `params`.
absl::Status SetLossParameter(const std::string& key, const std::string& value, google::protobuf::Message* message);

/// Reads a YAML document into `message`. Every problem is reported at once, each as "FILE:LINE" and what is wrong
/// there.
absl::Status FillFromYaml(const std::string& file_name, const std::string& text, google::protobuf::Message* message);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_FILL_H_

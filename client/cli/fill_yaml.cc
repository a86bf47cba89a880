// YAML documents into messages, with the line of every problem. See fill.h.
#include <google/protobuf/descriptor.h>
#include <yaml-cpp/yaml.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "client/cli/fill.h"
#include "client/cli/near_names.h"
#include "client/cpp/status.h"

namespace gradeline::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Value;

class YamlReader {
 public:
  explicit YamlReader(std::string file_name) : file_name_(std::move(file_name)) {}

  void Fill(const YAML::Node& node, Message* message);
  void Problem(const YAML::Mark& mark, const std::string& what) {
    violations_.push_back({absl::StrCat(file_name_, ":", mark.line + 1), what});
  }
  absl::Status status() const { return violations_.empty() ? absl::OkStatus() : client::InvalidFields(violations_); }

 private:
  void FillField(const std::string& name, const YAML::Node& node, const FieldDescriptor* field, Message* message);
  void FillList(const std::string& name, const YAML::Node& node, const FieldDescriptor* field, Message* message);
  void FillMap(const std::string& name, const YAML::Node& node, const FieldDescriptor* field, Message* message);
  void FillStruct(const YAML::Node& node, google::protobuf::Struct* out);
  Value ValueOf(const YAML::Node& node);

  std::string file_name_;
  std::vector<client::FieldViolation> violations_;
};

Value YamlReader::ValueOf(const YAML::Node& node) {
  Value out;
  if (node.IsMap()) {
    FillStruct(node, out.mutable_struct_value());
  } else if (node.IsSequence()) {
    for (const YAML::Node& item : node) {
      *out.mutable_list_value()->add_values() = ValueOf(item);
    }
  } else if (node.IsNull()) {
    out.set_null_value(google::protobuf::NULL_VALUE);
  } else if (node.Tag() == "!") {
    out.set_string_value(node.Scalar());
  } else {
    out = ParseValue(node.Scalar());
  }
  return out;
}

void YamlReader::FillStruct(const YAML::Node& node, google::protobuf::Struct* out) {
  if (!node.IsMap()) {
    Problem(node.Mark(), "parameters are not of the form name: value");
    return;
  }
  for (const auto& entry : node) {
    (*out->mutable_fields())[entry.first.Scalar()] = ValueOf(entry.second);
  }
}

void YamlReader::FillList(const std::string& name, const YAML::Node& node, const FieldDescriptor* field,
                          Message* message) {
  if (!node.IsSequence()) {
    Problem(node.Mark(), absl::StrCat(name, " is not a list"));
    return;
  }
  for (const YAML::Node& item : node) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Fill(item, message->GetReflection()->AddMessage(message, field));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && item.IsScalar()) {
      message->GetReflection()->AddString(message, field, item.Scalar());
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM && item.IsScalar() &&
               field->enum_type()->FindValueByName(item.Scalar()) != nullptr) {
      message->GetReflection()->AddEnum(message, field, field->enum_type()->FindValueByName(item.Scalar()));
    } else {
      Problem(item.Mark(), absl::StrCat(name, " has an entry that is not ", field->cpp_type_name()));
    }
  }
}

void YamlReader::FillMap(const std::string& name, const YAML::Node& node, const FieldDescriptor* field,
                         Message* message) {
  if (!node.IsMap()) {
    Problem(node.Mark(), absl::StrCat(name, " is not of the form key: value"));
    return;
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string& key = entry.first.Scalar();
    if (!seen.insert(key).second) {
      Problem(entry.first.Mark(), absl::StrCat(key, " comes twice"));
      continue;
    }
    Message* added = message->GetReflection()->AddMessage(message, field);
    if (const absl::Status status = SetScalar(field->message_type()->map_key(), key, added); !status.ok()) {
      Problem(entry.first.Mark(), absl::StrCat(name, "'s key ", status.message()));
    }
    FillField(absl::StrCat(name, ".", key), entry.second, field->message_type()->map_value(), added);
  }
}

void YamlReader::FillField(const std::string& name, const YAML::Node& node, const FieldDescriptor* field,
                           Message* message) {
  if (field->is_map()) {
    FillMap(name, node, field, message);
    return;
  }
  if (field->is_repeated()) {
    FillList(name, node, field, message);
    return;
  }
  const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (is_message && field->message_type()->full_name() == "google.protobuf.Struct") {
    FillStruct(node, static_cast<google::protobuf::Struct*>(message->GetReflection()->MutableMessage(message, field)));
  } else if (is_message && field->message_type()->full_name() == "google.protobuf.Value") {
    *static_cast<Value*>(message->GetReflection()->MutableMessage(message, field)) = ValueOf(node);
  } else if (is_message && field->message_type()->full_name() != "google.protobuf.Timestamp") {
    Fill(node, message->GetReflection()->MutableMessage(message, field));
  } else if (!node.IsScalar()) {
    Problem(node.Mark(), absl::StrCat(name, " is not a single value"));
  } else if (const absl::Status status = SetScalar(field, node.Scalar(), message); !status.ok()) {
    Problem(node.Mark(), absl::StrCat(name, " ", status.message()));
  }
}

void YamlReader::Fill(const YAML::Node& node, Message* message) {
  if (!node.IsMap()) {
    Problem(node.Mark(),
            absl::StrCat("is not of the form name: value, as a ", message->GetDescriptor()->name(), " is"));
    return;
  }
  std::set<const FieldDescriptor*> seen;
  for (const auto& entry : node) {
    const std::string& name = entry.first.Scalar();
    const FieldDescriptor* field = FindField(message->GetDescriptor(), name);
    if (field == nullptr) {
      Problem(entry.first.Mark(),
              absl::StrCat("there is no field \"", name, "\"", Suggestion(name, FieldNames(message->GetDescriptor()))));
    } else if (!seen.insert(field).second) {
      Problem(entry.first.Mark(), absl::StrCat(name, " comes twice"));
    } else if (!entry.second.IsNull()) {
      FillField(name, entry.second, field, message);
    }
  }
}

}  // namespace

absl::Status FillFromYaml(const std::string& file_name, const std::string& text, Message* message) {
  YamlReader reader(file_name);
  try {
    const YAML::Node document = YAML::Load(text);
    if (document.IsNull()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file_name, ": is empty, it must have the fields of a ", message->GetDescriptor()->name()));
    }
    reader.Fill(document, message);
  } catch (const YAML::Exception& error) {
    reader.Problem(error.mark, error.msg);
  }
  return reader.status();
}

}  // namespace gradeline::cli

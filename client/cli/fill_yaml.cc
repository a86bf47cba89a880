// YAML documents into messages, with the line of every problem. See fill.h.
#include <google/protobuf/descriptor.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "client/cli/fill.h"
#include "client/cli/near_names.h"
#include "client/cli/yaml_document.h"
#include "client/cpp/status.h"

namespace gradeline::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Value;

// Protos are parsed to 100 messages deep, printed to 64; a level of a parameter's value is up to three.
constexpr int kDeepest = 16;
// What is printed is read back: YAML takes no longer keys, where every byte is escaped.
constexpr size_t kLongestKey = 128;
// Values and bytes of words; only aliases and a very large file come near.
constexpr size_t kMostRead = size_t{16} << 20;

class YamlReader {
 public:
  explicit YamlReader(std::string file_name) : file_name_(std::move(file_name)) {}

  void Fill(const YAML::Node& node, Message* message);
  void Problem(int line, const std::string& what) {
    violations_.push_back({absl::StrCat(file_name_, ":", line), what});
  }
  void Problem(const YAML::Mark& mark, const std::string& what) { Problem(mark.line + 1, what); }
  absl::Status status() const { return violations_.empty() ? absl::OkStatus() : client::InvalidFields(violations_); }

 private:
  void FillField(const std::string& name, const YAML::Node& node, const FieldDescriptor* field, Message* message);
  void FillList(const std::string& name, const YAML::Node& node, const FieldDescriptor* field, Message* message);
  void FillMap(const std::string& name, const YAML::Node& node, const FieldDescriptor* field, Message* message);
  void FillStruct(const YAML::Node& node, int depth, google::protobuf::Struct* out);
  Value ValueOf(const YAML::Node& node, int depth);
  bool TakesKey(const std::string& name, const YAML::Node& key, std::set<std::string>* seen);
  bool Spend(const YAML::Node& node);

  std::string file_name_;
  std::vector<client::FieldViolation> violations_;
  size_t spent_ = 0;
  bool exhausted_ = false;
};

// False when nothing more may be read: aliases could make gigabytes of a few lines.
bool YamlReader::Spend(const YAML::Node& node) {
  spent_ += 1 + node.Scalar().size();
  if (spent_ > kMostRead && !exhausted_) {
    exhausted_ = true;
    Problem(node.Mark(), absl::StrCat("is too much: with what aliases repeat, over ", kMostRead, " bytes"));
  }
  return !exhausted_;
}

// Whether a map may have this key, one that is not among those `seen`.
bool YamlReader::TakesKey(const std::string& name, const YAML::Node& key, std::set<std::string>* seen) {
  const std::string& text = key.Scalar();
  if (!key.IsScalar() || text.empty() || text.size() > kLongestKey) {
    Problem(key.Mark(), absl::StrCat(name, " has a key that is no word of 1 to ", kLongestKey, " bytes"));
    return false;
  }
  const bool is_new = seen->insert(text).second;
  if (!is_new) Problem(key.Mark(), absl::StrCat(text, " comes twice"));
  return is_new;
}

// A value may be one of its own parts, by an alias: `depth` ends that too.
Value YamlReader::ValueOf(const YAML::Node& node, int depth) {
  Value out;
  if (!Spend(node)) return out;
  if ((node.IsMap() || node.IsSequence()) && depth == kDeepest) {
    Problem(node.Mark(), absl::StrCat("is deeper than the allowed ", kDeepest, " levels"));
  } else if (node.IsMap()) {
    FillStruct(node, depth, out.mutable_struct_value());
  } else if (node.IsSequence()) {
    out.mutable_list_value();
    for (const YAML::Node& item : node) {
      *out.mutable_list_value()->add_values() = ValueOf(item, depth + 1);
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

void YamlReader::FillStruct(const YAML::Node& node, int depth, google::protobuf::Struct* out) {
  if (!node.IsMap()) {
    Problem(node.Mark(), "parameters are not of the form name: value");
    return;
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!Spend(entry.first)) return;
    if (TakesKey("parameters", entry.first, &seen)) {
      (*out->mutable_fields())[entry.first.Scalar()] = ValueOf(entry.second, depth + 1);
    }
  }
}

void YamlReader::FillList(const std::string& name, const YAML::Node& node, const FieldDescriptor* field,
                          Message* message) {
  if (!node.IsSequence()) {
    Problem(node.Mark(), absl::StrCat(name, " is not a list"));
    return;
  }
  for (const YAML::Node& item : node) {
    if (!Spend(item)) return;
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
    if (!Spend(entry.first)) return;
    if (!TakesKey(name, entry.first, &seen)) continue;
    Message* added = message->GetReflection()->AddMessage(message, field);
    if (const absl::Status status = SetScalar(field->message_type()->map_key(), key, added); !status.ok()) {
      Problem(entry.first.Mark(), absl::StrCat(name, "'s key ", status.message()));
    }
    FillField(absl::StrCat(name, ".", key), entry.second, field->message_type()->map_value(), added);
  }
}

void YamlReader::FillField(const std::string& name, const YAML::Node& node, const FieldDescriptor* field,
                           Message* message) {
  if (!Spend(node)) return;
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
    FillStruct(node, 0,
               static_cast<google::protobuf::Struct*>(message->GetReflection()->MutableMessage(message, field)));
  } else if (is_message && field->message_type()->full_name() == "google.protobuf.Value") {
    *static_cast<Value*>(message->GetReflection()->MutableMessage(message, field)) = ValueOf(node, 0);
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
  YAML::Node document;
  if (const auto fault = LoadYaml(text, &document)) {
    reader.Problem(fault->line, fault->what);
  } else if (document.IsNull()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_name, ": is empty, it must have the fields of a ", message->GetDescriptor()->name()));
  } else {
    reader.Fill(document, message);
  }
  return reader.status();
}

}  // namespace gradeline::cli

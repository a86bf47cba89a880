#include "server/wire/yaml_reader.h"

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/struct.pb.h"
#include "server/core/base/status.h"
#include "server/core/base/utf8.h"
#include "server/wire/yaml_document.h"

namespace gradeline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kLargestFileBytes = size_t{1} << 20;
// Of paths, values and problems; only aliases and very long keys come near.
constexpr size_t kMostBytes = size_t{16} << 20;

std::string KindOf(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsNull() || !node.IsDefined()) return "nothing";
  return Quoted(node.Scalar());
}

/// "choice" for PARAMETER_KIND_CHOICE of ParameterKind.
std::string WordOf(const google::protobuf::EnumValueDescriptor& value) {
  std::string prefix;  // PARAMETER_KIND_
  for (const char c : value.type()->name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return absl::AsciiStrToLower(value.name().substr(prefix.size() + 1));
}

class Reader {
 public:
  Reader(std::string name, YamlLines* lines) : name_(std::move(name)), lines_(lines == nullptr ? own_lines_ : *lines) {}

  void ReadMessage(const YAML::Node& node, const std::string& path, Message& message) {
    const auto* descriptor = message.GetDescriptor();
    if (descriptor->full_name() == "google.protobuf.Value") {
      ReadValue(node, path, static_cast<google::protobuf::Value&>(message));
      return;
    }
    if (!node.IsMap()) {
      const FieldDescriptor* value = descriptor->FindFieldByName("value");
      if (node.IsScalar() && value != nullptr) {
        ReadScalar(node, path, message, value, false);
      } else {
        Add(node, path, absl::StrCat("is ", KindOf(node), "; allowed is a mapping with ", Keys(message)));
      }
      return;
    }
    const FieldDescriptor* cases = descriptor->FindFieldByName("cases");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const std::string below = path.empty() ? key : absl::StrCat(path, ".", key);
      if (!Note(entry.first, below)) return;
      if (!seen.insert(key).second) {
        Add(entry.first, below, "is there twice");
        continue;
      }
      const FieldDescriptor* field = descriptor->FindFieldByName(key);
      if (field != nullptr && field != cases) {
        ReadField(entry.second, below, message, field);
      } else if (cases != nullptr && !key.empty()) {
        ReadMapEntry(key, entry.second, below, message, cases);
      } else {
        AddUnknownKey(entry.first, key, below, message);
      }
    }
  }

  void ReadField(const YAML::Node& node, const std::string& path, Message& message, const FieldDescriptor* field) {
    if (field->is_map()) {
      ReadMap(node, path, message, field);
    } else if (field->is_repeated()) {
      ReadList(node, path, message, field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      ReadMessage(node, path, *message.GetReflection()->MutableMessage(&message, field));
    } else {
      ReadScalar(node, path, message, field, false);
    }
  }

  void Add(const YAML::Node& node, const std::string& path, std::string description) {
    // What is not there has the mark of what comes next; its key is where a person looks.
    const bool at_key = node.IsNull() && lines_.count(path) > 0;
    AddAt(at_key ? LineOf(lines_, path) : node.Mark().line + 1, path, std::move(description));
  }
  void AddAt(int line, const std::string& path, std::string description) {
    spent_ += path.size() + description.size();
    const std::string where = line > 0 ? absl::StrCat(name_, ":", line) : name_;
    violations_.Add(path.empty() ? where : absl::StrCat(where, ": ", path), std::move(description));
  }
  absl::Status status() const { return violations_.ToStatus(); }

 private:
  static std::vector<std::string> KeyList(const Message& message) {
    std::vector<std::string> keys;
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i)
      keys.push_back(message.GetDescriptor()->field(i)->name());
    return keys;
  }
  static std::string Keys(const Message& message) { return absl::StrJoin(KeyList(message), ", "); }

  void AddUnknownKey(const YAML::Node& node, const std::string& key, const std::string& path, const Message& message) {
    const std::vector<std::string> near = NearNames(key, KeyList(message));
    Add(node, path,
        near.empty() ? absl::StrCat("is no key; known: ", Keys(message))
                     : absl::StrCat("is no key; did you mean ", absl::StrJoin(near, ", "), "?"));
  }

  /// False when nothing more may be read: aliases could make gigabytes of a few lines.
  bool Note(const YAML::Node& node, const std::string& path) {
    lines_.emplace(path, node.Mark().line + 1);
    return Spend(path.size() + 1, node, path);
  }
  bool Spend(size_t bytes, const YAML::Node& node, const std::string& path) {
    spent_ += bytes;
    if (spent_ > kMostBytes && !exhausted_) {
      exhausted_ = true;
      Add(node, path, absl::StrCat("is too much: with what aliases repeat, over ", kMostBytes, " bytes"));
    }
    return !exhausted_;
  }

  void ReadList(const YAML::Node& node, const std::string& path, Message& message, const FieldDescriptor* field) {
    if (!node.IsSequence()) {
      Add(node, path, absl::StrCat("is ", KindOf(node), "; allowed is a list [...]"));
      return;
    }
    for (size_t i = 0; i < node.size(); ++i) {
      const std::string below = absl::StrCat(path, "[", i, "]");
      if (!Note(node[i], below)) return;
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        ReadMessage(node[i], below, *message.GetReflection()->AddMessage(&message, field));
      } else {
        ReadScalar(node[i], below, message, field, true);
      }
    }
  }

  void ReadMap(const YAML::Node& node, const std::string& path, Message& message, const FieldDescriptor* field) {
    if (!node.IsMap()) {
      Add(node, path, absl::StrCat("is ", KindOf(node), "; allowed is a mapping {...}"));
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const std::string below = absl::StrCat(path, ".", key);
      if (!Note(entry.first, below)) return;
      if (key.empty()) {
        Add(entry.first, below, "has an empty key");
      } else if (!seen.insert(key).second) {
        Add(entry.first, below, "is there twice");
      } else {
        ReadMapEntry(key, entry.second, below, message, field);
      }
    }
  }

  void ReadMapEntry(const std::string& key, const YAML::Node& node, const std::string& path, Message& message,
                    const FieldDescriptor* field) {
    Message* entry = message.GetReflection()->AddMessage(&message, field);
    const FieldDescriptor* key_field = entry->GetDescriptor()->FindFieldByNumber(1);
    entry->GetReflection()->SetString(entry, key_field, key);
    ReadField(node, path, *entry, entry->GetDescriptor()->FindFieldByNumber(2));
  }

  void ReadValue(const YAML::Node& node, const std::string& path, google::protobuf::Value& value) {
    if (node.IsSequence()) {
      value.mutable_list_value();
      for (size_t i = 0; i < node.size(); ++i) {
        const std::string below = absl::StrCat(path, "[", i, "]");
        if (!Note(node[i], below)) return;
        if (node[i].IsScalar()) {
          ReadValue(node[i], below, *value.mutable_list_value()->add_values());
        } else {
          Add(node[i], below, absl::StrCat("is ", KindOf(node[i]), "; allowed is a number"));
        }
      }
      return;
    }
    double number = 0;
    if (!Spend(node.Scalar().size(), node, path)) return;
    if (!node.IsScalar()) {
      Add(node, path, absl::StrCat("is ", KindOf(node), "; allowed is a number, a word, true, false or a list"));
    } else if (const bool quoted = node.Tag() == "!";
               !quoted && (node.Scalar() == "true" || node.Scalar() == "false")) {
      value.set_bool_value(node.Scalar() == "true");
    } else if (!quoted && absl::SimpleAtod(node.Scalar(), &number) && std::isfinite(number)) {
      value.set_number_value(number);
    } else {
      value.set_string_value(node.Scalar());
    }
  }

  void ReadScalar(const YAML::Node& node, const std::string& path, Message& message, const FieldDescriptor* field,
                  bool add) {
    if (!Spend(node.Scalar().size(), node, path)) return;
    if (!node.IsScalar()) {
      Add(node, path, absl::StrCat("is ", KindOf(node), "; allowed is ", Allowed(field)));
    } else if (!StoreScalar(node.Scalar(), message, field, add)) {
      Add(node, path, absl::StrCat("is ", Quoted(node.Scalar()), "; allowed is ", Allowed(field)));
    }
  }

  static std::string Allowed(const FieldDescriptor* field) {
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return "true or false";
      case FieldDescriptor::CPPTYPE_INT32:
        return "an integer of 32 bits";
      case FieldDescriptor::CPPTYPE_INT64:
        return "an integer";
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return "a finite number";
      case FieldDescriptor::CPPTYPE_ENUM: {
        std::vector<std::string> words;
        for (int i = 0; i < field->enum_type()->value_count(); ++i) {
          if (field->enum_type()->value(i)->number() != 0) words.push_back(WordOf(*field->enum_type()->value(i)));
        }
        return absl::StrJoin(words, ", ");
      }
      default:
        return "a word";
    }
  }

  static bool StoreScalar(const std::string& text, Message& message, const FieldDescriptor* field, bool add) {
    const Reflection& reflection = *message.GetReflection();
    int32_t small = 0;
    int64_t integer = 0;
    double number = 0;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        add ? reflection.AddString(&message, field, text) : reflection.SetString(&message, field, text);
        return true;
      case FieldDescriptor::CPPTYPE_BOOL:
        if (text != "true" && text != "false") return false;
        add ? reflection.AddBool(&message, field, text == "true") : reflection.SetBool(&message, field, text == "true");
        return true;
      case FieldDescriptor::CPPTYPE_INT32:
        if (!absl::SimpleAtoi(text, &small)) return false;
        add ? reflection.AddInt32(&message, field, small) : reflection.SetInt32(&message, field, small);
        return true;
      case FieldDescriptor::CPPTYPE_INT64:
        if (!absl::SimpleAtoi(text, &integer)) return false;
        add ? reflection.AddInt64(&message, field, integer) : reflection.SetInt64(&message, field, integer);
        return true;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) return false;
        add ? reflection.AddDouble(&message, field, number) : reflection.SetDouble(&message, field, number);
        return true;
      case FieldDescriptor::CPPTYPE_ENUM:
        for (int i = 0; i < field->enum_type()->value_count(); ++i) {
          const auto* value = field->enum_type()->value(i);
          if (value->number() == 0 || WordOf(*value) != text) continue;
          add ? reflection.AddEnum(&message, field, value) : reflection.SetEnum(&message, field, value);
          return true;
        }
        return false;
      default:
        return false;
    }
  }

  const std::string name_;
  YamlLines own_lines_;
  YamlLines& lines_;
  Violations violations_;
  size_t spent_ = 0;
  bool exhausted_ = false;
};

/// Parses; what is wrong with the text is a violation.
bool Parse(std::string_view text, Reader& reader, YAML::Node& node) {
  const auto fault = LoadYaml(std::string(text), &node);
  if (fault) reader.AddAt(fault->line, "", fault->what);
  return !fault;
}

}  // namespace

int LineOf(const YamlLines& lines, std::string path) {
  while (!path.empty()) {
    const auto found = lines.find(path);
    if (found != lines.end()) return found->second;
    const size_t cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
  return 1;
}

absl::Status ReadYaml(std::string_view text, const std::string& name, Message& message, YamlLines* lines) {
  Reader reader(name, lines);
  YAML::Node node;
  if (Parse(text, reader, node) && node.IsDefined() && !node.IsNull()) reader.ReadMessage(node, "", message);
  return reader.status();
}

absl::Status ReadTextFile(const std::string& path, std::string& text) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  text.assign(kLargestFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.fail() && !file.eof()))
    return absl::FailedPreconditionError(absl::StrCat("cannot read ", path));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kLargestFileBytes) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is larger than ", kLargestFileBytes, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status ApplySetting(std::string_view setting, Message& message) {
  const size_t equals = setting.find('=');
  // How to reach a database may hold a password: neither logs nor errors show it, not even under a misspelt key.
  const bool secret = setting.starts_with("store.postgres") && equals != std::string_view::npos;
  Reader reader(absl::StrCat("--set ", std::string(secret ? setting.substr(0, equals) : setting)), nullptr);
  if (equals == std::string_view::npos) {
    reader.AddAt(0, "", "has no \"=\"; allowed is path=value");
    return reader.status();
  }
  if (!IsUtf8(setting)) {
    reader.AddAt(0, "", "is not UTF-8");
    return reader.status();
  }
  const std::string path(setting.substr(0, equals)), value(setting.substr(equals + 1));
  const std::vector<std::string> keys = absl::StrSplit(path, '.');
  // The field that is meant, if the path is right; what is wrong with one that is not, the reader says.
  Message* at = &message;
  const FieldDescriptor* field = nullptr;
  for (size_t i = 0; i < keys.size(); ++i) {
    field = at->GetDescriptor()->FindFieldByName(keys[i]);
    if (field == nullptr || i + 1 == keys.size()) break;
    const bool enters = !field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!enters) {
      field = nullptr;
      break;
    }
    at = at->GetReflection()->MutableMessage(at, field);
  }
  YAML::Node node;
  if (field == nullptr || !field->is_repeated()) {
    node = YAML::Node(value);
  } else if (value.starts_with('[')) {
    if (!Parse(value, reader, node)) return reader.status();
  } else {
    node = YAML::Node(YAML::NodeType::Sequence);
    if (!value.empty()) {
      for (const std::string& part : std::vector<std::string>(absl::StrSplit(value, ','))) node.push_back(part);
    }
  }
  // A mapping of mappings down to the key: what the file would say.
  for (size_t i = keys.size(); i-- > 0;) {
    YAML::Node outer(YAML::NodeType::Map);
    outer[keys[i]] = node;
    node.reset(outer);
  }
  if (field != nullptr && field->is_repeated()) at->GetReflection()->ClearField(at, field);
  reader.ReadMessage(node, "", message);
  return reader.status();
}

}  // namespace gradeline

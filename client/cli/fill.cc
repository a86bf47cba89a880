// Values and paths. See fill.h.
#include "client/cli/fill.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/cli/near_names.h"

namespace gradeline::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Value;

// "REDUCTION_" of enum Reduction: what the names of all its values begin with.
std::string EnumPrefix(const EnumDescriptor* type) {
  std::string out;
  for (size_t i = 0; i < type->name().size(); ++i) {
    if (i > 0 && absl::ascii_isupper(type->name()[i]) && !absl::ascii_isupper(type->name()[i - 1])) {
      out.push_back('_');
    }
    out.push_back(absl::ascii_toupper(type->name()[i]));
  }
  return out + "_";
}

absl::Status SetEnum(const FieldDescriptor* field, const std::string& text, Message* message) {
  const EnumDescriptor* type = field->enum_type();
  const std::string upper = absl::StrReplaceAll(absl::AsciiStrToUpper(text), {{"-", "_"}});
  const std::string prefix = EnumPrefix(type);
  std::vector<std::string> words;
  for (int i = 0; i < type->value_count(); ++i) {
    const std::string& name = type->value(i)->name();
    if (name == upper || name == prefix + upper) {
      message->GetReflection()->SetEnum(message, field, type->value(i));
      return absl::OkStatus();
    }
    if (type->value(i)->number() != 0) {
      words.push_back(absl::AsciiStrToLower(name.substr(absl::StartsWith(name, prefix) ? prefix.size() : 0)));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("is \"", text, "\", allowed are ", absl::StrJoin(words, ", ")));
}

absl::Status Wrong(const std::string& text, const char* allowed) {
  return absl::InvalidArgumentError(absl::StrCat("is \"", text, "\", must be ", allowed));
}

bool ParseBool(const std::string& text, bool* out) {
  *out = text == "true";
  return text == "true" || text == "false";
}

bool IsA(const Descriptor* descriptor, const char* full_name) { return descriptor->full_name() == full_name; }

absl::Status SetInStruct(const std::string& path, const std::string& key, const std::string& value, Message* message) {
  if (key.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": needs the name of a parameter after the dot"));
  }
  (*static_cast<google::protobuf::Struct*>(message)->mutable_fields())[key] = ParseValue(value);
  return absl::OkStatus();
}

// Splits "losses[1]" into its name and index; -1 without an index, -2 if it is not a number.
int IndexOf(std::string* step) {
  const size_t bracket = step->find('[');
  if (bracket == std::string::npos) {
    return -1;
  }
  int index = -2;
  if (step->back() != ']' || !absl::SimpleAtoi(step->substr(bracket + 1, step->size() - bracket - 2), &index) ||
      index < 0) {
    index = -2;
  }
  step->resize(bracket);
  return index;
}

}  // namespace

Value ParseValue(const std::string& text) {
  Value out;
  double number = 0;
  bool truth = false;
  if (absl::StrContains(text, ',')) {
    std::vector<std::string> parts = absl::StrSplit(text, ',');
    if (parts.back().empty()) {
      parts.pop_back();
    }
    auto* list = out.mutable_list_value();
    for (const std::string& part : parts) {
      *list->add_values() = ParseValue(std::string(absl::StripAsciiWhitespace(part)));
    }
  } else if (ParseBool(text, &truth)) {
    out.set_bool_value(truth);
  } else if (absl::SimpleAtod(text, &number) && std::isfinite(number)) {
    out.set_number_value(number);
  } else {
    out.set_string_value(text);
  }
  return out;
}

absl::Status SetScalar(const FieldDescriptor* field, const std::string& text, Message* message) {
  const Reflection* reflection = message->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      int32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return Wrong(text, "an integer of 32 bits");
      reflection->SetInt32(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      int64_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return Wrong(text, "an integer of 64 bits");
      reflection->SetInt64(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      uint32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return Wrong(text, "an integer of 0 or more, of 32 bits");
      reflection->SetUInt32(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      uint64_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return Wrong(text, "an integer of 0 or more, of 64 bits");
      reflection->SetUInt64(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      if (!absl::SimpleAtod(text, &value)) return Wrong(text, "a number");
      reflection->SetDouble(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool value = false;
      if (!ParseBool(text, &value)) return Wrong(text, "true or false");
      reflection->SetBool(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(message, field, text);
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(field, text, message);
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      google::protobuf::Timestamp time;
      if (!IsA(field->message_type(), "google.protobuf.Timestamp") ||
          !google::protobuf::util::TimeUtil::FromString(text, &time)) {
        return Wrong(text, "a time like 2026-01-31T08:00:00Z");
      }
      reflection->MutableMessage(message, field)->CopyFrom(time);
      return absl::OkStatus();
    }
    default:
      return absl::UnimplementedError(absl::StrCat("has type ", field->type_name(), ", which cannot be set from text"));
  }
}

const FieldDescriptor* FindField(const Descriptor* descriptor, const std::string& name) {
  if (const FieldDescriptor* field = descriptor->FindFieldByName(name)) {
    return field;
  }
  for (int i = 0; i < descriptor->field_count(); ++i) {
    if (descriptor->field(i)->json_name() == name) {
      return descriptor->field(i);
    }
  }
  return nullptr;
}

std::vector<std::string> FieldNames(const Descriptor* descriptor) {
  std::vector<std::string> out;
  for (int i = 0; i < descriptor->field_count(); ++i) {
    out.push_back(descriptor->field(i)->name());
  }
  return out;
}

absl::Status SetByPath(const std::string& path, const std::string& value, Message* message, std::string* mask_path) {
  const std::vector<std::string> steps = absl::StrSplit(path, '.');
  std::vector<std::string> masked;
  bool in_list = false;
  const auto add = [&](const std::string& step) {
    if (!in_list) masked.push_back(step);
    if (mask_path != nullptr) *mask_path = absl::StrJoin(masked, ".");
  };
  for (size_t i = 0; i < steps.size(); ++i) {
    if (IsA(message->GetDescriptor(), "google.protobuf.Struct")) {
      const std::string key = absl::StrJoin(steps.begin() + i, steps.end(), ".");
      add(key);
      return SetInStruct(path, key, value, message);
    }
    std::string name = steps[i];
    const int index = IndexOf(&name);
    const FieldDescriptor* field = FindField(message->GetDescriptor(), name);
    if (field == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": there is no field \"", name, "\"",
                                                     Suggestion(name, FieldNames(message->GetDescriptor()))));
    }
    const bool last = i + 1 == steps.size();
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    add(field->name());
    if (field->is_repeated()) {
      in_list = true;
      const int size = message->GetReflection()->FieldSize(*message, field);
      if (!is_message || last || index < 0 || index >= size) {
        return absl::InvalidArgumentError(absl::StrCat(path, ": ", name, " is a list of ", size,
                                                       " entries; name a field of one of them, as in ", name,
                                                       "[0].weight, or use its own flag"));
      }
      message = message->GetReflection()->MutableRepeatedMessage(message, field, index);
      continue;
    }
    if (index != -1) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", name, " is no list"));
    }
    if (last) {
      if (is_message && value.empty()) {
        message->GetReflection()->ClearField(message, field);
        return absl::OkStatus();
      }
      if (is_message && !IsA(field->message_type(), "google.protobuf.Timestamp")) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": has fields of its own: ", absl::StrJoin(FieldNames(field->message_type()), ", ")));
      }
      const absl::Status status = SetScalar(field, value, message);
      return status.ok() ? status : absl::InvalidArgumentError(absl::StrCat(path, " ", status.message()));
    }
    if (!is_message) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", name, " has no fields"));
    }
    message = message->GetReflection()->MutableMessage(message, field);
  }
  return absl::InvalidArgumentError(absl::StrCat(path, ": is empty"));
}

absl::Status SetLossParameter(const std::string& key, const std::string& value, Message* message) {
  return SetByPath(key == "reduction" ? key : absl::StrCat("params.", key), value, message);
}

}  // namespace gradeline::cli

#include "server/wire/params.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace gradeline {
namespace {

using google::protobuf::Value;

constexpr char kAllowed[] = "allowed: a number, true or false, a word, a list of numbers";

std::string_view KindName(const Value& value) {
  switch (value.kind_case()) {
    case Value::kNumberValue:
      return "a number";
    case Value::kStringValue:
      return "a word";
    case Value::kBoolValue:
      return "true or false";
    case Value::kStructValue:
      return "an object";
    case Value::kListValue:
      return "a list";
    default:
      return "null";
  }
}

void ReadList(const std::string& field, const google::protobuf::ListValue& list, ParamMap::mapped_type* out,
              Violations* violations) {
  std::vector<double> numbers;
  for (int i = 0; i < list.values_size(); ++i) {
    const Value& entry = list.values(i);
    numbers.push_back(entry.number_value());  // 0 if it is none
    if (entry.kind_case() != Value::kNumberValue) {
      violations->Add(absl::StrCat(field, "[", i, "]"),
                      absl::StrCat("is ", std::string(KindName(entry)), "; allowed: a number"));
    }
  }
  *out = std::move(numbers);
}

}  // namespace

ParamMap ParamsFromProto(std::string_view field, const google::protobuf::Struct& proto, Violations* violations) {
  ParamMap params;
  // In order of name, so that equal requests get equal answers.
  const std::map<std::string, Value> fields(proto.fields().begin(), proto.fields().end());
  for (const auto& [name, value] : fields) {
    const std::string path = absl::StrCat(std::string(field), ".", name);
    switch (value.kind_case()) {
      case Value::kNumberValue:
        params[name] = value.number_value();
        break;
      case Value::kStringValue:
        params[name] = value.string_value();
        break;
      case Value::kBoolValue:
        params[name] = value.bool_value();
        break;
      case Value::kListValue:
        ReadList(path, value.list_value(), &params[name], violations);
        break;
      default:
        violations->Add(path, absl::StrCat("is ", std::string(KindName(value)), "; ", kAllowed));
    }
  }
  return params;
}

google::protobuf::Struct ParamsToProto(const ParamMap& params) {
  google::protobuf::Struct proto;
  for (const auto& [name, value] : params) {
    Value& out = (*proto.mutable_fields())[name];
    if (const auto* number = std::get_if<double>(&value)) {
      out.set_number_value(*number);
    } else if (const auto* flag = std::get_if<bool>(&value)) {
      out.set_bool_value(*flag);
    } else if (const auto* word = std::get_if<std::string>(&value)) {
      out.set_string_value(*word);
    } else {
      auto* list = out.mutable_list_value();
      for (double entry : std::get<std::vector<double>>(value)) list->add_values()->set_number_value(entry);
    }
  }
  return proto;
}

}  // namespace gradeline

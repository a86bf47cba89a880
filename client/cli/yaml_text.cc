// See yaml_text.h.
#include "client/cli/yaml_text.h"

#include <yaml-cpp/yaml.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace gradeline::cli {
namespace {

// Words, names and paths may stand bare; whatever YAML could take for a number, a truth value or syntax may not.
bool MayStandBare(const std::string& text) {
  double number = 0;
  const std::string lower = absl::AsciiStrToLower(text);
  if (text.empty() || absl::SimpleAtod(text, &number) || lower == "true" || lower == "false" || lower == "null" ||
      lower == "yes" || lower == "no" || lower == "on" || lower == "off") {
    return false;
  }
  if (!absl::ascii_isalpha(text.front()) && text.front() != '/') {
    return false;
  }
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && std::string("-_./@ ()").find(c) == std::string::npos) {
      return false;
    }
  }
  return text.back() != ' ';
}

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", std::string(1, c));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\x%02x", c);
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string Scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  // yaml-cpp tags quoted scalars with "!": they are strings, the others numbers, truth values and null.
  if (node.IsNull()) {
    return "null";
  }
  return node.Tag() != "!" || MayStandBare(text) ? text : Quoted(text);
}

void Append(const YAML::Node& node, const std::string& indent, std::string* out);

void AppendValue(const YAML::Node& value, const std::string& indent, std::string* out) {
  if (value.IsMap() || value.IsSequence()) {
    if (value.size() == 0) {
      absl::StrAppend(out, value.IsMap() ? " {}\n" : " []\n");
      return;
    }
    absl::StrAppend(out, "\n");
    Append(value, indent, out);
    return;
  }
  absl::StrAppend(out, " ", Scalar(value), "\n");
}

void Append(const YAML::Node& node, const std::string& indent, std::string* out) {
  if (node.IsMap()) {
    for (const auto& entry : node) {
      const std::string& key = entry.first.Scalar();
      absl::StrAppend(out, indent, MayStandBare(key) ? key : Quoted(key), ":");
      AppendValue(entry.second, indent + "  ", out);
    }
    return;
  }
  for (const YAML::Node& item : node) {
    if (item.IsMap() && item.size() > 0) {
      // The first key stands on the dash's line.
      std::string body;
      Append(item, indent + "  ", &body);
      absl::StrAppend(out, indent, "- ", body.substr(indent.size() + 2));
    } else {
      absl::StrAppend(out, indent, "-");
      AppendValue(item, indent + "  ", out);
    }
  }
}

// JSON escapes what is beyond U+FFFF in two, "\\ud834\\udd73", which is no character to YAML: it has "\\U0001d173".
std::string WithWholeEscapes(const std::string& json) {
  std::string out;
  uint32_t high = 0, low = 0;
  for (size_t i = 0; i < json.size(); ++i) {
    const absl::string_view rest = absl::string_view(json).substr(i);
    if (rest[0] == '\\' && rest.size() >= 12 && rest[1] == 'u' && rest[6] == '\\' && rest[7] == 'u' &&
        absl::SimpleHexAtoi(rest.substr(2, 4), &high) && absl::SimpleHexAtoi(rest.substr(8, 4), &low) &&
        high >> 10 == 0xd800 >> 10 && low >> 10 == 0xdc00 >> 10) {
      absl::StrAppendFormat(&out, "\\U%08x", 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff));
      i += 11;
    } else {
      absl::StrAppend(&out, rest.substr(0, rest[0] == '\\' ? 2 : 1));
      i += rest[0] == '\\' ? 1 : 0;
    }
  }
  return out;
}

}  // namespace

std::string YamlOfJson(const std::string& json) {
  const YAML::Node document = YAML::Load(WithWholeEscapes(json));
  std::string out;
  Append(document, "", &out);
  return out.empty() ? "{}\n" : out;
}

}  // namespace gradeline::cli

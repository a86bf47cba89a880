// See yaml_document.h.
#include "client/cli/yaml_document.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/utf8.h"

namespace gradeline::cli {
namespace {

/// Of all that is parsed, where the last document began and what YAML::Load would not tell.
class Events : public YAML::EventHandler {
 public:
  int start = 0;  ///< line
  std::optional<YamlFault> fault;
  void OnDocumentStart(const YAML::Mark& mark) override { start = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string& value) override {
    if (fault || IsUtf8(value)) return;
    fault = YamlFault{mark.line + 1, R"(has the escape \_ or \N, which is not taken; write \u00a0 or \u0085)"};
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// yaml-cpp would end at 0x04 without a word, and take NUL for a sign of UTF-16.
std::optional<YamlFault> FaultOfBytes(const std::string& text) {
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (!IsUtf8(line)) return YamlFault{number, "is not UTF-8"};
    const auto control = std::find_if(line.begin(), line.end(), [](unsigned char c) {
      return absl::ascii_iscntrl(c) && c != '\t' && c != '\r' && c != 0x7f;
    });
    if (control != line.end()) {
      return YamlFault{number,
                       absl::StrCat("has the byte 0x", absl::Hex(*control, absl::kZeroPad2), "; allowed is text")};
    }
  }
  return std::nullopt;
}

// Not by LoadAll: to it a comma behind the end is a document, and another one, until memory ends.
std::optional<YamlFault> FaultOfEvents(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Events events;
  if (!parser.HandleNextDocument(events) || events.fault) return events.fault;
  if (!parser.HandleNextDocument(events)) return std::nullopt;
  return YamlFault{events.start, "is behind the end of the document; allowed is one"};
}

}  // namespace

std::optional<YamlFault> LoadYaml(const std::string& text, YAML::Node* document) {
  if (auto fault = FaultOfBytes(text)) return fault;
  try {
    document->reset(YAML::Load(text));
    return FaultOfEvents(text);
  } catch (const YAML::Exception& error) {
    // It may quote the first byte of a character.
    return YamlFault{error.mark.line + 1,
                     absl::StrCat("is no YAML: ", IsUtf8(error.msg) ? error.msg : absl::CHexEscape(error.msg))};
  }
}

}  // namespace gradeline::cli

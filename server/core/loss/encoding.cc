#include "server/core/loss/encoding.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/core/loss/catalog.h"

namespace gradeline {
namespace {

/// An encoding cut at its braces: before{param|otherwise}after.
struct Pattern {
  std::string before, param, after;
  std::optional<std::string> otherwise;
};

std::optional<Pattern> PatternOf(const std::string& text) {
  const size_t open = text.find('{'), close = text.find('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
  Pattern pattern{text.substr(0, open), text.substr(open + 1, close - open - 1), text.substr(close + 1), std::nullopt};
  if (const size_t bar = pattern.param.find('|'); bar != std::string::npos) {
    pattern.otherwise = pattern.param.substr(bar + 1);
    pattern.param.resize(bar);
  }
  return pattern;
}

const ParamSpec* Find(absl::Span<const ParamSpec> specs, const std::string& name) {
  const auto found = std::find_if(specs.begin(), specs.end(), [&](const ParamSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

}  // namespace

std::string EncodingOf(const TensorSpec& tensor, absl::Span<const ParamSpec> specs, const ParamMap& params) {
  const auto pattern = PatternOf(tensor.encoding);
  if (!pattern) return tensor.encoding;
  const ParamSpec* spec = Find(specs, pattern->param);
  const auto value = params.find(pattern->param);
  const bool means = spec != nullptr && value != params.end() && (spec->when.empty() || RuleHolds(spec->when, params));
  return absl::StrCat(pattern->before, means ? ParamText(value->second) : pattern->otherwise.value_or(""),
                      pattern->after);
}

absl::Status CheckEncoding(const TensorSpec& tensor, absl::Span<const ParamSpec> specs) {
  const auto pattern = PatternOf(tensor.encoding);
  const std::string rest = pattern ? absl::StrCat(pattern->before, pattern->after) : tensor.encoding;
  const ParamSpec* spec = pattern ? Find(specs, pattern->param) : nullptr;
  std::string wrong;
  if (rest.find_first_of("{}") != std::string::npos) {
    wrong = "allowed is one pair of braces";
  } else if (pattern && (spec == nullptr || spec->kind != GDL_CHOICE)) {
    wrong = absl::StrCat("allowed in braces is a CHOICE of this loss, not \"", pattern->param, "\"");
  } else if (pattern && !pattern->otherwise && (!spec->when.empty() || !spec->fallback)) {
    wrong = absl::StrCat("\"{", pattern->param, "|otherwise}\" is needed: the parameter may have no meaning");
  }
  if (wrong.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("is \"", tensor.encoding, "\"; ", wrong));
}

}  // namespace gradeline

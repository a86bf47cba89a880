#include "server/core/loss/params.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/core/base/status.h"
#include "server/core/base/utf8.h"
#include "server/core/loss/condition.h"

namespace gradeline {
namespace {

constexpr double kLargestInteger = 9007199254740992.0;  // 2^53: beyond it a double skips integers
constexpr std::string_view kOff = "off";

/// The shortest text that reads back as the same number.
std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  for (const int digits : {6, 9, 12, 15, 17}) {
    char text[64];
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) return text;
  }
  return absl::StrCat(value);
}

std::string RangeText(const ParamSpec& spec) {
  const bool least = std::isfinite(spec.min), most = std::isfinite(spec.max);
  const bool open_least = (spec.flags & GDL_MIN_OPEN) != 0, open_most = (spec.flags & GDL_MAX_OPEN) != 0;
  const std::string kind =
      absl::StrCat(least && most ? "" : "finite ", spec.kind == GDL_INTEGER ? "integers" : "numbers");
  if (least && most) {
    return absl::StrCat(kind, " in ", open_least ? "(" : "[", NumberText(spec.min), ", ", NumberText(spec.max),
                        open_most ? ")" : "]");
  }
  if (least) return absl::StrCat(kind, open_least ? " greater than " : " of at least ", NumberText(spec.min));
  if (most) return absl::StrCat(kind, open_most ? " less than " : " of at most ", NumberText(spec.max));
  return kind;
}

std::string AllowedText(const ParamSpec& spec) {
  const std::string off = (spec.flags & GDL_MAY_BE_OFF) != 0 ? ", or off" : "";
  switch (spec.kind) {
    case GDL_BOOL:
      return absl::StrCat("true or false", off);
    case GDL_CHOICE:
      return absl::StrCat(absl::StrJoin(spec.choices, ", "), off);
    case GDL_VECTOR:
      return absl::StrCat("a list of ", RangeText(spec), off);
    case kMeasureKind:
      return absl::StrCat("a measure like validation.loss", off);
    default:
      return absl::StrCat(RangeText(spec), off);
  }
}

bool NumberAllowed(const ParamSpec& spec, double value) {
  if (!std::isfinite(value)) return false;
  if (spec.kind == GDL_INTEGER && (std::floor(value) != value || std::abs(value) > kLargestInteger)) return false;
  const bool above = (spec.flags & GDL_MIN_OPEN) != 0 ? value > spec.min : value >= spec.min;
  const bool below = (spec.flags & GDL_MAX_OPEN) != 0 ? value < spec.max : value <= spec.max;
  return above && below;
}

/// The value as the spec wants it; nullopt if it does not allow it.
std::optional<ParamValue> Allowed(const ParamSpec& spec, const ParamValue& value) {
  const auto* number = std::get_if<double>(&value);
  switch (spec.kind) {
    case GDL_NUMBER:
    case GDL_INTEGER:
      if (number != nullptr && NumberAllowed(spec, *number)) return value;
      return std::nullopt;
    case GDL_BOOL:
      if (std::holds_alternative<bool>(value)) return value;
      return std::nullopt;
    case GDL_CHOICE: {
      const auto* word = std::get_if<std::string>(&value);
      if (word != nullptr && std::count(spec.choices.begin(), spec.choices.end(), *word) > 0) return value;
      return std::nullopt;
    }
    case kMeasureKind:
      if (std::holds_alternative<std::string>(value)) return value;
      return std::nullopt;
    default: {
      std::vector<double> list;
      if (number != nullptr) {
        list = {*number};
      } else if (const auto* given = std::get_if<std::vector<double>>(&value)) {
        list = *given;
      }
      const bool good = !list.empty() && std::all_of(list.begin(), list.end(),
                                                     [&](double element) { return NumberAllowed(spec, element); });
      if (good) return ParamValue(std::move(list));
      return std::nullopt;
    }
  }
}

bool IsOff(const ParamSpec& spec, const ParamValue& value) {
  const auto* word = std::get_if<std::string>(&value);
  return (spec.flags & GDL_MAY_BE_OFF) != 0 && word != nullptr && *word == kOff;
}

std::string Refusal(const ParamSpec& spec, const ParamValue& value) {
  // A long list is shown by its first element that is not allowed.
  if (const auto* list = std::get_if<std::vector<double>>(&value); list != nullptr && spec.kind == GDL_VECTOR) {
    for (size_t i = 0; i < list->size(); ++i) {
      if (!NumberAllowed(spec, (*list)[i])) {
        return absl::StrCat("has ", NumberText((*list)[i]), " at [", i, "]; allowed: ", AllowedText(spec));
      }
    }
  }
  const auto* word = std::get_if<std::string>(&value);
  return absl::StrCat("is ", word != nullptr ? Quoted(*word) : ParamText(value), "; allowed: ", AllowedText(spec));
}

std::optional<ParamValue> Fallback(const ParamSpec& spec) {
  if (!spec.fallback) return std::nullopt;
  if (spec.kind == GDL_BOOL) return ParamValue(*spec.fallback != 0);
  if (spec.kind == GDL_CHOICE) return ParamValue(spec.choices[static_cast<size_t>(*spec.fallback)]);
  return ParamValue(*spec.fallback);
}

void AddUnknown(const std::string& name, absl::Span<const ParamSpec> specs, Violations& violations) {
  std::vector<std::string> known;
  for (const ParamSpec& spec : specs) known.push_back(spec.name);
  const std::vector<std::string> near = NearNames(name, known);
  if (known.empty()) {
    violations.Add(name, "is no parameter; there are none");
  } else if (near.empty()) {
    violations.Add(name, absl::StrCat("is no parameter; known: ", absl::StrJoin(known, ", ")));
  } else {
    violations.Add(name, absl::StrCat("is no parameter; did you mean ", absl::StrJoin(near, ", "), "?"));
  }
}

// Adds what the parameters that are on need and do not find.
void CheckNeeds(absl::Span<const ParamSpec> specs, const ParamMap& resolved, Violations& violations) {
  for (const ParamSpec& spec : specs) {
    const auto own = resolved.find(spec.name);
    if (own == resolved.end() || own->second == ParamValue(false)) continue;
    for (const std::string& text : spec.needs) {
      const auto condition = ParseCondition(text);
      if (!condition || Holds(*condition, resolved)) continue;
      // The other side of a comparison with itself.
      const auto other = resolved.find(condition->left == spec.name ? condition->right : condition->left);
      violations.Add(spec.name, absl::StrCat("is ", ParamText(own->second), ", which needs ", text,
                                             other == resolved.end()
                                                 ? ""
                                                 : absl::StrCat("; ", other->first, " is ", ParamText(other->second))));
    }
  }
}

}  // namespace

std::string ParamText(const ParamValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return NumberText(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* word = std::get_if<std::string>(&value)) return *word;
  constexpr size_t kShown = 32;
  const auto& list = std::get<std::vector<double>>(value);
  std::vector<std::string> parts;
  for (size_t i = 0; i < std::min(list.size(), kShown); ++i) parts.push_back(NumberText(list[i]));
  if (list.size() > kShown) parts.push_back(absl::StrCat("... (", list.size(), " in all)"));
  return absl::StrCat("[", absl::StrJoin(parts, ", "), "]");
}

absl::StatusOr<ParamMap> ResolveParams(absl::Span<const ParamSpec> specs, const ParamMap& given) {
  Violations violations;
  ParamMap resolved;
  for (const ParamSpec& spec : specs) {
    const auto found = given.find(spec.name);
    if (found == given.end()) {
      if (auto fallback = Fallback(spec)) resolved[spec.name] = *std::move(fallback);
    } else if (!IsOff(spec, found->second)) {
      if (auto value = Allowed(spec, found->second)) {
        resolved[spec.name] = *std::move(value);
      } else {
        violations.Add(spec.name, Refusal(spec, found->second));
      }
    }
  }
  for (const auto& [name, value] : given) {
    const bool known =
        std::any_of(specs.begin(), specs.end(), [&](const ParamSpec& spec) { return spec.name == name; });
    if (!known) AddUnknown(name, specs, violations);
  }
  CheckNeeds(specs, resolved, violations);
  if (!violations.empty()) return violations.ToStatus();
  return resolved;
}

absl::StatusOr<ParamValue> ParseParam(const ParamSpec& spec, std::string_view text) {
  ParamValue as_word = std::string(text);
  if (IsOff(spec, as_word)) return as_word;
  std::optional<ParamValue> parsed;
  if (spec.kind == GDL_CHOICE || spec.kind == kMeasureKind) {
    parsed = as_word;
  } else if (spec.kind == GDL_BOOL) {
    if (text == "true") parsed = true;
    if (text == "false") parsed = false;
  } else {
    std::vector<double> numbers;
    bool good = !text.empty();
    for (const absl::string_view part : absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
      good = good && absl::SimpleAtod(part, &numbers.emplace_back());
    }
    if (good && spec.kind == GDL_VECTOR) {
      parsed = std::move(numbers);
    } else if (good && numbers.size() == 1) {
      parsed = numbers[0];
    }
  }
  if (parsed) {
    if (auto value = Allowed(spec, *parsed)) return *std::move(value);
  }
  Violations violations;
  violations.Add(spec.name, Refusal(spec, parsed && spec.kind == GDL_VECTOR ? *parsed : as_word));
  return violations.ToStatus();
}

}  // namespace gradeline

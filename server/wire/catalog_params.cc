#include "server/wire/catalog_params.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/loss/params.h"

namespace gradeline {
namespace {

namespace pb = config::v1;
using google::protobuf::Value;

void SetDefault(const std::string& path, const pb::Parameter& from, const AddProblem& add, ParamSpec& spec) {
  const Value& value = from.default_();
  if (from.optional()) {
    if (from.has_default_()) add(path, "is given, and the parameter is optional: off unless given");
  } else if (!from.has_default_()) {
    add(path,
        spec.kind == GDL_VECTOR || spec.kind == kMeasureKind ? "is missing; allowed is optional: true" : "is missing");
  } else if (spec.kind == GDL_CHOICE) {
    // A choice may look like a number or a bool: "18" of ResNet's depths.
    std::string word = value.string_value();
    if (value.kind_case() == Value::kNumberValue) word = ParamText(value.number_value());
    if (value.kind_case() == Value::kBoolValue) word = value.bool_value() ? "true" : "false";
    const auto found = std::find(spec.choices.begin(), spec.choices.end(), word);
    spec.fallback = static_cast<double>(found == spec.choices.end() ? 0 : found - spec.choices.begin());
    if (found == spec.choices.end()) {
      add(path, absl::StrCat("is \"", word, "\"; allowed: ", absl::StrJoin(spec.choices, ", ")));
    }
  } else if (spec.kind == GDL_BOOL && value.kind_case() == Value::kBoolValue) {
    spec.fallback = value.bool_value() ? 1 : 0;
  } else if ((spec.kind == GDL_NUMBER || spec.kind == GDL_INTEGER) && value.kind_case() == Value::kNumberValue) {
    spec.fallback = value.number_value();
  } else if (spec.kind == GDL_VECTOR || spec.kind == kMeasureKind) {
    add(path, "is given; a vector and a measure have none, they are optional: true");
  } else {
    add(path, spec.kind == GDL_BOOL ? "is neither true nor false" : "is no number");
  }
}

}  // namespace

std::optional<ParamSpec> SpecFromProto(const std::string& name, const pb::Parameter& from, const AddProblem& add) {
  const std::string path = absl::StrCat("parameters.", name);
  if (from.kind() == pb::PARAMETER_KIND_UNSPECIFIED) {
    add(path, "has no kind; allowed are number, integer, bool, choice, vector, measure");
    return std::nullopt;
  }
  ParamSpec spec;
  spec.name = name;
  spec.doc = from.help();
  spec.unit = from.unit();
  spec.group = from.group();
  spec.when = from.when();
  spec.link = from.link();
  spec.choices = {from.choices().begin(), from.choices().end()};
  spec.needs = {from.needs().begin(), from.needs().end()};
  spec.min = from.has_min() ? from.min() : -std::numeric_limits<double>::infinity();
  spec.max = from.has_max() ? from.max() : std::numeric_limits<double>::infinity();
  spec.flags = (from.min_exclusive() ? uint32_t{GDL_MIN_OPEN} : 0) |
               (from.max_exclusive() ? uint32_t{GDL_MAX_OPEN} : 0) | (from.optional() ? uint32_t{GDL_MAY_BE_OFF} : 0);
  spec.kind = static_cast<uint32_t>(from.kind());
  if (spec.choices.empty() == (spec.kind == GDL_CHOICE)) {
    add(path + ".choices", spec.choices.empty() ? "is missing for a choice" : "is given, and this is no choice");
  }
  SetDefault(path + ".default", from, add, spec);
  return spec;
}

std::vector<ParamSpec> SpecsFromProto(const google::protobuf::Map<std::string, pb::Parameter>& from,
                                      const AddProblem& add) {
  std::vector<ParamSpec> specs;
  for (const auto& [name, parameter] : std::map<std::string, pb::Parameter>(from.begin(), from.end())) {
    if (auto spec = SpecFromProto(name, parameter, add)) specs.push_back(*std::move(spec));
  }
  return specs;
}

}  // namespace gradeline

#include "server/core/loss/param_check.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/core/loss/catalog.h"
#include "server/core/loss/condition.h"

namespace gradeline {
namespace {

using Words = std::vector<std::string>;

Words NamesOf(absl::Span<const ParamSpec> specs) {
  Words names;
  for (const ParamSpec& spec : specs) names.push_back(spec.name);
  return names;
}

const ParamSpec* Find(absl::Span<const ParamSpec> specs, const std::string& name) {
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&name](const ParamSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

bool IsNumber(const ParamSpec& spec) { return spec.kind == GDL_NUMBER || spec.kind == GDL_INTEGER; }

// What is wrong with a condition; empty if nothing is.
std::string ConditionProblem(const std::string& text, absl::Span<const ParamSpec> specs) {
  const auto condition = ParseCondition(text);
  if (!condition) {
    return absl::StrCat("is \"", text, "\"; allowed: \"parameter > value\", with one of = != < <= > >= between spaces");
  }
  const ParamSpec* left = Find(specs, condition->left);
  if (left == nullptr) {
    return absl::StrCat("is \"", text, "\", ", condition->left, " is no parameter; ",
                        Hint(condition->left, NamesOf(specs)));
  }
  const ParamSpec* right = Find(specs, condition->right);
  double number = 0;
  if (IsNumber(*left)) {
    const bool good = right != nullptr ? IsNumber(*right) : absl::SimpleAtod(condition->right, &number);
    return good ? "" : absl::StrCat("is \"", text, "\", ", condition->right, " is neither a number nor a parameter");
  }
  const Words words = WordsOf(*left);
  const bool good = (condition->op == "=" || condition->op == "!=") &&
                    std::find(words.begin(), words.end(), condition->right) != words.end();
  return good ? ""
              : absl::StrCat("is \"", text, "\"; allowed for ", condition->left, ": = or != and one of ",
                             absl::StrJoin(words, ", "));
}

}  // namespace

std::string Hint(const std::string& word, const Words& known) {
  const Words near = NearNames(word, known);
  if (!near.empty()) return absl::StrCat("did you mean ", absl::StrJoin(near, ", "), "?");
  return absl::StrCat("known: ", known.empty() ? "none" : absl::StrJoin(known, ", "));
}

absl::Status CheckRule(std::string_view rule, absl::Span<const ParamSpec> specs) {
  const size_t equals = rule.find('=');
  const ParamSpec* spec = equals == std::string_view::npos ? nullptr : Find(specs, std::string(rule.substr(0, equals)));
  bool good = spec != nullptr;
  if (good) {
    const Words known = WordsOf(*spec), given = absl::StrSplit(std::string(rule.substr(equals + 1)), '|');
    for (const std::string& word : given) good = good && std::find(known.begin(), known.end(), word) != known.end();
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("is \"", std::string(rule),
                                                 "\"; allowed: \"parameter=word\" of a choice or a bool among ",
                                                 absl::StrJoin(NamesOf(specs), ", ")));
}

void CheckParamSpecs(absl::Span<const ParamSpec> specs, const std::string& path, Violations& violations) {
  std::set<std::string> names;
  bool sound = true;
  for (const ParamSpec& spec : specs) {
    const std::string field = absl::StrCat(path, ".parameters.", spec.name);
    const auto add = [&](const std::string& below, std::string description) {
      violations.Add(field + below, std::move(description));
      sound = false;
    };
    if (!names.insert(spec.name).second) add("", "is there twice");
    ParamSpec free = spec;
    free.needs.clear();
    for (size_t i = 0; i < spec.choices.size(); ++i) {
      const auto begin = spec.choices.begin(), end = begin + static_cast<std::ptrdiff_t>(i);
      if (std::find(begin, end, spec.choices[i]) != end) {
        add(absl::StrCat(".choices[", i, "]"), absl::StrCat("is \"", spec.choices[i], "\", which is there twice"));
      }
    }
    const auto alone = ResolveParams({&free, 1}, {});
    if (spec.min > spec.max) {
      add(".min", absl::StrCat("is ", ParamText(spec.min), "; allowed: no more than max, ", ParamText(spec.max)));
    } else if (alone.ok()) {
      for (const FieldViolation& violation : FieldViolationsOf(ResolveParams({&free, 1}, *alone).status())) {
        add(".default", violation.description);
      }
    }
    if (!spec.when.empty() && !CheckRule(spec.when, specs).ok()) {
      add(".when", std::string(CheckRule(spec.when, specs).message()));
    }
    for (size_t i = 0; i < spec.needs.size(); ++i) {
      const std::string problem = ConditionProblem(spec.needs[i], specs);
      if (!problem.empty()) add(absl::StrCat(".needs[", i, "]"), problem);
    }
  }
  if (!sound) return;
  for (const FieldViolation& violation : FieldViolationsOf(ResolveParams(specs, {}).status())) {
    violations.Add(absl::StrCat(path, ".parameters.", violation.field, ".default"), violation.description);
  }
}

}  // namespace gradeline

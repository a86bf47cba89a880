#include "server/core/loss/catalog.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/core/base/ids.h"
#include "server/core/base/status.h"
#include "server/core/loss/param_check.h"
#include "server/core/loss/signal.h"
#include "server/core/loss/sum_info.h"

namespace gradeline {
namespace {

using Words = std::vector<std::string>;

const Words kPhases{"train", "validation", "test"};
const Words kNormalisers{"valid_weight", "items", "positives", "given"};
const Words kBackgrounds{"none", "first", "last", "beyond"};
const Words kClasses{"all", "things", "stuff", "stuff+things-as-one"};

bool Contains(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Words SignalIds() {
  Words ids;
  for (const SignalInfo& signal : Signals()) ids.emplace_back(signal.id);
  return ids;
}

template <typename T>
Words IdsOf(const std::vector<T>& items) {
  Words ids;
  for (const T& item : items) ids.push_back(item.id);
  return ids;
}

/// Checks one architecture; fields below "architectures.<id>".
class ArchitectureCheck {
 public:
  ArchitectureCheck(const ArchitectureInfo& architecture, const Words& tasks, Violations& violations)
      : architecture_(architecture),
        tasks_(tasks),
        path_(absl::StrCat("architectures.", architecture.id)),
        violations_(violations) {}

  void Run() {
    CheckThat(CheckId(architecture_.id).ok(), "id", CheckId(architecture_.id).message());
    CheckThat(!architecture_.tasks.empty(), "tasks", "is empty; an architecture is for at least one task");
    for (size_t i = 0; i < architecture_.tasks.size(); ++i) {
      Member(architecture_.tasks[i], tasks_, absl::StrCat("tasks[", i, "]"));
    }
    CheckParamSpecs(architecture_.params, path_, violations_);
    CheckThat(!architecture_.heads.empty(), "heads", "is empty; nothing could be trained");
    std::set<std::string> heads;
    for (size_t i = 0; i < architecture_.heads.size(); ++i) {
      const HeadTemplate& head = architecture_.heads[i];
      const std::string field = absl::StrCat("heads[", i, "]");
      CheckThat(CheckId(head.id).ok(), field + ".id", CheckId(head.id).message());
      CheckThat(heads.insert(head.id).second, field + ".id", absl::StrCat("is \"", head.id, "\", a second time"));
      Head(head, field);
      Policy(head.losses, field + ".losses");
    }
    const Words signals(EvaluationSignals().begin(), EvaluationSignals().end());
    for (size_t i = 0; i < architecture_.evaluations.size(); ++i) {
      const EvaluationInfo& evaluation = architecture_.evaluations[i];
      const std::string field = absl::StrCat("evaluations[", i, "]");
      CheckThat(CheckId(evaluation.id).ok(), field + ".id", CheckId(evaluation.id).message());
      CheckThat(heads.insert(evaluation.id).second, field + ".id",
                absl::StrCat("is \"", evaluation.id, "\", a second time"));
      Member(evaluation.signal, signals, field + ".signal");
    }
  }

 private:
  void CheckThat(bool good, const std::string& field, absl::string_view description) {
    if (!good) violations_.Add(absl::StrCat(path_, ".", field), std::string(description));
  }
  void Member(const std::string& word, const Words& allowed, const std::string& field) {
    CheckThat(Contains(allowed, word), field, absl::StrCat("is \"", word, "\"; ", Hint(word, allowed)));
  }

  void Head(const HeadTemplate& head, const std::string& field) {
    By(head.signal, field + ".signal");
    const Words signals = SignalIds();
    for (const std::string& signal : Values(head.signal)) Member(signal, signals, field + ".signal");
    if (!head.when.empty()) Rule(head.when, field + ".when");
    if (!head.classes_of.empty()) Member(head.classes_of, kClasses, field + ".classes.of");
    if (!head.background.empty()) Member(head.background, kBackgrounds, field + ".classes.background");
    Member(head.normaliser, kNormalisers, field + ".normaliser.kind");
    CheckThat(head.normaliser != "given" || !head.normaliser_rule.empty(), field + ".normaliser.rule",
              "is empty; a given normaliser says what the worker sends");
    Weight(head.weight, field + ".weight");
    CheckThat(!head.phases.empty(), field + ".phases", "is empty");
    for (const std::string& phase : head.phases) Member(phase, kPhases, field + ".phases");
    CheckThat(head.repeat_name.empty() == head.repeat_weights.empty(), field + ".repeat",
              "needs both a name and a count");
    for (const double weight : head.repeat_weights) Weight(weight, field + ".repeat.weights");
  }

  void Weight(double weight, const std::string& field) {
    CheckThat(std::isfinite(weight) && weight >= 0, field, absl::StrCat("is ", weight, "; allowed: 0 or more"));
  }

  void Policy(const LossPolicy& policy, const std::string& field) {
    By(policy.fallback, field + ".default");
    CheckThat(policy.only.empty() || policy.except.empty(), field + ".except", "is given beside only; one of the two");
    for (const std::string& loss : Values(policy.fallback)) {
      CheckThat(!loss.empty(), field + ".default", "is empty; every head has a default loss");
      for (const std::string& id : TermIds(loss)) {
        CheckThat(policy.only.empty() || Contains(policy.only, id), field + ".default",
                  absl::StrCat("is ", id, ", which is not in only"));
        CheckThat(!Contains(policy.except, id), field + ".default", absl::StrCat("is ", id, ", which is in except"));
      }
    }
    for (const auto& [name, value] : policy.fixed) {
      const auto params = policy.params.find(name);
      CheckThat(params == policy.params.end() || params->second == value, field + ".fixed." + name,
                "differs from params");
    }
    for (const auto& [rule, weight] : policy.weight_for) {
      const std::string rule_field = absl::StrCat(field, ".weight_for[\"", rule, "\"]");
      const size_t equals = rule.find('=');
      CheckThat(equals != std::string::npos && equals > 0 && equals + 1 < rule.size(), rule_field,
                "is no rule; allowed: \"parameter=word\"");
      Weight(weight, rule_field);
    }
  }

  static Words Values(const ByParam& by) {
    if (by.by.empty()) return {by.value};
    Words values;
    for (const auto& [word, value] : by.cases) values.push_back(value);
    return values;
  }

  const ParamSpec* FindParam(const std::string& name) const {
    for (const ParamSpec& spec : architecture_.params) {
      if (spec.name == name) return &spec;
    }
    return nullptr;
  }
  Words ParamNames() const {
    Words names;
    for (const ParamSpec& spec : architecture_.params) names.push_back(spec.name);
    return names;
  }

  /// A choice by a parameter has one case for every word of it.
  void By(const ByParam& by, const std::string& field) {
    if (by.by.empty()) return;
    CheckThat(by.value.empty(), field, "has a value beside by; one of the two");
    const ParamSpec* spec = FindParam(by.by);
    if (spec == nullptr) {
      CheckThat(false, field + ".by", absl::StrCat("is \"", by.by, "\"; ", Hint(by.by, ParamNames())));
      return;
    }
    const Words words = WordsOf(*spec);
    CheckThat(!words.empty(), field + ".by", absl::StrCat("is \"", by.by, "\", which is neither a choice nor a bool"));
    for (const std::string& word : words) {
      CheckThat(by.cases.count(word) == 1, field, absl::StrCat("has no case for ", by.by, "=", word));
    }
    for (const auto& [word, value] : by.cases) {
      CheckThat(words.empty() || Contains(words, word), field,
                absl::StrCat("has a case for \"", word, "\", which ", by.by, " cannot be; ", Hint(word, words)));
    }
  }

  void Rule(const std::string& rule, const std::string& field) {
    const absl::Status good = CheckRule(rule, architecture_.params);
    CheckThat(good.ok(), field, good.message());
  }

  const ArchitectureInfo& architecture_;
  const Words& tasks_;
  const std::string path_;
  Violations& violations_;
};

template <typename T>
absl::StatusOr<const T*> FindById(const std::vector<T>& items, std::string_view id, const std::string& kind) {
  for (const T& item : items) {
    if (item.id == id) return &item;
  }
  const std::string word(id);
  return WithReason(
      absl::NotFoundError(absl::StrCat("there is no ", kind, " \"", word, "\"; ", Hint(word, IdsOf(items)))),
      "UNKNOWN_NAME", {{"kind", kind}, {"name", word}});
}

std::string Choose(const ByParam& by, const ParamMap& params) {
  if (by.by.empty()) return by.value;
  const auto value = params.find(by.by);
  if (value == params.end()) return "";
  const auto found = by.cases.find(ParamText(value->second));
  return found == by.cases.end() ? "" : found->second;
}

}  // namespace

std::vector<std::string> WordsOf(const ParamSpec& spec) {
  if (spec.kind == GDL_CHOICE) return spec.choices;
  if (spec.kind == GDL_BOOL) return {"false", "true"};
  return {};
}

bool RuleHolds(std::string_view rule, const ParamMap& params) {
  const size_t equals = rule.find('=');
  if (equals == std::string_view::npos) return false;
  const auto value = params.find(std::string(rule.substr(0, equals)));
  if (value == params.end()) return false;
  const std::vector<std::string> words = absl::StrSplit(std::string(rule.substr(equals + 1)), '|');
  return std::find(words.begin(), words.end(), ParamText(value->second)) != words.end();
}

absl::StatusOr<Catalog> Catalog::Make(std::vector<TaskInfo> tasks, std::vector<ArchitectureInfo> architectures,
                                      std::string digest, TrainingOffer offer) {
  const auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
  std::sort(tasks.begin(), tasks.end(), by_id);
  std::sort(architectures.begin(), architectures.end(), by_id);
  Violations violations;
  const Words task_ids = IdsOf(tasks);
  for (size_t i = 0; i < tasks.size(); ++i) {
    const std::string field = absl::StrCat("tasks.", tasks[i].id, ".id");
    if (!CheckId(tasks[i].id).ok()) violations.Add(field, std::string(CheckId(tasks[i].id).message()));
    if (i > 0 && tasks[i].id == tasks[i - 1].id) violations.Add(field, "is there twice");
  }
  for (size_t i = 0; i < architectures.size(); ++i) {
    if (i > 0 && architectures[i].id == architectures[i - 1].id) {
      violations.Add(absl::StrCat("architectures.", architectures[i].id, ".id"), "is there twice");
    }
    ArchitectureCheck(architectures[i], task_ids, violations).Run();
  }
  CheckOffer(offer, task_ids, violations);
  if (!violations.empty()) return violations.ToStatus();
  Catalog catalog;
  catalog.tasks_ = std::move(tasks);
  catalog.architectures_ = std::move(architectures);
  catalog.digest_ = std::move(digest);
  catalog.offer_ = std::move(offer);
  return catalog;
}

absl::StatusOr<const TaskInfo*> Catalog::FindTask(std::string_view id) const { return FindById(tasks_, id, "task"); }

absl::StatusOr<const ChoiceInfo*> Catalog::FindSolver(std::string_view id) const {
  return FindById(offer_.solvers, id, "solver");
}
absl::StatusOr<const ChoiceInfo*> Catalog::FindScheduler(std::string_view id) const {
  return FindById(offer_.schedulers, id, "scheduler");
}
absl::StatusOr<const ChoiceInfo*> Catalog::FindAugmentation(std::string_view id) const {
  return FindById(offer_.augmentations, id, "augmentation");
}

absl::StatusOr<const ArchitectureInfo*> Catalog::FindArchitecture(std::string_view task, std::string_view id) const {
  auto found = FindById(architectures_, id, "architecture");
  if (!found.ok() || task.empty() || Contains((*found)->tasks, std::string(task))) return found;
  Words valid;
  for (const ArchitectureInfo& architecture : architectures_) {
    if (Contains(architecture.tasks, std::string(task))) valid.push_back(architecture.id);
  }
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(
          "architecture ", std::string(id), " is for ", absl::StrJoin((*found)->tasks, ", "), ", not for task ",
          std::string(task), "; for that there are: ", valid.empty() ? "none" : absl::StrJoin(valid, ", "))),
      "ARCHITECTURE_NOT_VALID_FOR_TASK",
      {{"architecture", std::string(id)}, {"task", std::string(task)}, {"valid", absl::StrJoin(valid, ",")}});
}

absl::StatusOr<std::vector<Head>> Catalog::ResolveHeads(const ArchitectureInfo& architecture,
                                                        const ParamMap& params) const {
  const auto resolved = ResolveParams(architecture.params, params);
  if (!resolved.ok()) return resolved.status();
  std::vector<Head> heads;
  for (const HeadTemplate& from : architecture.heads) {
    if (!from.when.empty() && !RuleHolds(from.when, *resolved)) continue;
    gradeline::Head head;
    head.id = head.base = from.id;
    head.signal = Choose(from.signal, *resolved);
    head.rows = from.rows;
    head.classes_of = from.classes_of;
    head.background = from.background;
    head.normaliser = from.normaliser;
    head.normaliser_rule = from.normaliser_rule;
    head.weight = from.weight;
    head.phases = from.phases;
    head.default_loss = Choose(from.losses.fallback, *resolved);
    head.losses = from.losses;
    if (from.repeat_name.empty()) heads.push_back(head);
    for (size_t i = 0; i < from.repeat_weights.size(); ++i) {
      head.id = absl::StrCat(from.id, "@", i + 1);
      head.weight = from.weight * from.repeat_weights[i];
      for (auto& [rule, weight] : head.losses.weight_for) {
        weight = from.losses.weight_for.at(rule) * from.repeat_weights[i];
      }
      heads.push_back(head);
    }
  }
  return heads;
}

}  // namespace gradeline

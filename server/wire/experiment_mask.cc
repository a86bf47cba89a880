#include "server/wire/experiment_mask.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/util/field_mask_util.h"
#include "server/core/base/utf8.h"
#include "server/wire/experiment.h"

namespace gradeline {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::util::FieldMaskUtil;

constexpr char kLabel[] = "labels.", kTraining[] = "training.";

// The parameters that a path names one of: "training.solver_parameters.momentum".
struct Parameters {
  std::string_view prefix;
  google::protobuf::Struct* (*of)(v1::Experiment&);
};
constexpr Parameters kParameters[] = {
    {"architecture_parameters.", [](v1::Experiment& e) { return e.mutable_architecture_parameters(); }},
    {"training.solver_parameters.",
     [](v1::Experiment& e) { return e.mutable_training()->mutable_solver_parameters(); }},
    {"training.scheduler_parameters.",
     [](v1::Experiment& e) { return e.mutable_training()->mutable_scheduler_parameters(); }},
};

// nullptr if the path names no single parameter.
const Parameters* ParametersOf(const std::string& path) {
  const auto* found = std::find_if(std::begin(kParameters), std::end(kParameters), [&path](const Parameters& known) {
    return path.size() > known.prefix.size() && path.compare(0, known.prefix.size(), known.prefix) == 0;
  });
  return found == std::end(kParameters) ? nullptr : found;
}

const std::vector<std::string>& Changeable() {
  static const auto* const kAll = new std::vector<std::string>{
      "split", "architecture", "architecture_parameters", "losses", "metrics", "training", "labels", "notes"};
  return *kAll;
}

std::string LabelKey(const std::string& path) { return path.substr(sizeof(kLabel) - 1); }

bool IsChangeable(const std::string& path) {
  if (absl::StartsWith(path, kLabel)) return path.size() > sizeof(kLabel) - 1;
  if (ParametersOf(path) != nullptr) return true;
  if (absl::StartsWith(path, kTraining)) return FieldMaskUtil::IsValidPath<v1::Experiment>(path);
  return std::find(Changeable().begin(), Changeable().end(), path) != Changeable().end();
}

bool IsSet(const v1::Experiment& given, const std::string& path) {
  const FieldDescriptor* field = v1::Experiment::descriptor()->FindFieldByName(path);
  const auto* reflection = given.GetReflection();
  return field->is_repeated() ? reflection->FieldSize(given, field) > 0 : reflection->HasField(given, field);
}

}  // namespace

std::vector<std::string> PathsOfUpdate(const v1::Experiment& given, const FieldMask& mask, Violations* violations) {
  std::vector<std::string> paths;
  if (mask.paths_size() == 0) {
    std::copy_if(Changeable().begin(), Changeable().end(), std::back_inserter(paths),
                 [&given](const std::string& path) { return IsSet(given, path); });
    return paths;
  }
  if (mask.paths_size() == 1 && mask.paths(0) == "*") return Changeable();
  for (const std::string& path : mask.paths()) {
    if (IsChangeable(path)) {
      paths.push_back(path);
      continue;
    }
    violations->Add(
        "updateMask",
        absl::StrCat(
            Quoted(path),
            v1::Experiment::descriptor()->FindFieldByName(path) != nullptr ? " is not to be changed" : " is no field",
            "; allowed: ", absl::StrJoin(Changeable(), ", "),
            ", a field of training, labels.KEY, a parameter of architecture_parameters, training.solver_parameters or "
            "training.scheduler_parameters, or * alone"));
  }
  return paths;
}

Experiment MergedExperiment(const Experiment& stored, const v1::Experiment& given,
                            const std::vector<std::string>& paths, Violations* violations) {
  v1::Experiment merged = ToProto(stored), values = given;
  FieldMask mask;
  for (const std::string& path : paths) {
    if (!absl::StartsWith(path, kLabel) && ParametersOf(path) == nullptr) mask.add_paths(path);
  }
  FieldMaskUtil::MergeOptions replace;
  replace.set_replace_message_fields(true);
  replace.set_replace_repeated_fields(true);
  FieldMaskUtil::MergeMessageTo(given, mask, replace, &merged);
  for (const std::string& path : paths) {
    if (const Parameters* parameters = ParametersOf(path)) {
      const std::string name = path.substr(parameters->prefix.size());
      const auto& from = parameters->of(values)->fields();
      auto& to = *parameters->of(merged)->mutable_fields();
      to.erase(name);
      if (const auto value = from.find(name); value != from.end()) to[name] = value->second;
    }
    if (!absl::StartsWith(path, kLabel)) continue;
    const auto label = given.labels().find(LabelKey(path));
    merged.mutable_labels()->erase(LabelKey(path));
    if (label != given.labels().end()) (*merged.mutable_labels())[label->first] = label->second;
  }
  return ExperimentFromProto(merged, violations);
}

}  // namespace gradeline

#include "server/wire/catalog_files.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gradeline/config/v1/catalog.pb.h"
#include "server/core/base/status.h"
#include "server/wire/catalog_offer.h"
#include "server/wire/catalog_params.h"
#include "server/wire/catalog_source.h"
#include "server/wire/params.h"

namespace gradeline {
namespace {

namespace pb = config::v1;

using TaskSource = Parsed<pb::TaskFile>;
using ArchitectureSource = Parsed<pb::ArchitectureFile>;

ByParam ToByParam(const pb::Word& word) {
  return {word.value(), word.by(), {word.cases().begin(), word.cases().end()}};
}

std::vector<std::string> ToVector(const google::protobuf::RepeatedPtrField<std::string>& words) {
  return {words.begin(), words.end()};
}

/// Turns one architecture with all that it extends into the core's form, and remembers where each part was written.
class Composer {
 public:
  Composer(const std::map<std::string, const ArchitectureSource*>& sources, Violations& violations)
      : sources_(sources), violations_(violations) {}

  void Compose(const ArchitectureSource& source) {
    architecture.id = source.message.id();
    architecture.title = source.message.title();
    architecture.doc = source.message.help();
    own_ = &source;
    Overlay(source);
  }

  ArchitectureInfo architecture;

  /// Where a violation of Catalog::Make below "architectures.<id>." was written.
  std::string Where(const std::string& path) const {
    for (const auto& [list, list_sources] :
         {std::pair{"heads[", &head_sources_}, {"evaluations[", &evaluation_sources_}}) {
      if (path.rfind(list, 0) != 0) continue;
      const size_t open = std::string_view(list).size(), close = path.find(']');
      size_t index = 0;
      if (!absl::SimpleAtoi(path.substr(open, close - open), &index) || index >= list_sources->size()) continue;
      const auto& [source, own_index] = (*list_sources)[index];
      return source->At(absl::StrCat(list, own_index, "]", path.substr(close + 1)));
    }
    if (path.rfind("parameters.", 0) == 0) {
      const auto found = param_sources_.find(path.substr(11, path.find('.', 11) - 11));
      if (found != param_sources_.end()) return found->second->At(path);
    }
    return own_->At(path);
  }

 private:
  using Sources = std::vector<std::pair<const ArchitectureSource*, int>>;  // file and place in it, of each part

  void Overlay(const ArchitectureSource& source) {
    chain_.push_back(source.message.id());
    if (!source.message.extends().empty()) Extend(source);
    if (source.message.tasks_size() > 0) architecture.tasks = ToVector(source.message.tasks());
    for (const auto& [name, parameter] :
         std::map<std::string, pb::Parameter>(source.message.parameters().begin(), source.message.parameters().end())) {
      SetParam(source, name, parameter);
    }
    for (int i = 0; i < source.message.heads_size(); ++i) SetHead(source, i);
    for (int i = 0; i < source.message.evaluations_size(); ++i) SetEvaluation(source, i);
  }

  void Extend(const ArchitectureSource& source) {
    const std::string& other = source.message.extends();
    const auto found = sources_.find(other);
    if (found == sources_.end()) {
      std::vector<std::string> known;
      for (const auto& [id, unused] : sources_) known.push_back(id);
      const std::vector<std::string> near = NearNames(other, known);
      violations_.Add(source.At("extends"), absl::StrCat("is \"", other, "\", which is no architecture; ",
                                                         near.empty() ? "known: " : "did you mean ",
                                                         absl::StrJoin(near.empty() ? known : near, ", ")));
    } else if (std::find(chain_.begin(), chain_.end(), other) != chain_.end()) {
      violations_.Add(source.At("extends"),
                      absl::StrCat("goes round: ", absl::StrJoin(chain_, " extends "), " extends ", other));
    } else {
      Overlay(*found->second);
    }
  }

  void SetParam(const ArchitectureSource& source, const std::string& name, const pb::Parameter& from) {
    auto spec = SpecFromProto(name, from, [&](const std::string& path, std::string description) {
      violations_.Add(source.At(path), std::move(description));
    });
    if (!spec) return;
    const auto same = [&](const ParamSpec& other) { return other.name == name; };
    const auto found = std::find_if(architecture.params.begin(), architecture.params.end(), same);
    if (found == architecture.params.end()) {
      architecture.params.push_back(*std::move(spec));
    } else {
      *found = *std::move(spec);
    }
    param_sources_[name] = &source;
  }

  ParamMap ToParams(const ArchitectureSource& source, const std::string& path,
                    const google::protobuf::Map<std::string, google::protobuf::Value>& from) {
    google::protobuf::Struct all;
    for (const auto& [name, value] : from) (*all.mutable_fields())[name] = value;
    Violations violations;
    ParamMap params = ParamsFromProto("", all, &violations);
    if (!violations.empty()) violations_.Add(source.At(path), std::string(violations.ToStatus().message()));
    return params;
  }

  void SetHead(const ArchitectureSource& source, int index) {
    const pb::Head& from = source.message.heads(index);
    const std::string path = absl::StrCat("heads[", index, "]");
    HeadTemplate head;
    head.id = from.id();
    head.rows = from.rows();
    head.when = from.when();
    head.signal = ToByParam(from.signal());
    head.classes_of = from.classes().of();
    head.background = from.classes().background();
    head.normaliser = from.normaliser().kind();
    head.normaliser_rule = from.normaliser().rule();
    if (from.has_weight()) head.weight = from.weight();
    if (from.phases_size() > 0) head.phases = ToVector(from.phases());
    if (from.has_repeat()) SetRepeat(source, path + ".repeat", from.repeat(), head);
    const pb::Losses& losses = from.losses();
    head.losses.fallback = ToByParam(losses.default_());
    head.losses.only = ToVector(losses.only());
    head.losses.except = ToVector(losses.except());
    head.losses.params = ToParams(source, path + ".losses.params", losses.params());
    head.losses.fixed = ToParams(source, path + ".losses.fixed", losses.fixed());
    head.losses.weight_for = {losses.weight_for().begin(), losses.weight_for().end()};
    head.losses.reason = losses.reason();
    Place(source, index, std::move(head), architecture.heads, head_sources_);
  }

  void SetEvaluation(const ArchitectureSource& source, int index) {
    const pb::Evaluation& from = source.message.evaluations(index);
    Place(source, index, EvaluationInfo{from.id(), from.signal()}, architecture.evaluations, evaluation_sources_);
  }

  // What the other architecture called so is replaced; a second one of this file is left for the catalog to refuse.
  template <typename T>
  static void Place(const ArchitectureSource& source, int index, T part, std::vector<T>& parts, Sources& sources) {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].id != part.id || sources[i].first == &source) continue;
      parts[i] = std::move(part);
      sources[i] = {&source, index};
      return;
    }
    parts.push_back(std::move(part));
    sources.emplace_back(&source, index);
  }

  void SetRepeat(const ArchitectureSource& source, const std::string& path, const pb::Repeat& from,
                 HeadTemplate& head) {
    constexpr int kMost = 64;
    if (from.count() < 1 || from.count() > kMost) {
      violations_.Add(source.At(path + ".count"), absl::StrCat("is ", from.count(), "; allowed are 1 to ", kMost));
      return;
    }
    head.repeat_name = from.name();
    head.repeat_weights.assign(from.weights().begin(), from.weights().end());
    if (head.repeat_weights.empty()) head.repeat_weights.assign(static_cast<size_t>(from.count()), 1);
    if (head.repeat_weights.size() != static_cast<size_t>(from.count())) {
      violations_.Add(source.At(path + ".weights"),
                      absl::StrCat("has ", head.repeat_weights.size(), " numbers; allowed are ", from.count(),
                                   ", one per ", from.name()));
    }
  }

  const std::map<std::string, const ArchitectureSource*>& sources_;
  Violations& violations_;
  const ArchitectureSource* own_ = nullptr;
  std::vector<std::string> chain_;
  Sources head_sources_, evaluation_sources_;
  std::map<std::string, const ArchitectureSource*> param_sources_;
};

/// What is wrong in a file is wrong in every one that extends it: said once.
absl::Status EachOnce(const Violations& all) {
  std::set<std::pair<std::string, std::string>> seen;
  Violations once;
  for (const FieldViolation& violation : all.list()) {
    if (seen.emplace(violation.field, violation.description).second) once.Add(violation.field, violation.description);
  }
  return once.ToStatus();
}

/// A violation of Catalog::Make with the file and line that it is about.
std::string FieldInFiles(const std::string& field, const std::vector<TaskSource>& tasks,
                         const std::vector<Composer>& architectures, const OfferSource& offer) {
  for (const TaskSource& task : tasks) {
    const std::string prefix = absl::StrCat("tasks.", task.message.id(), ".");
    if (field.rfind(prefix, 0) == 0) return task.At(field.substr(prefix.size()));
  }
  for (const Composer& composer : architectures) {
    const std::string prefix = absl::StrCat("architectures.", composer.architecture.id, ".");
    if (field.rfind(prefix, 0) == 0) return composer.Where(field.substr(prefix.size()));
  }
  return gradeline::FieldInFiles(field, offer).value_or(field);
}

}  // namespace

absl::StatusOr<Catalog> LoadCatalog(const std::string& directory,
                                    const std::function<absl::Status(const Catalog&)>& check) {
  GRADELINE_ASSIGN_OR_RETURN(std::vector<SourceFile> architecture_files,
                             ReadCatalogFolder(directory, "architectures", false));
  GRADELINE_ASSIGN_OR_RETURN(std::vector<SourceFile> task_files, ReadCatalogFolder(directory, "tasks", false));
  Violations violations;
  const auto tasks = ParseAll<pb::TaskFile>(task_files, violations);
  const auto architectures = ParseAll<pb::ArchitectureFile>(architecture_files, violations);
  GRADELINE_ASSIGN_OR_RETURN(const OfferSource offer_source, ReadOffer(directory, violations));
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());

  std::map<std::string, const ArchitectureSource*> by_id;
  for (const ArchitectureSource& source : architectures) by_id[source.message.id()] = &source;
  std::vector<Composer> composers;
  for (const ArchitectureSource& source : architectures) composers.emplace_back(by_id, violations).Compose(source);
  TrainingOffer offer = ToOffer(offer_source, violations);
  GRADELINE_RETURN_IF_ERROR(EachOnce(violations));

  std::vector<TaskInfo> task_infos;
  for (const TaskSource& task : tasks) {
    task_infos.push_back(
        {task.message.id(), task.message.title(), task.message.help(), ToVector(task.message.metrics())});
  }
  std::vector<ArchitectureInfo> architecture_infos;
  for (const Composer& composer : composers) architecture_infos.push_back(composer.architecture);
  std::vector<SourceFile> all = std::move(architecture_files);
  all.insert(all.end(), task_files.begin(), task_files.end());
  all.insert(all.end(), offer_source.files.begin(), offer_source.files.end());
  auto catalog =
      Catalog::Make(std::move(task_infos), std::move(architecture_infos), CatalogDigest(all), std::move(offer));
  const absl::Status problems = catalog.ok() && check ? check(*catalog) : catalog.status();
  if (problems.ok()) return catalog;
  for (const FieldViolation& violation : FieldViolationsOf(problems)) {
    violations.Add(FieldInFiles(violation.field, tasks, composers, offer_source), violation.description);
  }
  return violations.empty() ? problems : EachOnce(violations);
}

}  // namespace gradeline

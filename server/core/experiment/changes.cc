// Experiments' verbs on what an experiment asks for and on whether it is there: create, clone, update, delete.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "server/core/experiment/impl.h"
#include "server/core/experiment/labels.h"
#include "server/core/experiment/names.h"
#include "server/core/experiment/resolve.h"
#include "server/core/experiment/users.h"

namespace gradeline {
namespace {

// What a person asks for and says, without what was resolved of it and what has happened since.
void CopyAsked(const Experiment& from, Experiment& to) {
  to.split = from.split;
  to.architecture = from.architecture;
  to.architecture_params = from.architecture_params;
  to.losses = from.losses;
  to.metrics = from.metrics;
  to.training = from.asked_training.value_or(from.training);
  to.asked_training.reset();
  to.labels = from.labels;
  to.notes = from.notes;
}

// The fields of which only a draft's may change, and in which two experiments differ.
std::vector<std::string> DifferentFields(const Experiment& a, const Experiment& b) {
  struct Field {
    const char* name;
    void (*copy)(const Experiment& from, Experiment& to);
  };
  static constexpr Field kFields[] = {
      {"split", [](const Experiment& from, Experiment& to) { to.split = from.split; }},
      {"architecture", [](const Experiment& from, Experiment& to) { to.architecture = from.architecture; }},
      {"architectureParameters",
       [](const Experiment& from, Experiment& to) { to.architecture_params = from.architecture_params; }},
      {"losses", [](const Experiment& from, Experiment& to) { to.losses = from.losses; }},
      {"metrics", [](const Experiment& from, Experiment& to) { to.metrics = from.metrics; }},
      {"training", [](const Experiment& from, Experiment& to) { to.training = from.training; }},
  };
  std::vector<std::string> different;
  for (const Field& field : kFields) {
    Experiment of_a, of_b;
    field.copy(a, of_a);
    field.copy(b, of_b);
    if (Encode(of_a) != Encode(of_b)) different.emplace_back(field.name);
  }
  return different;
}

// Classes of a split's items.
absl::StatusOr<int64_t> CountClasses(Store& store, const Split& split) {
  if (!split.class_names.empty()) return static_cast<int64_t>(split.class_names.size());
  GRADELINE_ASSIGN_OR_RETURN(const Dataset dataset, store.GetDataset(split.datasets[0]));
  return static_cast<int64_t>(dataset.classes.size());
}

absl::Status NotADraft(const Experiment& experiment, const std::vector<std::string>& fields) {
  return WithReason(absl::FailedPreconditionError(absl::StrCat(
                        "experiment ", experiment.id, " is ", NameOf(experiment.state), "; changing ",
                        absl::StrJoin(fields, ", "), " needs DRAFT (labels and notes change in any state)")),
                    "WRONG_STATE", {{"state", std::string(NameOf(experiment.state))}});
}

}  // namespace

absl::Status HoldSplit(Transaction& store, const std::string& id) {
  GRADELINE_ASSIGN_OR_RETURN(const Split split, store.HoldSplit(id));
  GRADELINE_ASSIGN_OR_RETURN(const auto deleted, store.ListDeletedDatasets(id));
  return CheckUsable(split, deleted);
}

absl::Status Experiments::Impl::Resolve(Experiment& experiment) const {
  absl::StatusOr<Split> split = store->GetSplit(experiment.split);
  int64_t classes = 0;
  if (split.ok()) {
    GRADELINE_ASSIGN_OR_RETURN(const auto deleted, store->ListDeletedDatasets(experiment.split));
    GRADELINE_ASSIGN_OR_RETURN(classes, CountClasses(*store, *split));
    if (absl::Status usable = CheckUsable(*split, deleted); !usable.ok()) split = std::move(usable);
  } else if (!absl::IsNotFound(split.status())) {
    return split.status();
  }
  experiment.metric_bytes = options.metric_bytes;
  GRADELINE_RETURN_IF_ERROR(ResolveExperiment(*registry, split, experiment, classes));
  return LoadHeads(*registry, experiment).status();  // what Start asks
}

absl::StatusOr<Experiment> Experiments::Impl::Make(absl::StatusOr<Experiment> asked, const std::string& request_id,
                                                   const Digest& digest, bool validate_only) {
  absl::Status resolved = asked.status();
  Experiment experiment;
  if (asked.ok()) {
    experiment.id = asked->id;
    CopyAsked(*asked, experiment);
    resolved = Resolve(experiment);
  }
  if (validate_only) {
    GRADELINE_RETURN_IF_ERROR(resolved);
    const auto there = store->GetExperiment(experiment.id);
    if (there.ok()) return NameTaken("experiment", experiment.id, there->second.delete_ms != 0);
    if (!absl::IsNotFound(there.status())) return there.status();
    return experiment;
  }
  // A repeat is answered even if the catalog has changed since, or what was copied is gone.
  return WriteOnce<Experiment>(Command::kAtomic, request_id, digest, [&](Group& group) -> absl::StatusOr<Experiment> {
    GRADELINE_RETURN_IF_ERROR(resolved);
    if (const auto there = group.store().GetExperiment(experiment.id); there.ok()) {
      return NameTaken("experiment", experiment.id, there->second.delete_ms != 0);
    }
    GRADELINE_RETURN_IF_ERROR(HoldSplit(group.store(), experiment.split));
    experiment.create_ms = experiment.state_ms = group.now_ms();
    GRADELINE_ASSIGN_OR_RETURN(const int64_t no, group.store().InsertExperiment(experiment));
    GRADELINE_RETURN_IF_ERROR(group.Record(no, experiment, nullptr));
    return experiment;
  });
}

absl::StatusOr<Experiment> Experiments::CreateExperiment(Experiment experiment, const std::string& request_id,
                                                         bool validate_only) {
  const Digest digest = DigestOf("CreateExperiment", Encode(experiment));
  return impl_->Make(std::move(experiment), request_id, digest, validate_only);
}

absl::StatusOr<Experiment> Experiments::Clone(const std::string& id, const std::string& new_id,
                                              const std::string& request_id, bool validate_only) {
  absl::StatusOr<Experiment> copy = GetExperiment(id);
  if (copy.ok()) copy->id = new_id;
  return impl_->Make(std::move(copy), request_id, DigestOf("CloneExperiment", absl::StrCat(id, "\n", new_id)),
                     validate_only);
}

absl::StatusOr<Experiment> Experiments::Impl::Edited(const Experiment& stored, const ExperimentEdit& edit) const {
  Violations violations;
  Experiment before = stored, edited = stored;
  CopyAsked(stored, before);
  const Experiment asked = edit.apply(before, violations);
  CopyAsked(asked, edited);
  absl::Status checked;
  std::vector<std::string> different;
  if (!DifferentFields(before, edited).empty()) {
    checked = Resolve(edited);
    // Resolved, what was left to a default may be what it was.
    different = DifferentFields(stored, edited);
    if (!different.empty() && stored.state != ExperimentState::kDraft) return NotADraft(stored, different);
  }
  if (different.empty()) {
    edited = stored;
    edited.labels = asked.labels;
    edited.notes = asked.notes;
    checked = CheckLabelsAndNotes(edited);
  }
  violations.MergeRest("", checked);
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return edited;
}

absl::StatusOr<Experiment> Experiments::Update(const std::string& id, const ExperimentEdit& edit,
                                               const std::string& request_id, const std::string& etag,
                                               bool validate_only) {
  const Digest digest = DigestOf("UpdateExperiment", absl::StrCat(id, "\n", etag, "\n", edit.content));
  return impl_->WriteOnce<Experiment>(Command::kAtomic, validate_only ? std::string() : request_id, digest,
                                      [&](Group& group) -> absl::StatusOr<Experiment> {
                                        GRADELINE_ASSIGN_OR_RETURN(auto found, validate_only
                                                                                   ? group.store().GetExperiment(id)
                                                                                   : group.store().OwnExperiment(id));
                                        auto& [no, stored] = found;
                                        GRADELINE_RETURN_IF_ERROR(CheckWritable(stored, etag));
                                        GRADELINE_ASSIGN_OR_RETURN(Experiment edited, impl_->Edited(stored, edit));
                                        if (edited.split != stored.split) {
                                          GRADELINE_RETURN_IF_ERROR(HoldSplit(group.store(), edited.split));
                                        }
                                        if (!validate_only && Encode(edited) != Encode(stored)) {
                                          GRADELINE_RETURN_IF_ERROR(group.RecordChange(no, edited));
                                        }
                                        return edited;
                                      });
}

absl::StatusOr<Experiment> Experiments::Delete(const std::string& id, bool purge, const std::string& request_id,
                                               const std::string& etag) {
  const Digest digest = DigestOf("DeleteExperiment", absl::StrCat(id, "\n", etag, "\n", purge ? "purge" : ""));
  return impl_->WriteOnce<Experiment>(
      purge ? Command::kAlone : Command::kAtomic, request_id, digest, [&](Group& group) -> absl::StatusOr<Experiment> {
        GRADELINE_ASSIGN_OR_RETURN(auto found, group.store().OwnExperiment(id));
        auto& [no, experiment] = found;
        GRADELINE_RETURN_IF_ERROR(CheckEtag(experiment, etag));
        if (purge) {
          if (experiment.delete_ms == 0) return NotPurgeable("experiment", id);
          GRADELINE_RETURN_IF_ERROR(group.store().PurgeExperiment(no));
          return experiment;
        }
        GRADELINE_RETURN_IF_ERROR(CheckWritable(experiment, etag));
        if (experiment.state != ExperimentState::kDraft && !IsTerminal(experiment.state)) {
          return WrongState(experiment, "an experiment that does not run: cancel it first");
        }
        experiment.delete_ms = group.now_ms();
        GRADELINE_RETURN_IF_ERROR(group.RecordChange(no, experiment));
        return experiment;
      });
}

absl::StatusOr<Experiment> Experiments::Undelete(const std::string& id, const std::string& request_id,
                                                 const std::string& etag) {
  const Digest digest = DigestOf("UndeleteExperiment", absl::StrCat(id, "\n", etag));
  return impl_->WriteOnce<Experiment>(Command::kAtomic, request_id, digest,
                                      [&](Group& group) -> absl::StatusOr<Experiment> {
                                        GRADELINE_ASSIGN_OR_RETURN(auto found, group.store().OwnExperiment(id));
                                        auto& [no, experiment] = found;
                                        GRADELINE_RETURN_IF_ERROR(CheckEtag(experiment, etag));
                                        if (experiment.delete_ms == 0) return NotDeleted("experiment", id);
                                        experiment.delete_ms = 0;
                                        GRADELINE_RETURN_IF_ERROR(group.RecordChange(no, experiment));
                                        return experiment;
                                      });
}

}  // namespace gradeline

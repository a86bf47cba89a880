// The writes of SqlTransaction on experiments themselves.
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/core/experiment/names.h"
#include "server/store/sql/transaction.h"

namespace gradeline {

absl::StatusOr<int64_t> SqlTransaction::InsertExperiment(const Experiment& experiment) {
  Query insert = connection_->Prepare(
      "INSERT INTO experiments(name, state, reason, state_ms, attempt, revision, etag, numerics, split, architecture, "
      "task, create_ms, delete_ms, spec) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) "
      "ON CONFLICT DO NOTHING RETURNING no");
  insert.Bind(experiment.id, NameOf(experiment.state), experiment.reason, experiment.state_ms, experiment.attempt,
              experiment.revision, experiment.etag, experiment.numerics, experiment.split, experiment.architecture,
              experiment.task, experiment.create_ms, experiment.delete_ms, Blob{Encode(experiment)});
  GRADELINE_ASSIGN_OR_RETURN(const bool inserted, insert.Step());
  if (!inserted) return absl::AlreadyExistsError(absl::StrCat("experiment ", experiment.id, " exists"));
  const int64_t no = insert.Number(0);
  GRADELINE_RETURN_IF_ERROR(InsertLabels(no, experiment));
  return no;
}

absl::Status SqlTransaction::InsertLabels(int64_t no, const Experiment& experiment) {
  for (const auto& [key, value] : experiment.labels) {
    connection_->Prepare("INSERT INTO experiment_labels(experiment, key, value) VALUES(?1, ?2, ?3)")
        .Bind(no, key, value)
        .Send();
  }
  return failure();
}

absl::Status SqlTransaction::UpdateExperiment(int64_t no, const Experiment& experiment) {
  connection_
      ->Prepare(
          "UPDATE experiments SET state = ?2, reason = ?3, state_ms = ?4, attempt = ?5, revision = ?6, etag = ?7, "
          "numerics = ?8 WHERE no = ?1")
      .Bind(no, NameOf(experiment.state), experiment.reason, experiment.state_ms, experiment.attempt,
            experiment.revision, experiment.etag, experiment.numerics)
      .Send();
  return failure();
}

absl::Status SqlTransaction::ReplaceExperiment(int64_t no, const Experiment& experiment) {
  GRADELINE_RETURN_IF_ERROR(UpdateExperiment(no, experiment));
  connection_
      ->Prepare(
          "UPDATE experiments SET split = ?2, architecture = ?3, task = ?4, create_ms = ?5, delete_ms = ?6, spec = ?7 "
          "WHERE no = ?1")
      .Bind(no, experiment.split, experiment.architecture, experiment.task, experiment.create_ms, experiment.delete_ms,
            Blob{Encode(experiment)})
      .Send();
  connection_->Prepare("DELETE FROM experiment_labels WHERE experiment = ?1").Bind(no).Send();
  return InsertLabels(no, experiment);
}

absl::Status SqlTransaction::PurgeExperiment(int64_t no) {
  for (const char* remove :
       {"DELETE FROM records WHERE experiment = ?1", "DELETE FROM phase_ends WHERE experiment = ?1",
        "DELETE FROM seals WHERE experiment = ?1", "DELETE FROM ranks WHERE experiment = ?1",
        "DELETE FROM attempts WHERE experiment = ?1", "DELETE FROM events WHERE experiment = ?1",
        "DELETE FROM incidents WHERE experiment = ?1", "DELETE FROM experiment_labels WHERE experiment = ?1",
        "DELETE FROM experiments WHERE no = ?1"}) {
    GRADELINE_RETURN_IF_ERROR(connection_->Prepare(remove).Bind(no).Run());
  }
  return absl::OkStatus();
}

}  // namespace gradeline

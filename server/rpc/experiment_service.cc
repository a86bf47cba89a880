#include "server/rpc/experiment_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/rpc/watch_stream.h"
#include "server/wire/dataset.h"
#include "server/wire/experiment.h"
#include "server/wire/experiment_mask.h"
#include "server/wire/page.h"
#include "server/wire/status.h"

namespace gradeline {
namespace {

absl::StatusOr<v1::Experiment> Create(Experiments* experiments, const v1::CreateExperimentRequest& request) {
  Violations form, violations;
  Experiment experiment = ExperimentFromProto(request.experiment(), &form);
  violations.Merge("experiment", form.ToStatus());
  violations.Merge("", CheckRequestId("requestId", request.request_id()));
  // A wrong form stores nothing, but what could be read is checked too: one answer names everything.
  const bool validate_only = request.validate_only() || !violations.empty();
  const auto created = experiments->CreateExperiment(std::move(experiment), request.request_id(), validate_only);
  violations.MergeRest("experiment", created.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return ToProto(*created);
}

/// The id of a request with a name and a request_id.
template <typename Request>
absl::StatusOr<std::string> CheckedId(const Request& request) {
  Violations violations;
  absl::StatusOr<std::string> id = IdFromName("name", "experiments", request.name());
  violations.Merge("", id.status());
  violations.Merge("", CheckRequestId("requestId", request.request_id()));
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return id;
}

/// The experiment's id and the page of a list below an experiment.
template <typename Request>
absl::StatusOr<std::pair<std::string, PageRequest>> CheckedParent(const Request& request) {
  Violations violations;
  const absl::StatusOr<PageRequest> page = PageOf(request);
  const absl::StatusOr<std::string> id = IdFromName("parent", "experiments", request.parent());
  violations.Merge("", id.status());
  violations.Merge("", page.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return std::make_pair(*id, *page);
}

v1::StartExperimentResponse ToResponse(const Experiments::Started& started) {
  v1::StartExperimentResponse response;
  *response.mutable_experiment() = ToProto(started.experiment);
  response.set_attempt_token(started.token);
  return response;
}

absl::StatusOr<v1::StartExperimentResponse> Start(Experiments* experiments, const v1::StartExperimentRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const std::string id, CheckedId(request));
  GRADELINE_ASSIGN_OR_RETURN(const Experiments::Started started,
                             experiments->Start(id, request.request_id(), request.etag(), request.validate_only()));
  return ToResponse(started);
}

absl::StatusOr<v1::StartExperimentResponse> Resume(Experiments* experiments,
                                                   const v1::ResumeExperimentRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const std::string id, CheckedId(request));
  const std::optional<int64_t> first =
      request.has_first_epoch() ? std::optional<int64_t>(request.first_epoch()) : std::nullopt;
  GRADELINE_ASSIGN_OR_RETURN(
      const Experiments::Started started,
      experiments->Resume(id, first, request.request_id(), request.etag(), request.validate_only()));
  return ToResponse(started);
}

absl::StatusOr<v1::Experiment> Cancel(Experiments* experiments, const v1::CancelExperimentRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const std::string id, CheckedId(request));
  GRADELINE_ASSIGN_OR_RETURN(const Experiment experiment,
                             experiments->Cancel(id, request.request_id(), request.etag()));
  return ToProto(experiment);
}

absl::StatusOr<v1::Experiment> Clone(Experiments* experiments, const v1::CloneExperimentRequest& request) {
  Violations violations;
  const std::string id = IdFromName("name", "experiments", request.name(), &violations);
  const std::string new_id = IdFromName("newName", "experiments", request.new_name(), &violations);
  violations.Merge("", CheckRequestId("requestId", request.request_id()));
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  const auto made = experiments->Clone(id, new_id, request.request_id(), request.validate_only());
  GRADELINE_RETURN_IF_ERROR(BelowField("experiment", made.status()));
  return ToProto(*made);
}

absl::StatusOr<v1::Experiment> Update(Experiments* experiments, const v1::UpdateExperimentRequest& request) {
  const v1::Experiment& given = request.experiment();
  Violations violations;
  const std::string id = IdFromName("experiment.name", "experiments", given.name(), &violations);
  violations.Merge("", CheckRequestId("requestId", request.request_id()));
  const std::vector<std::string> paths = PathsOfUpdate(given, request.update_mask(), &violations);
  if (id.empty()) return violations.ToStatus();
  ExperimentEdit edit;
  Violations none;
  edit.content = absl::StrCat(absl::StrJoin(paths, ","), "\n", Encode(MergedExperiment({}, given, paths, &none)));
  edit.apply = [&](const Experiment& stored, Violations& wrong) {
    return MergedExperiment(stored, given, paths, &wrong);
  };
  // A wrong form stores nothing, but what could be read is checked too: one answer names everything.
  const bool validate_only = request.validate_only() || !violations.empty();
  const auto updated = experiments->Update(id, edit, request.request_id(), request.etag(), validate_only);
  violations.MergeRest("experiment", updated.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return ToProto(*updated);
}

absl::StatusOr<v1::Experiment> Delete(Experiments* experiments, const v1::DeleteExperimentRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const std::string id, CheckedId(request));
  GRADELINE_ASSIGN_OR_RETURN(const Experiment experiment,
                             experiments->Delete(id, request.purge(), request.request_id(), request.etag()));
  return ToProto(experiment);
}

absl::StatusOr<v1::Experiment> Undelete(Experiments* experiments, const v1::UndeleteExperimentRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const std::string id, CheckedId(request));
  GRADELINE_ASSIGN_OR_RETURN(const Experiment experiment,
                             experiments->Undelete(id, request.request_id(), request.etag()));
  return ToProto(experiment);
}

absl::StatusOr<v1::Experiment> Get(Experiments* experiments, const v1::GetExperimentRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const std::string id, IdFromName("name", "experiments", request.name()));
  GRADELINE_ASSIGN_OR_RETURN(const Experiment experiment, experiments->GetExperiment(id));
  if (experiment.delete_ms != 0 && !request.show_deleted()) {
    return WithReason(absl::NotFoundError(absl::StrCat("experiment ", id,
                                                       " is deleted; it can be shown with the "
                                                       "deleted ones, and undeleted")),
                      "DELETED", {{"experiment", id}});
  }
  return ToProto(experiment);
}

absl::StatusOr<v1::ListExperimentsResponse> List(Experiments* experiments, const v1::ListExperimentsRequest& request) {
  Violations violations;
  const absl::StatusOr<PageRequest> page = PageOf(request);
  absl::StatusOr<ListQuery> query = ParseListQuery(request.filter(), request.order_by());
  violations.Merge("", page.status());
  violations.Merge("", query.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  query->show_deleted = request.show_deleted();
  GRADELINE_ASSIGN_OR_RETURN(const Page<Experiment> list,
                             experiments->ListExperiments(*query, page->size, page->after));
  v1::ListExperimentsResponse response;
  for (const Experiment& experiment : list.items) *response.add_experiments() = ToProto(experiment);
  response.set_next_page_token(NextPageToken(*page, list.next));
  return response;
}

absl::StatusOr<v1::ListEpochsResponse> Epochs(Experiments* experiments, const v1::ListEpochsRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const auto parent, CheckedParent(request));
  const auto& [id, page] = parent;
  GRADELINE_ASSIGN_OR_RETURN(const Experiment experiment, experiments->GetExperiment(id));
  GRADELINE_ASSIGN_OR_RETURN(const Page<Seal> seals, experiments->ListEpochs(id, page.size, page.after));
  v1::ListEpochsResponse response;
  for (const Seal& seal : seals.items) *response.add_epochs() = ToProto(seal, experiment.heads, request.show_details());
  response.set_next_page_token(NextPageToken(page, seals.next));
  return response;
}

absl::StatusOr<v1::ListAttemptsResponse> Attempts(Experiments* experiments, const v1::ListAttemptsRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const auto parent, CheckedParent(request));
  const auto& [id, page] = parent;
  GRADELINE_ASSIGN_OR_RETURN(const Page<AttemptRow> attempts, experiments->ListAttempts(id, page.size, page.after));
  GRADELINE_ASSIGN_OR_RETURN(const Experiment experiment, experiments->GetExperiment(id));
  v1::ListAttemptsResponse response;
  for (const AttemptRow& attempt : attempts.items) *response.add_attempts() = ToProto(attempt, experiment);
  response.set_next_page_token(NextPageToken(page, attempts.next));
  return response;
}

}  // namespace

grpc::ServerUnaryReactor* ExperimentServiceImpl::CreateExperiment(grpc::CallbackServerContext* context,
                                                                  const v1::CreateExperimentRequest* request,
                                                                  v1::Experiment* response) {
  return calls_->Answer(context, "ExperimentService/CreateExperiment", request, response,
                        [this, request] { return Create(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::CloneExperiment(grpc::CallbackServerContext* context,
                                                                 const v1::CloneExperimentRequest* request,
                                                                 v1::Experiment* response) {
  return calls_->Answer(context, "ExperimentService/CloneExperiment", request, response,
                        [this, request] { return Clone(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::UpdateExperiment(grpc::CallbackServerContext* context,
                                                                  const v1::UpdateExperimentRequest* request,
                                                                  v1::Experiment* response) {
  return calls_->Answer(context, "ExperimentService/UpdateExperiment", request, response,
                        [this, request] { return Update(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::DeleteExperiment(grpc::CallbackServerContext* context,
                                                                  const v1::DeleteExperimentRequest* request,
                                                                  v1::Experiment* response) {
  return calls_->Answer(context, "ExperimentService/DeleteExperiment", request, response,
                        [this, request] { return Delete(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::UndeleteExperiment(grpc::CallbackServerContext* context,
                                                                    const v1::UndeleteExperimentRequest* request,
                                                                    v1::Experiment* response) {
  return calls_->Answer(context, "ExperimentService/UndeleteExperiment", request, response,
                        [this, request] { return Undelete(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::GetExperiment(grpc::CallbackServerContext* context,
                                                               const v1::GetExperimentRequest* request,
                                                               v1::Experiment* response) {
  return calls_->Answer(context, "ExperimentService/GetExperiment", request, response,
                        [this, request] { return Get(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::ListExperiments(grpc::CallbackServerContext* context,
                                                                 const v1::ListExperimentsRequest* request,
                                                                 v1::ListExperimentsResponse* response) {
  return calls_->Answer(context, "ExperimentService/ListExperiments", request, response,
                        [this, request] { return List(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::StartExperiment(grpc::CallbackServerContext* context,
                                                                 const v1::StartExperimentRequest* request,
                                                                 v1::StartExperimentResponse* response) {
  return calls_->Answer(context, "ExperimentService/StartExperiment", request, response,
                        [this, request] { return Start(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::ResumeExperiment(grpc::CallbackServerContext* context,
                                                                  const v1::ResumeExperimentRequest* request,
                                                                  v1::StartExperimentResponse* response) {
  return calls_->Answer(context, "ExperimentService/ResumeExperiment", request, response,
                        [this, request] { return Resume(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::ListAttempts(grpc::CallbackServerContext* context,
                                                              const v1::ListAttemptsRequest* request,
                                                              v1::ListAttemptsResponse* response) {
  return calls_->Answer(context, "ExperimentService/ListAttempts", request, response,
                        [this, request] { return Attempts(experiments_, *request); });
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::CancelExperiment(grpc::CallbackServerContext* context,
                                                                  const v1::CancelExperimentRequest* request,
                                                                  v1::Experiment* response) {
  return calls_->Answer(context, "ExperimentService/CancelExperiment", request, response,
                        [this, request] { return Cancel(experiments_, *request); });
}

grpc::ServerWriteReactor<v1::WatchExperimentResponse>* ExperimentServiceImpl::WatchExperiment(
    grpc::CallbackServerContext*, const v1::WatchExperimentRequest* request) {
  return WatchStream::Open(experiments_, calls_, *request);
}

grpc::ServerUnaryReactor* ExperimentServiceImpl::ListEpochs(grpc::CallbackServerContext* context,
                                                            const v1::ListEpochsRequest* request,
                                                            v1::ListEpochsResponse* response) {
  return calls_->Answer(context, "ExperimentService/ListEpochs", request, response,
                        [this, request] { return Epochs(experiments_, *request); });
}

}  // namespace gradeline

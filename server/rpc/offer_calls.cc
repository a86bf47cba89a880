#include "server/rpc/offer_calls.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/core/experiment/resolve_training.h"
#include "server/rpc/list_page.h"
#include "server/wire/catalog.h"
#include "server/wire/params.h"

namespace gradeline {
namespace {

std::string IdOfChoice(const ChoiceInfo* choice) { return choice->id; }

std::vector<const ChoiceInfo*> Pointers(const std::vector<ChoiceInfo>& choices) {
  std::vector<const ChoiceInfo*> pointers;
  for (const ChoiceInfo& choice : choices) pointers.push_back(&choice);
  return pointers;
}

}  // namespace

absl::StatusOr<v1::ListSolversResponse> ListSolversPage(const Catalog& catalog, const v1::ListSolversRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOf(request));
  v1::ListSolversResponse response;
  response.set_next_page_token(
      AddPage(page, Pointers(catalog.offer().solvers), IdOfChoice,
              [&](const ChoiceInfo* solver) { *response.add_solvers() = SolverToProto(*solver); }));
  return response;
}

absl::StatusOr<v1::ListSchedulersResponse> ListSchedulersPage(const Catalog& catalog,
                                                              const v1::ListSchedulersRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOf(request));
  v1::ListSchedulersResponse response;
  response.set_next_page_token(
      AddPage(page, Pointers(catalog.offer().schedulers), IdOfChoice,
              [&](const ChoiceInfo* scheduler) { *response.add_schedulers() = SchedulerToProto(*scheduler); }));
  return response;
}

absl::StatusOr<v1::ListAugmentationsResponse> ListAugmentationsPage(const Catalog& catalog,
                                                                    const v1::ListAugmentationsRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOfTask(catalog, request));
  std::vector<const ChoiceInfo*> fitting = Pointers(catalog.offer().augmentations);
  std::erase_if(fitting, [&request](const ChoiceInfo* augmentation) {
    const auto& tasks = augmentation->tasks;
    return !request.task().empty() && std::find(tasks.begin(), tasks.end(), request.task()) == tasks.end();
  });
  v1::ListAugmentationsResponse response;
  response.set_next_page_token(AddPage(page, std::move(fitting), IdOfChoice, [&](const ChoiceInfo* augmentation) {
    *response.add_augmentations() = AugmentationToProto(*augmentation);
  }));
  return response;
}

absl::StatusOr<v1::ListTrainingParametersResponse> ListTrainingParametersPage(
    const Catalog& catalog, const v1::ListTrainingParametersRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOf(request));
  v1::ListTrainingParametersResponse response;
  response.set_next_page_token(AddPage(
      page, catalog.offer().training, [](const ParamSpec& spec) { return spec.name; },
      [&](const ParamSpec& spec) { *response.add_parameters() = ToProto(spec); }));
  return response;
}

absl::StatusOr<v1::PreviewScheduleResponse> Preview(const Catalog& catalog, const v1::PreviewScheduleRequest& request) {
  Violations violations;
  SchedulePreview preview;
  preview.scheduler = request.scheduler();
  preview.params = ParamsFromProto("parameters", request.parameters(), &violations);
  preview.learning_rate = request.learning_rate();
  preview.epochs = request.epochs();
  preview.losses.assign(request.losses().begin(), request.losses().end());
  const absl::StatusOr<std::vector<Rate>> rates = PreviewRates(catalog, std::move(preview));
  violations.MergeRest("", rates.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  v1::PreviewScheduleResponse response;
  for (const Rate& rate : *rates) {
    v1::ScheduledRate* out = response.add_rates();
    out->set_epoch(response.rates_size() - 1);
    out->set_learning_rate(rate.learning_rate);
    if (rate.momentum) out->set_momentum(*rate.momentum);
  }
  return response;
}

}  // namespace gradeline

// The calls of CatalogService about what trainings are made of.
#ifndef GRADELINE_SERVER_RPC_OFFER_CALLS_H_
#define GRADELINE_SERVER_RPC_OFFER_CALLS_H_

#include "absl/status/statusor.h"
#include "gradeline/v1/catalog.pb.h"
#include "server/core/loss/catalog.h"

namespace gradeline {

absl::StatusOr<v1::ListSolversResponse> ListSolversPage(const Catalog& catalog, const v1::ListSolversRequest& request);
absl::StatusOr<v1::ListSchedulersResponse> ListSchedulersPage(const Catalog& catalog,
                                                              const v1::ListSchedulersRequest& request);
absl::StatusOr<v1::ListAugmentationsResponse> ListAugmentationsPage(const Catalog& catalog,
                                                                    const v1::ListAugmentationsRequest& request);
absl::StatusOr<v1::ListTrainingParametersResponse> ListTrainingParametersPage(
    const Catalog& catalog, const v1::ListTrainingParametersRequest& request);
absl::StatusOr<v1::PreviewScheduleResponse> Preview(const Catalog& catalog, const v1::PreviewScheduleRequest& request);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_OFFER_CALLS_H_

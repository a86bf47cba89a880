// ListMetrics: the metrics that a task offers and that an architecture's heads can have.
#ifndef GRADELINE_SERVER_RPC_METRIC_LIST_H_
#define GRADELINE_SERVER_RPC_METRIC_LIST_H_

#include "absl/status/statusor.h"
#include "gradeline/v1/catalog.pb.h"
#include "server/core/loss/catalog.h"

namespace gradeline {

/// All violations at once: "task", "architecture", "head", those of the page.
absl::StatusOr<v1::ListMetricsResponse> ListMetricsPage(const Catalog& catalog, const v1::ListMetricsRequest& request);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_METRIC_LIST_H_

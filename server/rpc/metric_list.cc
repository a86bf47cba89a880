#include "server/rpc/metric_list.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/metric/metric.h"
#include "server/rpc/list_page.h"
#include "server/wire/metric.h"

namespace gradeline {
namespace {

// A head or an evaluation: where a metric can be computed.
struct Place {
  std::string id, base, signal;
};

// Those that metrics are asked for, of the architecture with its parameters at their defaults.
absl::StatusOr<std::vector<Place>> PlacesOf(const Catalog& catalog, const v1::ListMetricsRequest& request) {
  Violations violations;
  std::vector<Place> places;
  if (request.architecture().empty()) {
    if (!request.head().empty()) {
      violations.Add("architecture", absl::StrCat("is missing; head \"", request.head(), "\" needs one"));
    }
    GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
    return places;
  }
  const std::string& task = catalog.FindTask(request.task()).ok() ? request.task() : "";
  const auto architecture = catalog.FindArchitecture(task, request.architecture());
  violations.MergeRest("architecture", architecture.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<Head> heads, catalog.ResolveHeads(**architecture, {}));
  for (const Head& head : heads) places.push_back({head.id, head.base, head.signal});
  for (const EvaluationInfo& evaluation : (*architecture)->evaluations) {
    places.push_back({evaluation.id, evaluation.id, evaluation.signal});
  }
  if (request.head().empty()) return places;
  const std::vector<Place> all = places;
  std::erase_if(places, [&](const Place& place) { return place.id != request.head() && place.base != request.head(); });
  if (!places.empty()) return places;
  violations.Add("head",
                 absl::StrCat("\"", request.head(), "\" is not a head of ", request.architecture(), "; there are ",
                              absl::StrJoin(all, ", ", [](std::string* out, const Place& place) {
                                absl::StrAppend(out, place.id);
                              })));
  return violations.ToStatus();
}

}  // namespace

absl::StatusOr<v1::ListMetricsResponse> ListMetricsPage(const Catalog& catalog, const v1::ListMetricsRequest& request) {
  Violations violations;
  const absl::StatusOr<std::vector<Place>> places = PlacesOf(catalog, request);
  const absl::StatusOr<PageRequest> page = PageOfTask(catalog, request);
  violations.MergeRest("", page.status());
  violations.MergeRest("", places.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  std::vector<v1::Metric> fitting;
  for (const Metric& metric : Metrics()) {
    std::vector<std::string> tasks;
    for (const TaskInfo& task : catalog.tasks()) {
      if (std::find(task.metrics.begin(), task.metrics.end(), metric.id) != task.metrics.end())
        tasks.push_back(task.id);
    }
    v1::Metric proto = ToProto(metric, tasks);
    for (const Place& place : *places) {
      if (CheckSignal(metric, place.signal).ok()) proto.add_heads(place.id);
    }
    const bool of_task = request.task().empty() || std::find(tasks.begin(), tasks.end(), request.task()) != tasks.end();
    const bool of_head = request.architecture().empty() || proto.heads_size() > 0;
    if (of_task && of_head) fitting.push_back(std::move(proto));
  }
  v1::ListMetricsResponse response;
  response.set_next_page_token(AddPage(
      *page, std::move(fitting), [](const v1::Metric& metric) { return metric.name(); },
      [&](const v1::Metric& metric) { *response.add_metrics() = metric; }));
  return response;
}

}  // namespace gradeline

// Metrics and what they come to: core values to gradeline.v1.
#ifndef GRADELINE_SERVER_WIRE_METRIC_H_
#define GRADELINE_SERVER_WIRE_METRIC_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "gradeline/v1/catalog.pb.h"
#include "gradeline/v1/epoch.pb.h"
#include "gradeline/v1/tensor.pb.h"
#include "server/core/metric/metric.h"

namespace gradeline {

/// `tasks`: those whose catalog entry names the metric.
v1::Metric ToProto(const Metric& metric, const std::vector<std::string>& tasks);

/// `name`: as ChosenMetric names it. `details`: curves and matrix too.
v1::MetricValue ToProto(const std::string& head, const std::string& name, const MetricResult& result, bool details);

/// Views into the memory of `tensors`, which must outlive them. INVALID_ARGUMENT with all violations: "inputs[i].name"
/// of a name that comes twice or is not allowed, "inputs.NAME..." of what is wrong with one.
absl::StatusOr<std::vector<NamedTensor>> MetricInputsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Tensor>& tensors, const std::vector<MetricInput>& allowed);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_METRIC_H_

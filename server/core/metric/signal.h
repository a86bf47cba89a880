// Which signal a batch is of, where nobody says.
#ifndef GRADELINE_SERVER_CORE_METRIC_SIGNAL_H_
#define GRADELINE_SERVER_CORE_METRIC_SIGNAL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/metric/metric.h"

namespace gradeline {

/// `asked` if the metric can be computed of it. Empty: the metric's only signal, or the one of its signals that the
/// shapes and types of prediction and target fit; where several do, the first of multiclass, binary, multilabel and
/// their pixel forms. INVALID_ARGUMENT, field "signal", if none is clear, FAILED_PRECONDITION if the metric cannot be
/// computed of it.
absl::StatusOr<std::string> SignalOf(const Metric& metric, const std::string& asked,
                                     const std::vector<NamedTensor>& tensors);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_SIGNAL_H_

// A classification experiment on 30 items of three classes, as tests and benchmarks need one to join.
#ifndef GRADELINE_TESTS_CLI_SMALL_EXPERIMENT_H_
#define GRADELINE_TESTS_CLI_SMALL_EXPERIMENT_H_

#include <string>

#include "absl/types/span.h"
#include "client/cpp/connection.h"

namespace gradeline::testing {

/// Makes datasets/{id}, splits/{id} and experiments/{id}, and starts the experiment; gives the attempt's token. Aborts
/// with the reason if the server refuses. `training`: further fields of the experiment's.
std::string StartSmallExperiment(client::Connection& connection, const std::string& id, int world_size, int epochs,
                                 int batch_size, const v1::Training& training = v1::Training());

/// A batch for it, of 3 classes: `labels.size()` rows of logits. Wants gradients.
v1::Batch SmallBatch(v1::Phase phase, int64_t epoch, int64_t step, absl::Span<const float> logits,
                     absl::Span<const int64_t> labels);

}  // namespace gradeline::testing

#endif  // GRADELINE_TESTS_CLI_SMALL_EXPERIMENT_H_

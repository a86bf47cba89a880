// A classification experiment on 30 items of three classes, as tests and benchmarks need one to join.
#ifndef GRADELINE_TESTS_CLI_SMALL_EXPERIMENT_H_
#define GRADELINE_TESTS_CLI_SMALL_EXPERIMENT_H_

#include <string>

#include "client/cpp/connection.h"

namespace gradeline::testing {

/// Makes datasets/{id}, splits/{id} and experiments/{id}, and starts the experiment; gives the attempt's token. Aborts
/// with the reason if the server refuses.
std::string StartSmallExperiment(client::Connection& connection, const std::string& id, int world_size, int epochs,
                                 int batch_size);

}  // namespace gradeline::testing

#endif  // GRADELINE_TESTS_CLI_SMALL_EXPERIMENT_H_

// What CreateExperiment says of an experiment that a test changes.
#ifndef GRADELINE_TESTS_INTEGRATION_CREATION_FIXTURE_H_
#define GRADELINE_TESTS_INTEGRATION_CREATION_FIXTURE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/server_fixture.h"

namespace gradeline {

inline Refusal Invalid(std::vector<std::string> texts) {
  return {absl::StatusCode::kInvalidArgument, std::move(texts)};
}
inline const Refusal kOk{absl::StatusCode::kOk, {}};

class CreationTest : public ServerTest {
 protected:
  Refusal Created(const std::function<void(v1::Experiment&)>& change, const std::string& request_id = "") {
    MakeSplit();
    v1::CreateExperimentRequest request;
    *request.mutable_experiment() = ExperimentNamed("new", 1, 1);
    request.set_request_id(request_id);
    request.set_validate_only(true);
    change(*request.mutable_experiment());
    return Refused<v1::Experiment>(&v1::ExperimentService::Stub::CreateExperiment, experiment_, request);
  }
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_INTEGRATION_CREATION_FIXTURE_H_

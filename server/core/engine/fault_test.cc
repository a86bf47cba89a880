// What is said of a value that a loss refuses by itself.
#include <gtest/gtest.h>

#include "server/core/base/status.h"
#include "server/core/engine/engine.h"
#include "server/core/engine/test_batch.h"

namespace gradeline {
namespace {

TEST(FaultTest, ShowsTheNumbersOfABoxThatALossRefuses) {
  const std::shared_ptr<const LossRegistry> registry = RegistryWith();
  Engine engine({.threads = 1});
  const TestTensor prediction(DType::kF32, {3, 4}, {0, 0, 1, 1, 0, 0, 2, 2, 5, 0.25, 3, 1});
  const TestTensor target(DType::kF32, {3, 4}, {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1});
  const LossCall call = MakeCall(Handle(*registry, "bounding_box_regression", {{"type", std::string("giou")}}),
                                 {{"prediction", &prediction}, {"target", &target}});
  const std::vector<FieldViolation> violations = FieldViolationsOf(engine.Run(call).status());
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "inputs.prediction");
  EXPECT_EQ(violations[0].description, "item [2] is [5, 0.25, 3, 1]: x2 < x1; allowed: x1 <= x2");
}

}  // namespace
}  // namespace gradeline

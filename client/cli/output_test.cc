#include "client/cli/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "client/cli/exit_code.h"
#include "client/cli/near_names.h"
#include "client/cli/resources.h"
#include "client/cpp/status.h"
#include "gradeline/v1/training.pb.h"

namespace gradeline::cli {
namespace {

TEST(Json, PrintsDefaultsRoundTripDigitsAndNan) {
  v1::LossValue value;
  value.set_loss(0.1 + 0.2);
  (*value.mutable_components())["cross_entropy"].set_numerator(std::nan(""));
  EXPECT_EQ(
      ToJson(value, false),
      "{\"loss\":0.30000000000000004,\"validCount\":0,\"empty\":false,\"components\":{\"cross_entropy\":{\"loss\":0,"
      "\"weight\":0,\"numerator\":\"NaN\",\"denominator\":0,\"divisor\":0}},\"average\":0}");
}

TEST(Json, OrdersTheEntriesOfMaps) {
  v1::EvaluateLossRequest request;
  for (const char* key : {"q", "b", "z", "a", "m", "c", "y", "d"}) {
    (*request.mutable_params()->mutable_fields())[key].set_number_value(1);
  }
  EXPECT_THAT(ToJson(request, false),
              testing::HasSubstr(R"("params":{"a":1,"b":1,"c":1,"d":1,"m":1,"q":1,"y":1,"z":1})"));
}

TEST(Table, AlignsAndShowsEmptyCells) {
  std::ostringstream out;
  PrintTable({"A", "LONG"}, {{"wide cell", ""}, {"x", "y"}}, out);
  EXPECT_EQ(out.str(), "A          LONG\nwide cell  -\nx          y\n");
  std::ostringstream nothing;
  PrintTable({"A"}, {}, nothing);
  EXPECT_EQ(nothing.str(), "");
}

TEST(List, EveryForm) {
  v1::ListTasksResponse response;
  response.add_tasks()->set_name("tasks/a");
  response.add_tasks()->set_name("tasks/b");
  const auto print = [&](OutputForm form) {
    std::ostringstream out;
    PrintList(response, LookOf("task"), form, out);
    return out.str();
  };
  EXPECT_EQ(print(OutputForm::kName), "a\nb\n");
  EXPECT_EQ(print(OutputForm::kYaml), "tasks:\n  - name: tasks/a\n  - name: tasks/b\n");
  EXPECT_EQ(print(OutputForm::kTable), "TASK  TITLE  METRICS\na     -      -\nb     -      -\n");
  EXPECT_EQ(print(OutputForm::kJsonl),
            "{\"name\":\"tasks/a\",\"title\":\"\",\"description\":\"\",\"metrics\":[]}\n"
            "{\"name\":\"tasks/b\",\"title\":\"\",\"description\":\"\",\"metrics\":[]}\n");
}

TEST(Words, ShortOnes) {
  EXPECT_EQ(ShortEnum("EXPERIMENT_STATE_", "EXPERIMENT_STATE_EARLY_STOPPED"), "early-stopped");
  EXPECT_EQ(ShortNumber(1.0 / 3), "0.333333");
  EXPECT_EQ(IdOf("experiments/a"), "a");
  EXPECT_EQ(IdOf("a"), "a");
}

TEST(ExitCodes, OnePerKindOfError) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("x")), 1);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("x")), 1);
  EXPECT_EQ(ExitCodeOf(UsageError("x")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("x")), 3);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("x")), 4);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("x")), 4);
  EXPECT_EQ(ExitCodeOf(absl::AlreadyExistsError("x")), 5);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("x")), 5);
  EXPECT_EQ(ExitCodeOf(absl::AbortedError("x")), 5);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("x")), 6);
  EXPECT_EQ(ExitCodeOf(absl::OutOfRangeError("x")), 6);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("x")), 7);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("x")), 7);
  EXPECT_EQ(ExitCodeOf(EndedOtherwiseError("x")), 8);
}

TEST(Errors, ForPeopleAndForPrograms) {
  const absl::Status status = client::InvalidFields({{"a.b", "is 1"}, {"c", "is 2"}});
  std::ostringstream people, programs, usage;
  PrintError(status, OutputForm::kTable, people);
  EXPECT_EQ(people.str(), "gradeline: the request has 2 problems:\n  a.b: is 1\n  c: is 2\n");
  PrintError(status, OutputForm::kJson, programs);
  EXPECT_THAT(programs.str(), testing::StartsWith("{\"error\":{\"code\":3,"));
  EXPECT_THAT(programs.str(), testing::HasSubstr("\"field\":\"a.b\",\"description\":\"is 1\""));
  PrintError(UsageError("x"), OutputForm::kJson, usage);
  EXPECT_THAT(usage.str(), testing::HasSubstr("\"details\":[]"));
}

TEST(NearNames, NearestFirst) {
  const std::vector<std::string> known = {"losses", "tasks", "epochs", "experiments"};
  EXPECT_THAT(NearNames("losss", known), testing::ElementsAre("losses"));
  EXPECT_THAT(NearNames("exp", known), testing::ElementsAre("experiments"));
  EXPECT_THAT(NearNames("epoch", known), testing::ElementsAre("epochs"));
  EXPECT_THAT(NearNames("zzz", known), testing::IsEmpty());
  EXPECT_EQ(Suggestion("zzz", {"a", "b"}), "; known are a, b");
  EXPECT_EQ(Suggestion("tsks", known), "; did you mean \"tasks\"?");
  EXPECT_EQ(Suggestion("x", {}), "");
}

}  // namespace
}  // namespace gradeline::cli

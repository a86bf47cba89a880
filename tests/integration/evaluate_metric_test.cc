// EvaluateMetric: values, and every field with wrong values.
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;

class EvaluateMetric : public ServerTest {
 protected:
  using Change = std::function<void(v1::EvaluateMetricRequest&)>;

  static v1::EvaluateMetricRequest Request() {
    v1::EvaluateMetricRequest request;
    request.set_metric("accuracy");
    *request.add_inputs() = F32("prediction", {3, 3}, {1, 2, 3, 1, 2, 3, 3, 2, 1});
    *request.add_inputs() = I64("target", {3}, {2, 0, 0});
    return request;
  }
  absl::Status Run(const Change& change, v1::EvaluateMetricResponse* response) {
    v1::EvaluateMetricRequest request = Request();
    change(request);
    return Call(&v1::TrainingService::Stub::EvaluateMetric, training_, request, response);
  }
  v1::MetricValue ValueOf(const Change& change) {
    v1::EvaluateMetricResponse response;
    const absl::Status status = Run(change, &response);
    EXPECT_TRUE(status.ok()) << status;
    return response.value();
  }
  Refusal Refused(const Change& change) {
    v1::EvaluateMetricResponse response;
    return RefusalOf(Run(change, &response));
  }
};

Refusal Invalid(std::vector<std::string> texts) { return {StatusCode::kInvalidArgument, std::move(texts)}; }

void Set(v1::EvaluateMetricRequest& request, const char* param, double value) {
  (*request.mutable_params()->mutable_fields())[param].set_number_value(value);
}

TEST_F(EvaluateMetric, ValuesWithParametersInEitherPlace) {
  const v1::MetricValue plain = ValueOf([](auto&) {});
  EXPECT_DOUBLE_EQ(plain.value(), 2.0 / 3);
  EXPECT_EQ(plain.count(), 3);
  EXPECT_EQ(plain.metric(), "accuracy");
  EXPECT_EQ(ValueOf([](auto& r) { Set(r, "k", 3); }).value(), 1);
  const v1::MetricValue behind = ValueOf([](auto& r) { r.set_metric("accuracy(k=3)"); });
  EXPECT_EQ(behind.value(), 1);
  EXPECT_EQ(behind.metric(), "accuracy(k=3)");
  EXPECT_EQ(ValueOf([](auto& r) { r.set_ignore_index(0); }).count(), 1);
  EXPECT_EQ(ValueOf([](auto& r) { r.set_signal("pixel-multiclass"); }).count(), 3);
}

TEST_F(EvaluateMetric, CurvesAndMatricesCome) {
  const v1::MetricValue matrix = ValueOf([](auto& r) { r.set_metric("confusion_matrix"); });
  EXPECT_EQ(matrix.matrix().rows(), 3);
  EXPECT_THAT(matrix.matrix().cells(), testing::ElementsAre(1, 0, 1, 0, 0, 0, 0, 0, 1));
  const v1::MetricValue curve = ValueOf([](auto& r) { r.set_metric("precision_recall_curve"); });
  EXPECT_GT(curve.curves_size(), 0);
}

TEST_F(EvaluateMetric, BadRequests) {
  EXPECT_EQ(Refused([](auto& r) { r.set_metric("acuracy"); }),
            (Refusal{StatusCode::kNotFound, {"no metric acuracy; did you mean accuracy?"}}));
  EXPECT_EQ(Refused([](auto& r) { r.set_metric("accuracy(k"); }),
            Invalid({"params: \"accuracy(k\" does not end with a )"}));
  EXPECT_EQ(Refused([](auto& r) { Set(r, "k", 0.5), Set(r, "beta", 1); }),
            Invalid({"params.k: is 0.5; allowed: integers in [1, 100000]", "params.beta: is no parameter; known: k"}));
  EXPECT_EQ(Refused([](auto& r) { r.set_metric("accuracy(k=2)"), Set(r, "k", 2); }),
            Invalid({"params.k: is given twice"}));
  EXPECT_EQ(Refused([](auto& r) {
              r.mutable_inputs(0)->set_name("scores");
              r.mutable_inputs(1)->set_data("short");
            }),
            Invalid({"inputs[0].name: \"scores\" is no input; allowed: prediction, target",
                     "inputs.target.data: has 5 bytes; shape [3] of i64 needs 24"}));
  for (const auto& [metric, shown] : {std::pair("accuracy", "0"), std::pair("accuracy(k=0)", "\"0\"")}) {
    EXPECT_EQ(Refused([metric = metric](auto& r) {
                r.set_metric(metric);
                if (r.metric() == "accuracy") Set(r, "k", 0);
                r.mutable_inputs(0)->set_name("scores");
              }),
              Invalid({absl::StrCat("params.k: is ", shown, "; allowed: integers in [1, 100000]"),
                       "inputs[0].name: \"scores\" is no input; allowed: prediction, target"}));
  }
  EXPECT_EQ(Refused([](auto& r) { r.clear_inputs(); }),
            Invalid({"signal: is not clear from the inputs; allowed: multiclass, pixel-multiclass"}));
  EXPECT_EQ(
      Refused([](auto& r) { r.set_signal("box"); }),
      (Refusal{StatusCode::kFailedPrecondition,
               {"metric accuracy cannot be computed from signal box; it can from multiclass, pixel-multiclass"}}));
  EXPECT_EQ(Refused([](auto& r) {
              *r.mutable_inputs(1) = I64("target", {3}, {2, 3, 0});
            }),
            Invalid({"inputs.target: is 3 at item 1; allowed: 0 to 2, and -100, which is ignored"}));
}

}  // namespace
}  // namespace gradeline

// Weighted sums of losses over a real connection: EvaluateLoss, and an experiment from its losses to its seals. One of
// the losses comes from a plugin's file.
#include <cmath>
#include <cstring>

#include "gmock/gmock.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using v1::TrainResponse;

const std::vector<float> kPrediction = {0.5, -1, 2, 0.25}, kTarget = {1, 0, 2, -2};

class Sum : public ServerTest {
 protected:
  Sum() : ServerTest({"plugins.directories=[" GRADELINE_BINARY_DIR "/plugins/example]"}) {}

  static google::protobuf::Value Number(double number) {
    google::protobuf::Value value;
    value.set_number_value(number);
    return value;
  }
  static v1::EvaluateLossRequest Request(const std::string& loss) {
    v1::EvaluateLossRequest request;
    request.set_loss(loss);
    *request.add_inputs() = F32("prediction", {4}, kPrediction);
    *request.add_inputs() = F32("target", {4}, kTarget);
    request.set_gradient(true);
    return request;
  }
  v1::EvaluateLossResponse Evaluated(const v1::EvaluateLossRequest& request) {
    v1::EvaluateLossResponse response;
    const absl::Status status = Call(&v1::TrainingService::Stub::EvaluateLoss, training_, request, &response);
    EXPECT_TRUE(status.ok()) << status;
    return response;
  }
  static std::vector<float> Floats(const std::string& bytes) {
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  Refusal Refused(const v1::EvaluateLossRequest& request) {
    v1::EvaluateLossResponse response;
    return RefusalOf(Call(&v1::TrainingService::Stub::EvaluateLoss, training_, request, &response));
  }
  /// A split of the fixture's dataset for regression, and an experiment over it whose head takes `loss`.
  v1::Experiment Regression(const std::string& loss) {
    MakeSplit();
    v1::CreateSplitRequest split;
    split.mutable_split()->set_name("splits/r");
    split.mutable_split()->set_dataset("datasets/d");
    split.mutable_split()->set_task("regression");
    split.mutable_split()->set_strategy(v1::SPLIT_STRATEGY_RANDOM);
    split.mutable_split()->set_train_percent(100);
    v1::Split made;
    const absl::Status status = Call(&v1::SplitService::Stub::CreateSplit, split_, split, &made);
    EXPECT_TRUE(status.ok() || absl::IsAlreadyExists(status)) << status;
    v1::Experiment experiment = ExperimentNamed("sum", 1, 1);
    experiment.set_split("splits/r");
    experiment.set_architecture("mlp");
    experiment.clear_metrics();
    v1::HeadLoss* head = experiment.add_losses();
    head->set_head("value");
    head->set_loss(loss);
    return experiment;
  }
  absl::Status Create(const v1::Experiment& experiment, v1::Experiment* made) {
    v1::CreateExperimentRequest request;
    *request.mutable_experiment() = experiment;
    return Call(&v1::ExperimentService::Stub::CreateExperiment, experiment_, request, made);
  }
};

TEST_F(Sum, EvaluateLossShowsItsTerms) {
  v1::EvaluateLossRequest request = Request("mse+log_cosh");
  (*request.mutable_params()->mutable_fields())["log_cosh.weight"] = Number(0.5);
  (*request.mutable_params()->mutable_fields())["log_cosh.sharpness"] = Number(2);
  const v1::EvaluateLossResponse sum = Evaluated(request);
  v1::EvaluateLossRequest alone = Request("log_cosh");
  (*alone.mutable_params()->mutable_fields())["sharpness"] = Number(2);
  const v1::EvaluateLossResponse mse = Evaluated(Request("mse")), log_cosh = Evaluated(alone);
  EXPECT_DOUBLE_EQ(sum.value().loss(), mse.value().loss() + 0.5 * log_cosh.value().loss());
  EXPECT_DOUBLE_EQ(sum.value().average(), sum.value().loss() / 2);
  EXPECT_DOUBLE_EQ(mse.value().average(), mse.value().loss());
  ASSERT_EQ(sum.value().components_size(), 2);
  EXPECT_EQ(sum.value().components().at("mse").loss(), mse.value().loss());
  EXPECT_EQ(sum.value().components().at("log_cosh").loss(), log_cosh.value().loss());
  EXPECT_EQ(sum.value().components().at("log_cosh").weight(), 0.5);
  ASSERT_EQ(sum.gradients_size(), 1);
  const std::vector<float> a = Floats(mse.gradients(0).data()), b = Floats(log_cosh.gradients(0).data());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(Floats(sum.gradients(0).data())[i], a[i] + 0.5F * b[i], 1e-6) << i;
  }
}

// dice is a family; that the inputs are binary says which of it is meant.
TEST_F(Sum, TheInputsSayWhichOfAFamilyATermIs) {
  v1::EvaluateLossRequest request;
  request.set_loss("binary_cross_entropy+dice");
  *request.add_inputs() = F32("prediction", {1, 1, 2, 2}, kPrediction);
  *request.add_inputs() = I64("target", {1, 1, 2, 2}, {1, 0, 1, 0});
  const v1::EvaluateLossResponse response = Evaluated(request);
  EXPECT_EQ(response.value().components().count("dice"), 1u);
  EXPECT_EQ(response.value().components().at("binary_cross_entropy").denominator(), 4);
}

TEST_F(Sum, EvaluateLossNamesWhatIsWrong) {
  const auto invalid = [](std::vector<std::string> texts) { return Refusal{StatusCode::kInvalidArgument, texts}; };
  EXPECT_EQ(Refused(Request("mse+")), invalid({"loss: \"mse+\" has an empty term; allowed: ids with + between them"}));
  EXPECT_EQ(Refused(Request("mse+mse")), invalid({"loss: has the term mse twice; allowed: once, with mse.weight=2"}));
  EXPECT_EQ(Refused(Request("mse+log_cos")),
            (Refusal{StatusCode::kNotFound, {"there is no loss \"log_cos\"; did you mean log_cosh?"}}));
  v1::EvaluateLossRequest request = Request("mse+log_cosh");
  (*request.mutable_params()->mutable_fields())["log_cosh.sharpness"] = Number(0);
  (*request.mutable_params()->mutable_fields())["mse.weight"] = Number(-1);
  request.set_reduction(v1::REDUCTION_GIVEN);
  request.add_normalisers(1);
  EXPECT_EQ(Refused(request), invalid({"params.mse.weight: is -1; allowed: finite numbers of at least 0",
                                       "params.log_cosh.sharpness: is 0; allowed: numbers in (0, 1e+06]",
                                       "normalisers: has 1 entries; allowed: one per component of the loss, 2"}));
}

TEST_F(Sum, TheCatalogDescribesASum) {
  v1::GetLossRequest request;
  request.set_name("losses/mse+log_cosh");
  v1::Loss loss;
  ASSERT_TRUE(Call(&v1::CatalogService::Stub::GetLoss, catalog_, request, &loss).ok());
  EXPECT_EQ(loss.components_size(), 2);
  EXPECT_EQ(loss.parameters(0).id(), "mse.weight");
  request.set_name("losses/mse+");
  EXPECT_EQ(
      ServerTest::Refused<v1::Loss>(&v1::CatalogService::Stub::GetLoss, catalog_, request),
      (Refusal{StatusCode::kInvalidArgument, {"name: \"mse+\" has an empty term; allowed: ids with + between them"}}));
}

TEST_F(Sum, AnExperimentKeepsTheTermsApartUpToItsSeal) {
  v1::Experiment asked = Regression("mse+log_cosh"), made;
  (*asked.mutable_losses(0)->mutable_params()->mutable_fields())["log_cosh.weight"] = Number(0.5);
  absl::Status status = Create(asked, &made);
  ASSERT_TRUE(status.ok()) << status;
  const v1::ResolvedHead& head = made.heads(0);
  EXPECT_EQ(head.loss(), "mse+log_cosh");
  ASSERT_EQ(head.terms_size(), 2);
  EXPECT_EQ(head.terms(0).plugin_digest(), "built-in");
  EXPECT_EQ(head.terms(1).plugin_digest().size(), 64u) << "SHA-256 of the plugin's file";
  EXPECT_EQ(head.terms(1).weight(), 0.5);
  v1::StartExperimentRequest start;
  start.set_name(made.name());
  v1::StartExperimentResponse started;
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::StartExperiment, experiment_, start, &started).ok());

  RankStream stream(training_.get(), started, 0, 1);
  ASSERT_EQ(stream.welcome().heads(0).head().components_size(), 2);
  EXPECT_EQ(stream.welcome().heads(0).required_size(), 2);
  double mse = 0, log_cosh = 0;
  for (int step = 0; step < 3; ++step) {
    v1::TrainRequest request = RankStream::Batch(step + 1, v1::PHASE_TRAIN, 0, step);
    v1::Batch* batch = request.mutable_batch();
    batch->mutable_key()->set_head("value");
    std::vector<float> prediction = kPrediction;
    prediction[0] += static_cast<float>(step);
    batch->clear_inputs();
    *batch->add_inputs() = F32("prediction", {4}, prediction);
    *batch->add_inputs() = F32("target", {4}, kTarget);
    ASSERT_TRUE(stream.Send(request));
    const v1::Result result = stream.NextOf(TrainResponse::kResult).result();
    const auto& components = result.value().components();
    EXPECT_DOUBLE_EQ(result.value().loss(), components.at("mse").loss() + 0.5 * components.at("log_cosh").loss());
    EXPECT_DOUBLE_EQ(result.value().average(), result.value().loss() / 2);
    EXPECT_EQ(result.record().values_size(), 2);
    EXPECT_EQ(result.gradients_size(), 1);
    mse += components.at("mse").numerator() / 12;
    log_cosh += components.at("log_cosh").numerator() / 12;
  }
  // A batch that overflows one term is refused with the component's name in the sum.
  v1::TrainRequest bad = RankStream::Batch(4, v1::PHASE_TRAIN, 0, 3);
  bad.mutable_batch()->mutable_key()->set_head("value");
  bad.mutable_batch()->clear_inputs();
  for (const char* name : {"prediction", "target"}) {
    v1::Tensor* tensor = bad.mutable_batch()->add_inputs();
    tensor->set_name(name);
    tensor->set_data_type(v1::DATA_TYPE_F64);
    tensor->add_shape(1);
    const double value = name[0] == 'p' ? 1e200 : 0;
    tensor->set_data(std::string(reinterpret_cast<const char*>(&value), sizeof(value)));
  }
  ASSERT_TRUE(stream.Send(bad));
  const v1::Refused refused = stream.NextOf(TrainResponse::kRefused).refused();
  EXPECT_EQ(refused.record().refusal().component(), "mse");
  ASSERT_TRUE(stream.Send(RankStream::EndPhase(5, v1::PHASE_TRAIN, 0, 4)));
  const v1::Epoch epoch = stream.NextOf(TrainResponse::kSealed).sealed().epoch();
  ASSERT_EQ(epoch.components_size(), 2);
  EXPECT_EQ(epoch.components(0).component(), "mse");
  EXPECT_EQ(epoch.components(1).component(), "log_cosh");
  EXPECT_NEAR(epoch.components(0).value(), mse, 1e-12);
  EXPECT_NEAR(epoch.components(1).value(), log_cosh, 1e-12);
  EXPECT_EQ(epoch.components(1).weight(), 0.5);
  EXPECT_NEAR(epoch.loss(), mse + 0.5 * log_cosh, 1e-12);
  EXPECT_NEAR(epoch.average(), epoch.loss() / 2, 1e-15);
  EXPECT_EQ(epoch.first_refused().component(), "mse");
}

TEST_F(Sum, AnExperimentRefusesWhatIsNotValidForTheHead) {
  v1::Experiment made;
  const Refusal refusal = RefusalOf(Create(Regression("mse+cross_entropy+log_cosh"), &made));
  EXPECT_EQ(refusal.code, StatusCode::kFailedPrecondition);
  EXPECT_THAT(refusal.texts,
              testing::ElementsAre(testing::StartsWith(
                  "experiment.losses[0].loss: loss cross_entropy is not valid for head value of task regression: it "
                  "computes the signal multiclass or pixel-multiclass, the head's signal is value; valid: ")));
  EXPECT_EQ(RefusalOf(Create(Regression("mse+mse"), &made)),
            (Refusal{StatusCode::kInvalidArgument,
                     {"experiment.losses[0].loss: has the term mse twice; allowed: once, with mse.weight=2"}}));
}

}  // namespace
}  // namespace gradeline

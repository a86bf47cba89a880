#include "tests/integration/server_fixture.h"

#include <grpcpp/create_channel.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "server/wire/status.h"

namespace gradeline {

absl::Status StatusOf(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status proto;
  EXPECT_TRUE(proto.ParseFromString(status.error_details()));
  EXPECT_EQ(proto.code(), static_cast<int>(status.error_code())) << "no details: " << status.error_message();
  google::rpc::ErrorInfo info;
  EXPECT_TRUE(proto.details_size() > 0 && proto.details(0).UnpackTo(&info)) << status.error_message();
  EXPECT_EQ(info.domain(), "gradeline");
  return proto.code() == 0 ? absl::UnknownError(status.error_message()) : StatusFromProto(proto);
}

Refusal RefusalOf(const absl::Status& status) {
  Refusal refusal{status.code(), {}};
  for (const FieldViolation& violation : FieldViolationsOf(status)) {
    refusal.texts.push_back(violation.field + ": " + violation.description);
  }
  if (refusal.texts.empty() && !status.ok()) refusal.texts.emplace_back(status.message());
  return refusal;
}

void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << absl::StatusCodeToString(refusal.code);
  for (const std::string& text : refusal.texts) *out << "\n    | " << text;
}

v1::Tensor F32(const std::string& name, std::vector<int64_t> shape, std::vector<float> values) {
  v1::Tensor tensor;
  tensor.set_name(name);
  tensor.set_data_type(v1::DATA_TYPE_F32);
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  tensor.set_data(values.data(), values.size() * sizeof(float));
  return tensor;
}

v1::Tensor I64(const std::string& name, std::vector<int64_t> shape, std::vector<int64_t> values) {
  v1::Tensor tensor;
  tensor.set_name(name);
  tensor.set_data_type(v1::DATA_TYPE_I64);
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  tensor.set_data(values.data(), values.size() * sizeof(int64_t));
  return tensor;
}

std::chrono::system_clock::time_point SoonEnough() {
  return std::chrono::system_clock::now() + std::chrono::seconds(60);
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  static std::atomic<int> number{0};
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt("gradeline.test.channel", ++number);  // channels of equal arguments would share a connection
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

// ---- RankStream

RankStream::RankStream(v1::TrainingService::Stub* stub, const v1::StartExperimentResponse& started, int rank,
                       int world_size, std::string instance) {
  context_.set_deadline(SoonEnough());
  stream_ = stub->Train(&context_);
  if (instance.empty()) instance = std::string(16, static_cast<char>('a' + rank));
  if (!Send(Hello(started, rank, world_size, instance))) return;
  v1::TrainResponse response = Next();
  welcome_.Swap(response.mutable_welcome());
}

RankStream::~RankStream() {
  if (finished_) return;
  Cancel();
  stream_->Finish();
}

v1::TrainResponse RankStream::Next() {
  v1::TrainResponse response;
  if (!stream_->Read(&response)) response.Clear();
  return response;
}

v1::TrainResponse RankStream::NextOf(v1::TrainResponse::MessageCase kind) {
  v1::TrainResponse response = Next();
  while ((response.has_committed() || response.has_ranks()) && response.message_case() != kind) response = Next();
  EXPECT_EQ(response.message_case(), kind) << response.ShortDebugString();
  return response;
}

std::vector<v1::TrainResponse> RankStream::NextCommitted(int64_t seq) {
  std::vector<v1::TrainResponse> answers;
  while (true) {
    v1::TrainResponse response = Next();
    if (response.has_committed() && response.committed().seq() >= seq) return answers;
    if (response.message_case() == v1::TrainResponse::MESSAGE_NOT_SET) {
      ADD_FAILURE() << "the stream ended before seq " << seq << " was committed";
      return answers;
    }
    if (!response.has_committed() && !response.has_ranks()) answers.push_back(std::move(response));
  }
}

absl::Status RankStream::Finish() {
  stream_->WritesDone();
  while (Next().message_case() != v1::TrainResponse::MESSAGE_NOT_SET) {
  }
  finished_ = true;
  return StatusOf(stream_->Finish());
}

v1::TrainRequest RankStream::Hello(const v1::StartExperimentResponse& started, int rank, int world_size,
                                   const std::string& instance) {
  v1::TrainRequest request;
  v1::Hello* hello = request.mutable_hello();
  hello->set_experiment(started.experiment().name());
  hello->set_attempt_token(started.attempt_token());
  hello->set_rank(rank);
  hello->set_world_size(world_size);
  hello->set_instance(instance);
  return request;
}

v1::TrainRequest RankStream::Batch(int64_t seq, v1::Phase phase, int64_t epoch, int64_t step) {
  v1::TrainRequest request;
  v1::Batch* batch = request.mutable_batch();
  batch->set_seq(seq);
  batch->mutable_key()->set_phase(phase);
  batch->mutable_key()->set_epoch(epoch);
  batch->mutable_key()->set_step(step);
  batch->mutable_key()->set_head("classification");
  const auto number = static_cast<float>(step);
  *batch->add_inputs() = F32("prediction", {2, 3}, {1, 2, 3, number, 0, 1});
  *batch->add_inputs() = I64("target", {2}, {2, 0});
  batch->set_gradient(phase == v1::PHASE_TRAIN);
  return request;
}

v1::TrainRequest RankStream::EndPhase(int64_t seq, v1::Phase phase, int64_t epoch, int64_t records) {
  v1::TrainRequest request;
  request.mutable_end_phase()->set_seq(seq);
  request.mutable_end_phase()->set_phase(phase);
  request.mutable_end_phase()->set_epoch(epoch);
  request.mutable_end_phase()->set_records(records);
  return request;
}

v1::TrainRequest RankStream::Bye(int64_t seq) {
  v1::TrainRequest request;
  request.mutable_bye()->set_seq(seq);
  return request;
}

v1::TrainRequest RankStream::Replay(const v1::Record& record) {
  v1::TrainRequest request;
  *request.mutable_replay()->mutable_record() = record;
  return request;
}

// ---- ServerTest

ServerTest::ServerTest(std::vector<std::string> settings) : server_(std::move(settings)) {
  EXPECT_TRUE(server_.listening()) << server_.log();
  channel_ = Connect(server_.grpc());
  catalog_ = v1::CatalogService::NewStub(channel_);
  dataset_ = v1::DatasetService::NewStub(channel_);
  split_ = v1::SplitService::NewStub(channel_);
  experiment_ = v1::ExperimentService::NewStub(channel_);
  training_ = v1::TrainingService::NewStub(channel_);
  admin_ = v1::AdminService::NewStub(channel_);
}

absl::Status ServerTest::Import(const std::vector<v1::ImportDatasetRequest>& messages, v1::Dataset* dataset) {
  grpc::ClientContext context;
  context.set_deadline(SoonEnough());
  const auto writer = dataset_->ImportDataset(&context, dataset);
  for (const v1::ImportDatasetRequest& message : messages) {
    if (!writer->Write(message)) break;
  }
  writer->WritesDone();
  return StatusOf(writer->Finish());
}

void ServerTest::MakeSplit() {
  v1::GetSplitRequest get;
  get.set_name("splits/s");
  v1::Split split;
  if (Call(&v1::SplitService::Stub::GetSplit, split_, get, &split).ok()) return;
  std::vector<v1::ImportDatasetRequest> messages(3);
  messages[2].mutable_end();
  v1::Dataset* dataset = messages[0].mutable_header()->mutable_dataset();
  dataset->set_name("datasets/d");
  for (const char* name : {"x", "y", "z"}) dataset->add_classes(name);
  for (int i = 0; i < 100; ++i) {
    v1::Item* item = messages[1].mutable_items()->add_items();
    item->set_uri(absl::StrCat("file#", i));
    item->set_label(i % 3);
  }
  v1::Dataset imported;
  ASSERT_TRUE(Import(messages, &imported).ok());
  v1::CreateSplitRequest request;
  request.mutable_split()->set_name("splits/s");
  request.mutable_split()->set_dataset("datasets/d");
  request.mutable_split()->set_task("classification");
  request.mutable_split()->set_strategy(v1::SPLIT_STRATEGY_RANDOM);
  request.mutable_split()->set_train_percent(70);
  request.mutable_split()->set_validation_percent(10);
  request.mutable_split()->set_test_percent(20);
  ASSERT_TRUE(Call(&v1::SplitService::Stub::CreateSplit, split_, request, &split).ok());
}

v1::Experiment ServerTest::ExperimentNamed(const std::string& id, int world_size, int epochs) const {
  v1::Experiment experiment;
  experiment.set_name("experiments/" + id);
  experiment.set_split("splits/s");
  experiment.set_architecture("resnet");
  experiment.add_metrics("accuracy");
  experiment.mutable_training()->set_epochs(epochs);
  experiment.mutable_training()->set_batch_size(2);
  experiment.mutable_training()->set_learning_rate(0.1);
  experiment.mutable_training()->set_world_size(world_size);
  return experiment;
}

v1::StartExperimentResponse ServerTest::Started(const std::string& id, int world_size, int epochs,
                                                const std::vector<std::string>& metrics) {
  MakeSplit();
  v1::CreateExperimentRequest create;
  *create.mutable_experiment() = ExperimentNamed(id, world_size, epochs);
  for (const std::string& metric : metrics) create.mutable_experiment()->add_metrics(metric);
  v1::Experiment experiment;
  absl::Status status = Call(&v1::ExperimentService::Stub::CreateExperiment, experiment_, create, &experiment);
  EXPECT_TRUE(status.ok()) << status;
  v1::StartExperimentRequest start;
  start.set_name(experiment.name());
  v1::StartExperimentResponse started;
  status = Call(&v1::ExperimentService::Stub::StartExperiment, experiment_, start, &started);
  EXPECT_TRUE(status.ok()) << status;
  return started;
}

v1::Experiment ServerTest::Get(const std::string& id) {
  v1::GetExperimentRequest request;
  request.set_name("experiments/" + id);
  v1::Experiment experiment;
  const absl::Status status = Call(&v1::ExperimentService::Stub::GetExperiment, experiment_, request, &experiment);
  EXPECT_TRUE(status.ok()) << status;
  return experiment;
}

std::vector<v1::Epoch> ServerTest::Epochs(const std::string& id) {
  v1::ListEpochsRequest request;
  request.set_parent("experiments/" + id);
  v1::ListEpochsResponse response;
  const absl::Status status = Call(&v1::ExperimentService::Stub::ListEpochs, experiment_, request, &response);
  EXPECT_TRUE(status.ok()) << status;
  return {response.epochs().begin(), response.epochs().end()};
}

}  // namespace gradeline

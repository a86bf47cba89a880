#include "tests/cli/small_experiment.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"

namespace gradeline::testing {
namespace {

void Check(const grpc::Status& status) {
  if (status.ok()) return;
  std::cerr << status.error_message() << "\n";
  std::abort();
}

void ImportItems(client::Connection& connection, const std::string& id) {
  v1::Dataset made;
  grpc::ClientContext call;
  const auto writer = connection.datasets().ImportDataset(&call, &made);
  v1::ImportDatasetRequest message;
  message.mutable_header()->mutable_dataset()->set_name("datasets/" + id);
  for (const char* name : {"a", "b", "c"}) message.mutable_header()->mutable_dataset()->add_classes(name);
  writer->Write(message);
  for (int i = 0; i < 30; ++i) {
    v1::Item* item = message.mutable_items()->add_items();
    item->set_uri(absl::StrCat("none#", i));
    item->set_label(i % 3);
  }
  writer->Write(message);
  message.mutable_end();
  writer->WriteLast(message, grpc::WriteOptions());
  Check(writer->Finish());
}

void CreateSplit(client::Connection& connection, const std::string& id) {
  v1::CreateSplitRequest request;
  request.mutable_split()->set_name("splits/" + id);
  request.mutable_split()->set_dataset("datasets/" + id);
  request.mutable_split()->set_task("classification");
  request.mutable_split()->set_strategy(v1::SPLIT_STRATEGY_RANDOM);
  request.mutable_split()->set_train_percent(70);
  request.mutable_split()->set_validation_percent(10);
  request.mutable_split()->set_test_percent(20);
  v1::Split made;
  grpc::ClientContext call;
  Check(connection.splits().CreateSplit(&call, request, &made));
}

}  // namespace

std::string StartSmallExperiment(client::Connection& connection, const std::string& id, int world_size, int epochs,
                                 int batch_size, const v1::Training& training) {
  ImportItems(connection, id);
  CreateSplit(connection, id);
  v1::CreateExperimentRequest create;
  v1::Experiment& experiment = *create.mutable_experiment();
  experiment.set_name("experiments/" + id);
  experiment.set_split("splits/" + id);
  experiment.set_architecture("small-cnn");
  experiment.add_metrics("accuracy");
  experiment.mutable_training()->set_epochs(epochs);
  experiment.mutable_training()->set_batch_size(batch_size);
  experiment.mutable_training()->set_learning_rate(0.1);
  experiment.mutable_training()->set_world_size(world_size);
  experiment.mutable_training()->MergeFrom(training);
  v1::Experiment made;
  grpc::ClientContext create_call;
  Check(connection.experiments().CreateExperiment(&create_call, create, &made));
  v1::StartExperimentRequest start;
  start.set_name("experiments/" + id);
  v1::StartExperimentResponse started;
  grpc::ClientContext start_call;
  Check(connection.experiments().StartExperiment(&start_call, start, &started));
  return started.attempt_token();
}

v1::Batch SmallBatch(v1::Phase phase, int64_t epoch, int64_t step, absl::Span<const float> logits,
                     absl::Span<const int64_t> labels) {
  v1::Batch batch;
  batch.mutable_key()->set_phase(phase);
  batch.mutable_key()->set_epoch(epoch);
  batch.mutable_key()->set_step(step);
  batch.mutable_key()->set_head("classification");
  const auto rows = static_cast<int64_t>(labels.size());
  v1::Tensor* prediction = batch.add_inputs();
  prediction->set_name("prediction");
  prediction->set_data_type(v1::DATA_TYPE_F32);
  prediction->add_shape(rows);
  prediction->add_shape(static_cast<int64_t>(logits.size()) / rows);
  prediction->set_data(logits.data(), logits.size() * sizeof(float));
  v1::Tensor* target = batch.add_inputs();
  target->set_name("target");
  target->set_data_type(v1::DATA_TYPE_I64);
  target->add_shape(rows);
  target->set_data(labels.data(), labels.size() * sizeof(int64_t));
  batch.set_gradient(true);
  return batch;
}

}  // namespace gradeline::testing

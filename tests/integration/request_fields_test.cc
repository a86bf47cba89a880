// Every field of every request has a test of its wrong values, or a reason why no value of it is wrong.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr char kAnyValue[] = "any value is good";
constexpr char kOutput[] = "output only";

/// The test that has the wrong values, or why there are none -> fields as "Message.field".
const std::map<std::string, std::vector<std::string>> kCovered = {
    {"CatalogFields.PagesOfEveryList",
     {"ListArchitecturesRequest.page_size",
      "ListArchitecturesRequest.page_token",
      "ListDatasetsRequest.page_size",
      "ListDatasetsRequest.page_token",
      "ListExperimentsRequest.page_size",
      "ListExperimentsRequest.page_token",
      "ListLossesRequest.page_size",
      "ListLossesRequest.page_token",
      "ListMetricsRequest.page_size",
      "ListMetricsRequest.page_token",
      "ListPluginsRequest.page_size",
      "ListPluginsRequest.page_token",
      "ListSplitsRequest.page_size",
      "ListSplitsRequest.page_token",
      "ListTasksRequest.page_size",
      "ListTasksRequest.page_token",
      "ListSolversRequest.page_size",
      "ListSolversRequest.page_token",
      "ListSchedulersRequest.page_size",
      "ListSchedulersRequest.page_token",
      "ListAugmentationsRequest.page_size",
      "ListAugmentationsRequest.page_token",
      "ListTrainingParametersRequest.page_size",
      "ListTrainingParametersRequest.page_token"}},
    {"CatalogFields.TaskArchitectureAndHead",
     {"ListArchitecturesRequest.task", "ListLossesRequest.task", "ListLossesRequest.architecture",
      "ListLossesRequest.head", "ListMetricsRequest.task", "ListMetricsRequest.architecture", "ListMetricsRequest.head",
      "ListAugmentationsRequest.task"}},
    {"CatalogFields.PreviewSchedule",
     {"PreviewScheduleRequest.scheduler", "PreviewScheduleRequest.parameters", "PreviewScheduleRequest.learning_rate",
      "PreviewScheduleRequest.epochs", "PreviewScheduleRequest.losses"}},
    {"CatalogFields.LossNames", {"GetLossRequest.name"}},
    {"DataFields.ImportDataset",
     {"ImportDatasetRequest.header", "ImportDatasetRequest.items", "ImportDatasetRequest.end", "Header.dataset",
      "Header.request_id", "Items.items", "Dataset.name", "Dataset.classes", "Dataset.source", "Item.uri",
      "Item.label"}},
    {"DataFields.ItemsOfAnImport", {"Item.labels", "Item.group", "Item.tags", "Item.subset"}},
    {"DataFields.DatasetNames",
     {"GetDatasetRequest.name", "DeleteDatasetRequest.name", "DeleteDatasetRequest.purge",
      "UndeleteDatasetRequest.name"}},
    {"DataFields.CreateSplit",
     {"CreateSplitRequest.split", "CreateSplitRequest.request_id", "Split.name", "Split.dataset", "Split.task",
      "Split.strategy", "Split.train_percent", "Split.validation_percent", "Split.test_percent",
      "GetSplitRequest.name"}},
    {"DataFields.CreateSplitOfDatasets",
     {"Split.datasets", "Split.classes", "Split.tags", "Split.subsets", "Split.dataset_shares", "DatasetShare.dataset",
      "DatasetShare.part", "DatasetShare.percent"}},
    {"DataFields.DeleteSplit", {"DeleteSplitRequest.name", "UndeleteSplitRequest.name"}},
    {"DataFields.ListItems",
     {"ListItemsRequest.parent", "ListItemsRequest.part", "ListItemsRequest.rank", "ListItemsRequest.world_size",
      "ListItemsRequest.page_size", "ListItemsRequest.page_token", "ListItemsRequest.view"}},
    {"ExperimentFields.Names",
     {"CreateExperimentRequest.experiment", "CreateExperimentRequest.request_id", "Experiment.name",
      "Experiment.split"}},
    {"ExperimentFields.Architecture", {"Experiment.architecture", "Experiment.architecture_parameters"}},
    {"ExperimentFields.Losses",
     {"Experiment.losses", "HeadLoss.head", "HeadLoss.loss", "HeadLoss.params", "HeadLoss.weight",
      "HeadLoss.reduction"}},
    {"TrainingChoices.MetricsAndTraining",
     {"Experiment.metrics", "Experiment.training", "Training.epochs", "Training.batch_size", "Training.learning_rate",
      "Training.world_size", "Training.rank_mean", "Training.validation_ranks", "Training.test_ranks",
      "Training.non_finite", "Training.early_stopping", "EarlyStopping.monitor", "EarlyStopping.mode",
      "EarlyStopping.patience", "EarlyStopping.min_delta"}},
    {"ExperimentFields.LabelsAndNotes",
     {"Experiment.labels", "LabelsEntry.key", "LabelsEntry.value", "Experiment.notes"}},
    {"ExperimentFields.Update",
     {"UpdateExperimentRequest.experiment", "UpdateExperimentRequest.update_mask", "UpdateExperimentRequest.request_id",
      "UpdateExperimentRequest.etag"}},
    {"ExperimentFields.CloneDeleteAndUndelete",
     {"CloneExperimentRequest.name", "CloneExperimentRequest.new_name", "CloneExperimentRequest.request_id",
      "DeleteExperimentRequest.name", "DeleteExperimentRequest.request_id", "DeleteExperimentRequest.etag",
      "DeleteExperimentRequest.purge", "UndeleteExperimentRequest.name", "UndeleteExperimentRequest.request_id",
      "UndeleteExperimentRequest.etag"}},
    {"ExperimentFields.FilterAndOrder", {"ListExperimentsRequest.filter", "ListExperimentsRequest.order_by"}},
    {"TrainingChoices.SolverSchedulerAndAugmentations",
     {"Training.solver", "Training.solver_parameters", "Training.scheduler", "Training.scheduler_parameters",
      "Training.augmentations", "ChosenAugmentation.augmentation", "ChosenAugmentation.parameters", "Training.workers",
      "Training.seed", "Training.iterations"}},
    {"ExperimentFields.StartCancelAndResume",
     {"StartExperimentRequest.name", "StartExperimentRequest.request_id", "StartExperimentRequest.etag",
      "CancelExperimentRequest.name", "CancelExperimentRequest.request_id", "CancelExperimentRequest.etag",
      "ResumeExperimentRequest.name", "ResumeExperimentRequest.request_id", "ResumeExperimentRequest.etag",
      "ResumeExperimentRequest.first_epoch"}},
    {"ExperimentFields.GetListsAndWatch",
     {"GetExperimentRequest.name", "ListAttemptsRequest.parent", "ListAttemptsRequest.page_size",
      "ListAttemptsRequest.page_token", "ListEpochsRequest.parent", "ListEpochsRequest.page_size",
      "ListEpochsRequest.page_token", "WatchExperimentRequest.name", "WatchExperimentRequest.from_revision"}},
    {"Evaluate.LossAndParameters", {"EvaluateLossRequest.loss", "EvaluateLossRequest.params"}},
    {"Evaluate.Tensors",
     {"EvaluateLossRequest.inputs", "Tensor.name", "Tensor.data_type", "Tensor.shape", "Tensor.data"}},
    {"Evaluate.ReductionNormalisersAndScale",
     {"EvaluateLossRequest.reduction", "EvaluateLossRequest.normalisers", "EvaluateLossRequest.gradient_scale"}},
    {"EvaluateMetric.BadRequests",
     {"EvaluateMetricRequest.metric", "EvaluateMetricRequest.params", "EvaluateMetricRequest.inputs",
      "EvaluateMetricRequest.signal"}},
    {"TrainFields.Hello",
     {"TrainRequest.hello", "Hello.experiment", "Hello.attempt_token", "Hello.rank", "Hello.world_size",
      "Hello.instance"}},
    {"TrainFields.Order", {"Batch.seq", "EndPhase.seq", "Bye.seq"}},
    {"TrainFields.EndPhase", {"TrainRequest.end_phase", "EndPhase.phase", "EndPhase.epoch", "EndPhase.records"}},
    {"TrainFields.Replay",
     {"TrainRequest.replay", "Replay.record", "Record.seq", "Record.key", "Record.digest", "Record.code",
      "Record.items", "Record.values", "Record.metrics", "Record.refusal", "Refusal.reason", "Refusal.component",
      "Refusal.item", "Ratio.numerator", "Ratio.denominator"}},
    {"TrainFields.BatchKeysAreCheckedAgainstTheAttempt",
     {"Batch.key", "RecordKey.phase", "RecordKey.epoch", "RecordKey.part"}},
    {"Train.AWrongKeyIsRefusedWithoutARecordAndItsSeqComesAgain", {"RecordKey.head", "RecordKey.step"}},
    {"Train.BadBatchesAreRecordedAndTheStreamLivesOn",
     {"TrainRequest.batch", "Batch.inputs", "Batch.normalisers", "Batch.gradient_scale"}},
    {"Train.AByeWithAReasonFailsTheExperiment", {"TrainRequest.bye", "Bye.reason"}},
    {kAnyValue,
     {"CreateExperimentRequest.validate_only",
      "CreateSplitRequest.validate_only",
      "ListLossesRequest.show_refused",
      "EvaluateLossRequest.gradient",
      "EvaluateLossRequest.item_losses",
      "EvaluateMetricRequest.ignore_index",
      "ListEpochsRequest.show_details",
      "Batch.gradient",
      "Split.seed",
      "TrainRequest.flush",
      "TrainRequest.heartbeat",
      "Heartbeat.paused",
      "Dataset.multi_label",
      "GetDatasetRequest.show_deleted",
      "ListDatasetsRequest.show_deleted",
      "ListDatasetsRequest.fingerprint",
      "DeleteDatasetRequest.force",
      "DeleteSplitRequest.force",
      "DeleteSplitRequest.purge",
      "GetSplitRequest.show_deleted",
      "ListSplitsRequest.show_deleted",
      "GetExperimentRequest.show_deleted",
      "ListExperimentsRequest.show_deleted",
      "CloneExperimentRequest.validate_only",
      "UpdateExperimentRequest.validate_only",
      "StartExperimentRequest.validate_only",
      "ResumeExperimentRequest.validate_only"}},
    {kOutput,
     {"Dataset.item_count",
      "Dataset.create_time",
      "Dataset.fingerprint",
      "Dataset.class_counts",
      "Dataset.subset_counts",
      "Dataset.delete_time",
      "Item.index",
      "Item.dataset",
      "Split.train_count",
      "Split.validation_count",
      "Split.test_count",
      "Split.create_time",
      "Split.fingerprint",
      "Split.class_balance",
      "Split.class_names",
      "Split.warnings",
      "Split.delete_time",
      "Experiment.state",
      "Experiment.state_reason",
      "Experiment.state_time",
      "Experiment.create_time",
      "Experiment.attempt",
      "Experiment.revision",
      "Experiment.etag",
      "Experiment.task",
      "Experiment.heads",
      "Experiment.catalog_digest",
      "Experiment.numerics",
      "Experiment.delete_time"}},
};

std::map<std::string, std::string> CoverOfField() {
  std::map<std::string, std::string> cover;
  for (const auto& [by, fields] : kCovered) {
    for (const std::string& field : fields) {
      EXPECT_TRUE(cover.emplace(field, by).second) << field << " is listed twice";
    }
  }
  return cover;
}

/// Calls `visit` for each field of the message and of what is in it, where it says so.
void Walk(const Descriptor& message, std::set<const Descriptor*>* seen,
          const std::function<bool(const FieldDescriptor&)>& visit) {
  if (!absl::StartsWith(message.full_name(), "gradeline.") || !seen->insert(&message).second) return;
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    if (visit(field) && field.message_type() != nullptr) Walk(*field.message_type(), seen, visit);
  }
}

TEST(RequestFields, EveryOneHasATestOrNeedsNone) {
  std::map<std::string, std::string> left = CoverOfField();
  const std::map<std::string, std::string> cover = left;
  const auto visit = [&](const FieldDescriptor& field) {
    const std::string name = field.containing_type()->name() + "." + field.name();
    const auto found = cover.find(name);
    EXPECT_NE(found, cover.end()) << name << " is in no row: add it to the test of its wrong values, or say why it has "
                                  << "none";
    left.erase(name);
    return found != cover.end() && found->second != kOutput;
  };
  std::set<const Descriptor*> seen;
  for (const Descriptor* any :
       {v1::ListPluginsRequest::descriptor(), v1::ListTasksRequest::descriptor(), v1::GetDatasetRequest::descriptor(),
        v1::GetSplitRequest::descriptor(), v1::GetExperimentRequest::descriptor(), v1::Hello::descriptor()}) {
    const google::protobuf::FileDescriptor& file = *any->file();
    for (int s = 0; s < file.service_count(); ++s) {
      for (int m = 0; m < file.service(s)->method_count(); ++m) {
        Walk(*file.service(s)->method(m)->input_type(), &seen, visit);
      }
    }
  }
  for (const auto& [field, by] : left) ADD_FAILURE() << field << " (" << by << ") is no field of a request";
}

TEST(RequestFields, TheirTestsAreThere) {
  std::set<std::string> tests{kAnyValue, kOutput};
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const testing::TestSuite& suite = *all.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t) {
      tests.insert(std::string(suite.name()) + "." + suite.GetTestInfo(t)->name());
    }
  }
  for (const auto& [by, fields] : kCovered) EXPECT_TRUE(tests.count(by) > 0) << by << " is no test of this program";
}

}  // namespace
}  // namespace gradeline

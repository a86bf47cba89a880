// Every field of CatalogService and AdminService with wrong values: the exact violations.
#include <functional>

#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using Catalog = v1::CatalogService::Stub;

class CatalogFields : public ServerTest {
 protected:
  Refusal Losses(const std::string& task, const std::string& architecture, const std::string& head) {
    v1::ListLossesRequest request;
    request.set_task(task);
    request.set_architecture(architecture);
    request.set_head(head);
    return Refused<v1::ListLossesResponse>(&Catalog::ListLosses, catalog_, request);
  }
  Refusal Loss(const std::string& name) {
    v1::GetLossRequest request;
    request.set_name(name);
    return Refused<v1::Loss>(&Catalog::GetLoss, catalog_, request);
  }
};

const char kNegative[] = "pageSize: -1 is negative; allowed: 0 (the default of 100) to 1000";
const char kNoToken[] = "pageToken: is no token of this server; take next_page_token of the page before";

TEST_F(CatalogFields, PagesOfEveryList) {
  const auto check = [](const auto& refused, auto request) {
    request.set_page_size(-1);
    request.set_page_token("!");
    EXPECT_EQ(refused(request), (Refusal{StatusCode::kInvalidArgument, {kNegative, kNoToken}}));
  };
  v1::ListLossesRequest losses;
  losses.set_task("classification");
  check([&](auto& r) { return Refused<v1::ListTasksResponse>(&Catalog::ListTasks, catalog_, r); },
        v1::ListTasksRequest());
  check([&](auto& r) { return Refused<v1::ListArchitecturesResponse>(&Catalog::ListArchitectures, catalog_, r); },
        v1::ListArchitecturesRequest());
  check([&](auto& r) { return Refused<v1::ListLossesResponse>(&Catalog::ListLosses, catalog_, r); }, losses);
  check([&](auto& r) { return Refused<v1::ListMetricsResponse>(&Catalog::ListMetrics, catalog_, r); },
        v1::ListMetricsRequest());
  check([&](auto& r) { return Refused<v1::ListSolversResponse>(&Catalog::ListSolvers, catalog_, r); },
        v1::ListSolversRequest());
  check([&](auto& r) { return Refused<v1::ListSchedulersResponse>(&Catalog::ListSchedulers, catalog_, r); },
        v1::ListSchedulersRequest());
  check([&](auto& r) { return Refused<v1::ListAugmentationsResponse>(&Catalog::ListAugmentations, catalog_, r); },
        v1::ListAugmentationsRequest());
  check(
      [&](auto& r) {
        return Refused<v1::ListTrainingParametersResponse>(&Catalog::ListTrainingParameters, catalog_, r);
      },
      v1::ListTrainingParametersRequest());
  check([&](auto& r) { return Refused<v1::ListPluginsResponse>(&v1::AdminService::Stub::ListPlugins, admin_, r); },
        v1::ListPluginsRequest());
  check(
      [&](auto& r) { return Refused<v1::ListDatasetsResponse>(&v1::DatasetService::Stub::ListDatasets, dataset_, r); },
      v1::ListDatasetsRequest());
  check([&](auto& r) { return Refused<v1::ListSplitsResponse>(&v1::SplitService::Stub::ListSplits, split_, r); },
        v1::ListSplitsRequest());
  check(
      [&](auto& r) {
        return Refused<v1::ListExperimentsResponse>(&v1::ExperimentService::Stub::ListExperiments, experiment_, r);
      },
      v1::ListExperimentsRequest());
}

TEST_F(CatalogFields, PagesJoinToTheWholeList) {
  v1::ListTasksRequest request;
  v1::ListTasksResponse whole;
  ASSERT_TRUE(Call(&Catalog::ListTasks, catalog_, request, &whole).ok());
  EXPECT_EQ(whole.tasks_size(), 8);
  std::vector<std::string> names;
  request.set_page_size(3);
  do {
    v1::ListTasksResponse page;
    ASSERT_TRUE(Call(&Catalog::ListTasks, catalog_, request, &page).ok());
    EXPECT_LE(page.tasks_size(), 3);
    for (const v1::Task& task : page.tasks()) names.push_back(task.name());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  ASSERT_EQ(names.size(), 8u);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(names[static_cast<size_t>(i)], whole.tasks(i).name());
}

TEST_F(CatalogFields, ATokenIsForItsOwnArguments) {
  v1::ListArchitecturesRequest request;
  request.set_page_size(1);
  v1::ListArchitecturesResponse page;
  ASSERT_TRUE(Call(&Catalog::ListArchitectures, catalog_, request, &page).ok());
  ASSERT_NE(page.next_page_token(), "");
  request.set_page_token(page.next_page_token());
  request.set_task("classification");
  EXPECT_EQ(Refused<v1::ListArchitecturesResponse>(&Catalog::ListArchitectures, catalog_, request),
            (Refusal{StatusCode::kInvalidArgument,
                     {"pageToken: was made for other arguments; only page_size may change between pages"}}));
}

TEST_F(CatalogFields, TaskArchitectureAndHead) {
  const auto unknown = [](const char* text) { return Refusal{StatusCode::kNotFound, {text}}; };
  EXPECT_EQ(Losses("", "", ""),
            (Refusal{StatusCode::kInvalidArgument, {"task: is missing; allowed: the id of a task"}}));
  EXPECT_EQ(
      Losses("", "", "box"),
      (Refusal{StatusCode::kInvalidArgument,
               {"task: is missing; allowed: the id of a task", "architecture: is missing; head \"box\" needs one"}}));
  EXPECT_EQ(Losses("classifikation", "", ""),
            unknown("there is no task \"classifikation\"; did you mean classification?"));
  EXPECT_EQ(Losses("object-detection", "faster-rcn", ""),
            unknown("there is no architecture \"faster-rcn\"; did you mean faster-rcnn?"));
  EXPECT_EQ(Losses("object-detection", "faster-rcnn", "boxes"),
            unknown("there is no head \"boxes\" of faster-rcnn; known: objectness, proposal-box, classification, box"));
  EXPECT_EQ(Losses("classification", "faster-rcnn", ""),
            (Refusal{StatusCode::kFailedPrecondition,
                     {"architecture faster-rcnn is for object-detection, not for task classification; for that there "
                      "are: efficientnet, fbnetv3-classification, resnet, small-cnn"}}));
  EXPECT_EQ(Losses("classifikation", "faster-rcn", "box"),
            (Refusal{StatusCode::kInvalidArgument,
                     {"task: there is no task \"classifikation\"; did you mean classification?",
                      "architecture: there is no architecture \"faster-rcn\"; did you mean faster-rcnn?"}}));
  v1::ListArchitecturesRequest architectures;
  architectures.set_task("taging");
  const Refusal near = unknown("there is no task \"taging\"; did you mean tagging?");
  EXPECT_EQ(Refused<v1::ListArchitecturesResponse>(&Catalog::ListArchitectures, catalog_, architectures), near);
  v1::ListMetricsRequest metrics;
  metrics.set_task("taging");
  EXPECT_EQ(Refused<v1::ListMetricsResponse>(&Catalog::ListMetrics, catalog_, metrics), near);
  metrics.set_task("object-detection");
  metrics.set_head("boxes");
  EXPECT_EQ(Refused<v1::ListMetricsResponse>(&Catalog::ListMetrics, catalog_, metrics),
            (Refusal{StatusCode::kInvalidArgument, {"architecture: is missing; head \"boxes\" needs one"}}));
  metrics.set_architecture("faster-rcnn");
  EXPECT_EQ(Refused<v1::ListMetricsResponse>(&Catalog::ListMetrics, catalog_, metrics),
            (Refusal{StatusCode::kInvalidArgument,
                     {"head: \"boxes\" is not a head of faster-rcnn; there are objectness, proposal-box, "
                      "classification, box, detections"}}));
  v1::ListAugmentationsRequest augmentations;
  augmentations.set_task("taging");
  EXPECT_EQ(Refused<v1::ListAugmentationsResponse>(&Catalog::ListAugmentations, catalog_, augmentations), near);
}

TEST_F(CatalogFields, MetricsAreThoseOfTaskAndHead) {
  const auto listed = [&](const char* task, const char* architecture, const char* head) {
    v1::ListMetricsRequest request;
    request.set_task(task);
    request.set_architecture(architecture);
    request.set_head(head);
    v1::ListMetricsResponse response;
    EXPECT_TRUE(Call(&Catalog::ListMetrics, catalog_, request, &response).ok());
    std::map<std::string, v1::Metric> metrics;
    for (const v1::Metric& metric : response.metrics()) metrics[metric.name()] = metric;
    return metrics;
  };
  EXPECT_TRUE(listed("classification", "", "").contains("metrics/accuracy"));
  EXPECT_FALSE(listed("object-detection", "", "").contains("metrics/accuracy"));
  const auto of_boxes = listed("object-detection", "faster-rcnn", "detections");
  ASSERT_TRUE(of_boxes.contains("metrics/coco_average_precision"));
  const v1::Metric& ap = of_boxes.at("metrics/coco_average_precision");
  EXPECT_THAT(ap.heads(), testing::ElementsAre("detections"));
  EXPECT_GT(ap.inputs_size(), 5);
  EXPECT_GT(ap.parameters_size(), 0);
  EXPECT_FALSE(ap.title().empty() || ap.reference().empty());
  EXPECT_TRUE(listed("object-detection", "faster-rcnn", "box").empty());
  EXPECT_TRUE(listed("classification", "resnet", "").contains("metrics/f_score"));
}

TEST_F(CatalogFields, AugmentationsAreThoseOfTheTask) {
  v1::ListAugmentationsRequest request;
  v1::ListAugmentationsResponse all, some;
  ASSERT_TRUE(Call(&Catalog::ListAugmentations, catalog_, request, &all).ok());
  EXPECT_EQ(all.augmentations_size(), 18);
  request.set_task("classification");
  ASSERT_TRUE(Call(&Catalog::ListAugmentations, catalog_, request, &some).ok());
  EXPECT_EQ(some.augmentations_size(), 16) << "all but mosaic and copy_paste";
}

TEST_F(CatalogFields, PreviewSchedule) {
  v1::PreviewScheduleRequest request;
  const auto refused = [&] {
    return Refused<v1::PreviewScheduleResponse>(&Catalog::PreviewSchedule, catalog_, request);
  };
  request.set_scheduler("step");
  request.set_learning_rate(-1);
  request.set_epochs(-1);
  request.add_losses(1);
  (*request.mutable_parameters()->mutable_fields())["gamma"].mutable_struct_value();
  EXPECT_EQ(refused(), (Refusal{StatusCode::kInvalidArgument,
                                {"parameters.gamma: is an object; allowed: a number, true or false, a word, a list of "
                                 "numbers",
                                 "learningRate: is -1; allowed: finite numbers greater than 0",
                                 "epochs: is -1; allowed: integers in [1, 100000]",
                                 "scheduler: there is no scheduler \"step\"; did you mean step_lr, multi_step_lr?",
                                 "losses: has 1; only reduce_lr_on_plateau looks at any"}}));
  request.Clear();
  request.set_scheduler("multi_step_lr");
  auto* milestones = (*request.mutable_parameters()->mutable_fields())["milestones"].mutable_list_value();
  milestones->add_values()->set_number_value(2);
  milestones->add_values()->set_number_value(2.5);
  EXPECT_EQ(refused(),
            (Refusal{StatusCode::kInvalidArgument, {"parameters.milestones: has 2.5 at [1]; allowed: whole epochs"}}));
  request.Clear();
  request.set_scheduler("reduce_lr_on_plateau");
  request.set_epochs(1);
  request.add_losses(1);
  request.add_losses(1);
  EXPECT_EQ(refused(),
            (Refusal{StatusCode::kInvalidArgument, {"losses: has 2; allowed: one per epoch, of which there are 1"}}));
  request.clear_epochs();
  request.set_learning_rate(0.5);
  (*request.mutable_parameters()->mutable_fields())["patience"].set_number_value(0);
  (*request.mutable_parameters()->mutable_fields())["factor"].set_number_value(0.5);
  v1::PreviewScheduleResponse response;
  ASSERT_TRUE(Call(&Catalog::PreviewSchedule, catalog_, request, &response).ok());
  ASSERT_EQ(response.rates_size(), 3);
  EXPECT_EQ(response.rates(1).learning_rate(), 0.5);
  EXPECT_EQ(response.rates(2).learning_rate(), 0.25);
  EXPECT_EQ(response.rates(2).epoch(), 2);
}

TEST_F(CatalogFields, AnUnknownTaskAndABadPageComeTogether) {
  const auto check = [](const auto& refused, auto request) {
    request.set_task("classifikation");
    request.set_page_size(-1);
    EXPECT_EQ(refused(request),
              (Refusal{StatusCode::kInvalidArgument,
                       {"task: there is no task \"classifikation\"; did you mean classification?", kNegative}}));
  };
  check([&](auto& r) { return Refused<v1::ListLossesResponse>(&Catalog::ListLosses, catalog_, r); },
        v1::ListLossesRequest());
  check([&](auto& r) { return Refused<v1::ListArchitecturesResponse>(&Catalog::ListArchitectures, catalog_, r); },
        v1::ListArchitecturesRequest());
  check([&](auto& r) { return Refused<v1::ListMetricsResponse>(&Catalog::ListMetrics, catalog_, r); },
        v1::ListMetricsRequest());
}

TEST_F(CatalogFields, LossNames) {
  for (const std::string name : {"mse", "losses/", "losses/UPPER"}) {
    EXPECT_EQ(Loss(name), (Refusal{StatusCode::kInvalidArgument,
                                   {"name: \"" + name +
                                    "\" is no resource name of the form \"losses/{id}\", an id is "
                                    "of a-z 0-9 _ . / -, a sum is ids with + between them"}}));
  }
  EXPECT_EQ(
      Loss("losses/cross_entrpy"),
      (Refusal{
          StatusCode::kNotFound,
          {"there is no loss \"cross_entrpy\"; did you mean cross_entropy, dice_cross_entropy, ohem_cross_entropy?"}}));
}

TEST_F(CatalogFields, ABoxHeadOffersBoxLossesOnlyAndSaysWhy) {
  v1::ListLossesRequest request;
  request.set_task("object-detection");
  request.set_architecture("faster-rcnn");
  request.set_head("box");
  v1::ListLossesResponse response;
  ASSERT_TRUE(Call(&Catalog::ListLosses, catalog_, request, &response).ok());
  ASSERT_EQ(response.losses_size(), 2);
  EXPECT_EQ(response.losses(0).loss().name(), "losses/bounding_box_regression");
  EXPECT_EQ(response.losses(0).verdict(), v1::LOSS_VERDICT_DEFAULT);
  EXPECT_EQ(response.losses(1).loss().name(), "losses/iou");
  EXPECT_EQ(response.losses(1).verdict(), v1::LOSS_VERDICT_VALID);
  EXPECT_EQ(response.note(), "");
  request.set_show_refused(true);
  ASSERT_TRUE(Call(&Catalog::ListLosses, catalog_, request, &response).ok());
  bool mse = false;
  for (const v1::LossOffer& offer : response.losses()) {
    if (offer.loss().name() != "losses/mse") continue;
    EXPECT_EQ(offer.verdict(), v1::LOSS_VERDICT_REFUSED);
    mse = true;
    EXPECT_NE(offer.reason(), "");
  }
  EXPECT_TRUE(mse);
}

TEST_F(CatalogFields, ServerInfoAndPlugins) {
  v1::ServerInfo info;
  ASSERT_TRUE(Call(&v1::AdminService::Stub::GetServerInfo, admin_, v1::GetServerInfoRequest(), &info).ok());
  EXPECT_EQ(info.grpc_address(), server_.grpc());
  EXPECT_EQ(info.http_address(), server_.http());
  EXPECT_EQ(info.max_message_bytes(), int64_t{256} << 20);
  EXPECT_EQ(info.catalog_digest().size(), 64u);
  EXPECT_GT(info.threads(), 0);
  EXPECT_NE(info.numerics(), "");
  v1::ListPluginsResponse plugins;
  ASSERT_TRUE(Call(&v1::AdminService::Stub::ListPlugins, admin_, v1::ListPluginsRequest(), &plugins).ok());
  EXPECT_GE(plugins.plugins_size(), 3);
  for (const v1::Plugin& plugin : plugins.plugins()) EXPECT_EQ(plugin.source(), "built-in");
}

}  // namespace
}  // namespace gradeline

#include "server/core/experiment/resolve.h"

#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/experiment/test_registry.h"

namespace gradeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Split GoodSplit() {
  Split split;
  split.id = "s";
  split.task = "classification";
  return split;
}

Experiment GoodExperiment() {
  Experiment experiment;
  experiment.id = "e";
  experiment.split = "s";
  experiment.architecture = "net";
  experiment.metrics = {"accuracy"};
  return experiment;
}

HeadLoss Asked(std::string head, std::string loss, ParamMap params = {}) {
  HeadLoss asked;
  asked.head = std::move(head);
  asked.loss = std::move(loss);
  asked.params = std::move(params);
  return asked;
}

std::shared_ptr<const LossRegistry> RegistryOf(std::vector<HeadTemplate> heads) {
  ArchitectureInfo net;
  net.id = "net";
  net.tasks = {"classification"};
  net.heads = std::move(heads);
  auto catalog = Catalog::Make({{"classification", "Classification", "", {}}}, {net}, "digest");
  EXPECT_TRUE(catalog.ok()) << catalog.status();
  LossRegistry::Builder builder;
  EXPECT_TRUE(builder.Add(*CheckPluginTables(test_registry::kPlugin, PluginInfo{})).ok());
  return std::move(builder).Build(std::make_shared<const Catalog>(*std::move(catalog)));
}

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const auto& violation : FieldViolationsOf(status)) fields.push_back(violation.field);
  return fields;
}

TEST(Resolve, NormalisersChooseTheReduction) {
  const auto reduction = [](const char* kind) {
    HeadTemplate head = test_registry::MakeHead("classification", "multiclass", "ratio");
    head.normaliser = kind;
    if (head.normaliser == "given") head.normaliser_rule = "what the worker counts";
    Experiment experiment = GoodExperiment();
    EXPECT_TRUE(ResolveExperiment(*RegistryOf({head}), GoodSplit(), experiment).ok());
    return experiment.heads.at(0).reduction;
  };
  EXPECT_EQ(reduction("valid_weight"), Reduction::kMean);
  EXPECT_EQ(reduction("items"), Reduction::kMeanAll);
  EXPECT_EQ(reduction("positives"), Reduction::kGiven);
  EXPECT_EQ(reduction("given"), Reduction::kGiven);
}

TEST(Resolve, ClassesComeFromTheDataset) {
  HeadTemplate head = test_registry::MakeHead("classification", "multiclass", "ratio");
  head.classes_of = "all";
  head.background = "last";
  Experiment experiment = GoodExperiment();
  ASSERT_TRUE(ResolveExperiment(*RegistryOf({head}), GoodSplit(), experiment, 10).ok());
  EXPECT_EQ(experiment.heads.at(0).classes, 11);
  ASSERT_TRUE(ResolveExperiment(*RegistryOf({head}), GoodSplit(), experiment).ok());
  EXPECT_EQ(experiment.heads.at(0).classes, 0);
}

TEST(Resolve, DefaultsFillEveryHead) {
  Experiment experiment = GoodExperiment();
  const absl::Status status = ResolveExperiment(*TestRegistry(), GoodSplit(), experiment);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(experiment.task, "classification");
  EXPECT_EQ(experiment.catalog_digest, "digest");
  ASSERT_EQ(experiment.heads.size(), 2u);
  const ResolvedHead& head = experiment.heads[0];
  EXPECT_EQ(head.loss, "ratio");
  EXPECT_EQ(head.plugin_digest, "built-in");
  EXPECT_EQ(head.loss_version, 1u);
  EXPECT_EQ(head.reduction, Reduction::kMean);
  EXPECT_THAT(head.inputs, ElementsAre("prediction: N c logits", "target: N labels"));
  EXPECT_THAT(head.components, ElementsAre("first", "second"));
  EXPECT_THAT(head.component_weights, ElementsAre(1, 0.5));
  EXPECT_EQ(std::get<double>(head.params.at("gamma")), 2);
  EXPECT_EQ(head.phases.size(), 3u);
  EXPECT_THAT(experiment.heads[1].phases, ElementsAre(Phase::kTrain));
  EXPECT_EQ(experiment.heads[1].weight, 0.5);
}

TEST(Resolve, WhatIsAskedForGoesFirst) {
  Experiment experiment = GoodExperiment();
  experiment.losses = {Asked("classification", "ratio", {{"gamma", 3.0}, {"share", 0.25}})};
  experiment.losses[0].weight = 4;
  experiment.losses[0].reduction = Reduction::kSum;
  const absl::Status status = ResolveExperiment(*TestRegistry(), GoodSplit(), experiment);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(experiment.heads[0].weight, 4);
  EXPECT_EQ(experiment.heads[0].reduction, Reduction::kSum);
  EXPECT_EQ(std::get<double>(experiment.heads[0].params.at("gamma")), 3);
  EXPECT_THAT(experiment.heads[0].component_weights, ElementsAre(1, 0.25));
}

TEST(Resolve, AGivenNormaliserMakesTheReductionGiven) {
  Experiment experiment = GoodExperiment();
  experiment.architecture = "given";
  ASSERT_TRUE(ResolveExperiment(*TestRegistry(), GoodSplit(), experiment).ok());
  EXPECT_EQ(experiment.heads[0].reduction, Reduction::kGiven);
}

TEST(Resolve, EverythingWrongIsSaidAtOnce) {
  Experiment experiment = GoodExperiment();
  experiment.id = "E";
  experiment.architecture_params = {{"depth", 2.0}};
  experiment.losses = {Asked("clasification", "ratio"), Asked("classification", "ration"), Asked("aux", "ratio")};
  experiment.losses[1].weight = -1;
  experiment.losses[2].reduction = Reduction::kNone;
  experiment.metrics = {"acuracy", "acuracy"};
  experiment.training = {.epochs = -1, .batch_size = 1 << 21, .learning_rate = -1, .world_size = 4097};
  const absl::Status status = ResolveExperiment(*TestRegistry(), GoodSplit(), experiment);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(FieldsOf(status),
              ElementsAre("name", "losses[0].head", "losses[1].weight", "losses[2].reduction", "losses[1].loss",
                          "losses[2].loss", "metrics[0]", "metrics[1]", "training.epochs", "training.batchSize",
                          "training.worldSize", "training.learningRate"))
      << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("classification"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("ratio"));
}

TEST(Resolve, ParametersAreNamedByTheirPath) {
  Experiment experiment = GoodExperiment();
  experiment.architecture_params = {{"depht", 2.0}};
  absl::Status status = ResolveExperiment(*TestRegistry(), GoodSplit(), experiment);
  EXPECT_THAT(FieldsOf(status), ElementsAre("architectureParameters.depht")) << status;
  experiment = GoodExperiment();
  experiment.losses = {Asked("classification", "ratio", {{"gamma", 9.0}, {"gama", 1.0}})};
  status = ResolveExperiment(*TestRegistry(), GoodSplit(), experiment);
  EXPECT_THAT(FieldsOf(status), testing::UnorderedElementsAre("losses[0].params.gama", "losses[0].params.gamma"))
      << status;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(Resolve, ALossThatIsNotValidAloneIsAPrecondition) {
  Experiment experiment = GoodExperiment();
  experiment.losses = {Asked("aux", "ratio")};
  const absl::Status status = ResolveExperiment(*TestRegistry(), GoodSplit(), experiment);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(FieldsOf(status), ElementsAre("losses[0].loss"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("batchwise"));
}

TEST(Resolve, ADefaultThatIsNotLoadedNamesHeadLossAndTheValidOnes) {
  Experiment experiment = GoodExperiment();
  experiment.architecture = "broken";
  const absl::Status status = ResolveExperiment(*TestRegistry(), GoodSplit(), experiment);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("head classification"), HasSubstr("elsewhere"), HasSubstr("valid: ratio")));
  // Naming another loss helps.
  experiment.losses = {Asked("classification", "ratio")};
  EXPECT_TRUE(ResolveExperiment(*TestRegistry(), GoodSplit(), experiment).ok());
}

TEST(Resolve, TheSplitsTaskMustBeTheArchitectures) {
  Experiment experiment = GoodExperiment();
  experiment.architecture = "regressor";
  experiment.metrics.clear();
  absl::Status status = ResolveExperiment(*TestRegistry(), GoodSplit(), experiment);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(FieldsOf(status), ElementsAre("architecture"));
  experiment = GoodExperiment();
  experiment.architecture = "nett";
  status = ResolveExperiment(*TestRegistry(), absl::NotFoundError("no split is called \"s\""), experiment);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(FieldsOf(status), ElementsAre("split", "architecture"));
}

TEST(Resolve, AMetricMustFitAHead) {
  Experiment experiment = GoodExperiment();
  Split split = GoodSplit();
  split.task = "regression";
  experiment.architecture = "regressor";
  const absl::Status status = ResolveExperiment(*TestRegistry(), split, experiment);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(FieldsOf(status), ElementsAre("metrics[0]"));
}

TEST(Resolve, MetricsThatCannotFitAreRefused) {
  HeadTemplate head = test_registry::MakeHead("classification", "multiclass", "ratio");
  head.classes_of = "all";
  Experiment experiment = GoodExperiment();
  experiment.metrics = {"accuracy", "confusion_matrix", "roc_auc"};
  experiment.metric_bytes = 8 * 100 * 100;
  ASSERT_TRUE(ResolveExperiment(*RegistryOf({head}), GoodSplit(), experiment, 100).ok());
  const absl::Status status = ResolveExperiment(*RegistryOf({head}), GoodSplit(), experiment, 101);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(FieldsOf(status), ElementsAre("metrics[1]"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("confusion_matrix of 101 classes takes 79.7 KiB; allowed: "));

  experiment = GoodExperiment();
  experiment.metrics.clear();
  for (int k = 1; k <= 65; ++k) experiment.metrics.push_back(absl::StrCat("accuracy(k=", k, ")"));
  EXPECT_THAT(FieldsOf(ResolveExperiment(*RegistryOf({head}), GoodSplit(), experiment)), ElementsAre("metrics"));
}

TEST(LoadHeads, UsesWhatWasResolvedAndRefusesAnotherVersion) {
  Experiment experiment = GoodExperiment();
  const auto registry = TestRegistry();
  ASSERT_TRUE(ResolveExperiment(*registry, GoodSplit(), experiment).ok());
  const auto heads = LoadHeads(*registry, experiment);
  ASSERT_TRUE(heads.ok()) << heads.status();
  EXPECT_EQ((*heads)[0].loss.info().id, "ratio");
  EXPECT_EQ((*heads)[0].metrics.chosen().size(), 1u);
  EXPECT_EQ((*heads)[1].metrics.chosen().size(), 0u);
  experiment.heads[0].loss_version = 7;
  const absl::Status status = LoadHeads(*registry, experiment).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), testing::AllOf(HasSubstr("version 7"), HasSubstr("version 1")));
}

TEST(LoadHeads, NamesEveryHeadThatCannotBeLoaded) {
  Experiment experiment = GoodExperiment();
  const auto registry = TestRegistry();
  ASSERT_TRUE(ResolveExperiment(*registry, GoodSplit(), experiment).ok());
  experiment.heads[0].loss_version = 7;
  experiment.heads[1].loss = "gone";
  const absl::Status status = LoadHeads(*registry, experiment).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(FieldsOf(status), ElementsAre("heads[0]", "heads[1]"));
}

// "ratio" and "other", both multiclass; the one merges, the other does not.
std::shared_ptr<const LossRegistry> RegistryOfTwo(uint32_t version_of_other) {
  GdlLoss other = test_registry::kRatio;
  other.id = "other";
  other.merge = GDL_MERGE_NONE;
  other.version = version_of_other;
  const GdlComponentSpec* const components[] = {&test_registry::kFirst, nullptr};
  other.components = components;
  const GdlLoss* const losses[] = {&test_registry::kRatio, &other, nullptr};
  GdlPlugin plugin = test_registry::kPlugin;
  plugin.losses = losses;
  PluginInfo info;
  info.digest = "abc";
  ArchitectureInfo net;
  net.id = "net";
  net.tasks = {"classification"};
  net.heads = {test_registry::MakeHead("classification", "multiclass", "other+ratio")};
  auto catalog = Catalog::Make({{"classification", "Classification", "", {"accuracy"}}}, {net}, "digest");
  LossRegistry::Builder builder;
  EXPECT_TRUE(builder.Add(*CheckPluginTables(plugin, info)).ok());
  EXPECT_TRUE(builder.CheckCatalog(*catalog).ok()) << builder.CheckCatalog(*catalog);
  EXPECT_THAT(builder.MissingLosses(*catalog), testing::IsEmpty());
  return std::move(builder).Build(std::make_shared<const Catalog>(*std::move(catalog)));
}

TEST(Resolve, ASumOfLossesKeepsItsTerms) {
  Experiment experiment = GoodExperiment();
  experiment.losses = {Asked("classification", "ratio+other", {{"ratio.share", 0.25}, {"other.weight", 2.0}})};
  const auto registry = RegistryOfTwo(4);
  const absl::Status status = ResolveExperiment(*registry, GoodSplit(), experiment);
  ASSERT_TRUE(status.ok()) << status;
  const ResolvedHead& head = experiment.heads.at(0);
  EXPECT_EQ(head.loss, "ratio+other");
  EXPECT_EQ(head.loss_version, 0u);
  EXPECT_EQ(head.plugin_digest, "");
  EXPECT_THAT(head.terms, ElementsAre(ResolvedTerm{"ratio", "abc", 1, 1}, ResolvedTerm{"other", "abc", 4, 2}));
  EXPECT_THAT(head.components, ElementsAre("ratio.first", "ratio.second", "other"));
  EXPECT_THAT(head.component_weights, ElementsAre(1, 0.25, 2));
  EXPECT_EQ(head.merge, static_cast<uint32_t>(GDL_MERGE_NONE));
  EXPECT_EQ(head.MergeOf(1), static_cast<uint32_t>(GDL_MERGE_RATIO));
  EXPECT_EQ(head.MergeOf(2), static_cast<uint32_t>(GDL_MERGE_NONE));
  EXPECT_EQ(head.params.at("other.weight"), ParamValue(2.0));

  const auto heads = LoadHeads(*registry, experiment);
  ASSERT_TRUE(heads.ok()) << heads.status();
  EXPECT_EQ((*heads)[0].loss.terms().size(), 2u);
  const absl::Status changed = LoadHeads(*RegistryOfTwo(5), experiment).status();
  EXPECT_EQ(changed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(changed.message()),
              HasSubstr("e was made with other version 4 (abc), loaded is version 5 (abc)"));
}

TEST(Resolve, ASumMayBeTheDefault) {
  Experiment experiment = GoodExperiment();
  const auto registry = RegistryOfTwo(1);
  const absl::Status status = ResolveExperiment(*registry, GoodSplit(), experiment);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(experiment.heads.at(0).loss, "other+ratio");
}

TEST(Resolve, WhatIsNoSumIsAboutTheLossAndAParameterAboutItself) {
  Experiment experiment = GoodExperiment();
  experiment.losses = {Asked("classification", "ratio+")};
  EXPECT_THAT(FieldsOf(ResolveExperiment(*RegistryOfTwo(1), GoodSplit(), experiment)), ElementsAre("losses[0].loss"));
  experiment.losses = {Asked("classification", "ratio+other", {{"other.weight", -1.0}})};
  EXPECT_THAT(FieldsOf(ResolveExperiment(*RegistryOfTwo(1), GoodSplit(), experiment)),
              ElementsAre("losses[0].params.other.weight"));
}

}  // namespace
}  // namespace gradeline

// Datasets, splits and experiments through the one door, over a real database.
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const auto& violation : FieldViolationsOf(status)) fields.push_back(violation.field);
  return fields;
}

Dataset SmallDataset() {
  Dataset dataset;
  dataset.id = "small";
  dataset.classes = {"a", "b"};
  return dataset;
}

std::vector<Item> Items(int count) {
  std::vector<Item> items;
  for (int i = 0; i < count; ++i) items.push_back({99, absl::StrCat("u", i), i % 2});
  return items;
}

TEST(Datasets, AreImportedOnceAndNumberedByTheServer) {
  TestWorld world;
  world.clock.now_ms = 5000;
  const auto made = world.experiments->ImportDataset(SmallDataset(), Items(4), "r1");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->item_count, 4);
  EXPECT_EQ(made->create_ms, 5000);
  world.clock.now_ms = 6000;
  const auto again = world.experiments->ImportDataset(SmallDataset(), Items(4), "r1");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->create_ms, 5000) << "the first answer";
  const auto other = world.experiments->ImportDataset(SmallDataset(), Items(5), "r1");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(other.status()).reason, "REQUEST_ID_USED");
  EXPECT_EQ(world.experiments->ListDatasets(10, "")->items.size(), 1u);
}

TEST(Datasets, TheSameContentAgainIsTheSameDataset) {
  TestWorld world;
  world.clock.now_ms = 5000;
  Dataset named = SmallDataset();
  const auto made = world.experiments->ImportDataset(named, Items(4), "");
  ASSERT_TRUE(made.ok()) << made.status();
  world.clock.now_ms = 6000;
  named.source = "from elsewhere";
  const auto again = world.experiments->ImportDataset(named, Items(4), "");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->create_ms, 5000);
  EXPECT_EQ(again->fingerprint, made->fingerprint);
  EXPECT_EQ(again->source, "");
  EXPECT_EQ(world.experiments->ImportDataset(named, Items(5), "").status().code(), absl::StatusCode::kAlreadyExists);
  named.id = "twin";
  const auto twin = world.experiments->ImportDataset(named, Items(4), "");
  ASSERT_TRUE(twin.ok()) << twin.status();
  EXPECT_EQ(twin->create_ms, 6000);
  const auto twins = world.experiments->ListDatasets(10, "", {false, made->fingerprint});
  EXPECT_EQ(twins->items.size(), 2u);
}

TEST(Datasets, AreDeletedUndeletedAndPurged) {
  TestWorld world;
  ASSERT_TRUE(world.experiments->ImportDataset(SmallDataset(), Items(4), "").ok());
  EXPECT_EQ(world.experiments->UndeleteDataset("small").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(world.experiments->DeleteDataset("small").ok());
  EXPECT_EQ(world.experiments->DeleteDataset("small").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.experiments->GetDataset("small").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.experiments->GetDataset("small", true)->delete_ms, world.clock.UnixMillis());
  EXPECT_TRUE(world.experiments->ListDatasets(10, "")->items.empty());
  EXPECT_EQ(world.experiments->ListDatasets(10, "", {true})->items.size(), 1u);
  const absl::Status taken = world.experiments->ImportDataset(SmallDataset(), Items(4), "").status();
  EXPECT_EQ(taken.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(taken.message()), HasSubstr("undelete it"));
  const auto back = world.experiments->UndeleteDataset("small");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->delete_ms, 0);
  EXPECT_TRUE(world.experiments->GetDataset("small").ok());
  EXPECT_TRUE(world.experiments->DeleteDataset("small").ok());
  const auto purged = world.experiments->DeleteDataset("small", {.purge = true});
  ASSERT_TRUE(purged.ok()) << purged.status();
  EXPECT_EQ(purged->item_count, 4);
  EXPECT_NE(purged->delete_ms, 0);
  EXPECT_EQ(world.experiments->GetDataset("small", true).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.experiments->UndeleteDataset("small").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(world.experiments->ImportDataset(SmallDataset(), Items(5), "").ok());
  EXPECT_EQ(world.experiments->DeleteDataset("small", {.purge = true}).status().code(),
            absl::StatusCode::kFailedPrecondition)
      << "without a deletion before";
}

TEST(Datasets, AreNotDeletedUnderTheirSplitsUnlessByForce) {
  TestWorld world;
  world.MakeSplit();
  Split split = *world.experiments->GetSplit("s");
  for (int i = 0; i < 11; ++i) {
    split.id = absl::StrCat("t", i);
    ASSERT_TRUE(world.experiments->CreateSplit(split, "", false).ok());
  }
  ASSERT_TRUE(world.experiments->CreateExperiment(TestExperiment(1, 1), "", false).ok());
  const absl::Status refused = world.experiments->DeleteDataset("d").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      refused.message(),
      "dataset d is used by 12 splits (s, t0, t1, t10, t2, t3, t4, t5, t6, t7 and 2 more) and, through them, by 1 "
      "experiment (e); with force it is deleted all the same, and its items stay for them");
  EXPECT_EQ(ReasonOf(refused).reason, "DATASET_IN_USE");
  EXPECT_EQ(ReasonOf(refused).metadata["splits"], "12");
  EXPECT_TRUE(world.experiments->GetDataset("d").ok());
  EXPECT_TRUE(world.experiments->DeleteDataset("d", {.force = true}).ok());
  EXPECT_EQ(world.experiments->ListItems("s", Phase::kTrain, 0, 0, 100, "")->items.size(), 21u);
  split.id = "late";
  const absl::Status late = world.experiments->CreateSplit(split, "", false).status();
  EXPECT_THAT(FieldsOf(late), ElementsAre("dataset")) << late;
  EXPECT_EQ(world.experiments->DeleteDataset("d", {.force = true, .purge = true}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(world.experiments->ListItems("s", Phase::kTrain, 0, 0, 100, "")->items.size(), 21u);
}

TEST(Datasets, SayEverythingThatIsWrong) {
  TestWorld world;
  Dataset dataset;
  dataset.id = "Bad";
  dataset.classes = {"a", "", "a"};
  std::vector<Item> items = Items(3);
  items[1].uri.clear();
  items[2].label = 3;
  EXPECT_THAT(FieldsOf(world.experiments->ImportDataset(dataset, items, "").status()),
              ElementsAre("name", "classes[1]", "classes[2]", "items[1].uri", "items[2].label"));
  EXPECT_THAT(FieldsOf(world.experiments->ImportDataset({}, {}, "").status()), ElementsAre("name", "classes", "items"));
}

TEST(Splits, EveryItemIsInOnePartAndRanksShareIt) {
  TestWorld world;
  world.MakeSplit();
  const auto split = world.experiments->GetSplit("s");
  ASSERT_TRUE(split.ok());
  EXPECT_THAT(split->count, ElementsAre(21, 3, 6));
  std::set<int64_t> seen;
  for (const Phase part : {Phase::kTrain, Phase::kValidation, Phase::kTest}) {
    for (int32_t rank = 0; rank < 2; ++rank) {
      std::string after;
      do {
        const auto page = world.experiments->ListItems("s", part, rank, 2, 2, after);
        ASSERT_TRUE(page.ok()) << page.status();
        EXPECT_LE(page->items.size(), 2u);
        for (const auto& [position, item] : page->items) {
          EXPECT_TRUE(seen.insert(item.index).second) << item.index;
          EXPECT_EQ(item.uri, absl::StrCat("file#", item.index));
        }
        after = page->next;
      } while (!after.empty());
    }
  }
  EXPECT_EQ(seen.size(), 30u);
  EXPECT_EQ(world.experiments->ListItems("s", Phase::kTrain, 0, 0, 100, "")->items.size(), 21u);
  EXPECT_EQ(world.experiments->DeleteDataset("d").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Splits, SayEverythingThatIsWrong) {
  TestWorld world;
  world.MakeSplit();
  Split split;
  split.id = "S";
  split.datasets = {"nowhere"};
  split.task = "clasification";
  split.percent = {70, 10, 10};
  const absl::Status status = world.experiments->CreateSplit(split, "", false).status();
  EXPECT_THAT(FieldsOf(status), ElementsAre("name", "task", "dataset", "trainPercent")) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("did you mean classification"));
  EXPECT_THAT(FieldsOf(world.experiments->ListItems("s", Phase::kTest, 2, 2, 1, "x").status()),
              ElementsAre("rank", "pageToken"));
  EXPECT_THAT(FieldsOf(world.experiments->ListItems("s", Phase::kTest, 1, 0, 1, "").status()), ElementsAre("rank"));
  EXPECT_EQ(world.experiments->ListItems("x", Phase::kTest, 0, 0, 1, "").status().code(), absl::StatusCode::kNotFound);
}

TEST(Splits, ValidateOnlyChecksAndStoresNothing) {
  TestWorld world;
  world.MakeSplit();
  Split split = *world.experiments->GetSplit("s");
  EXPECT_EQ(world.experiments->CreateSplit(split, "", true).status().code(), absl::StatusCode::kAlreadyExists);
  split.id = "t";
  const auto checked = world.experiments->CreateSplit(split, "", true);
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->count[0], 21);
  EXPECT_EQ(world.experiments->GetSplit("t").status().code(), absl::StatusCode::kNotFound);
  split.percent = {1, 2, 3};
  EXPECT_FALSE(world.experiments->CreateSplit(split, "", true).ok());
}

TEST(ExperimentVerbs, StartIsIdempotentAndGivesItsTokenAgain) {
  TestWorld world;
  world.MakeSplit();
  const auto created = world.experiments->CreateExperiment(TestExperiment(1, 1), "c", false);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->revision, 1);
  const auto started = world.experiments->Start("e", "r", "");
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(started->experiment.state, ExperimentState::kQueued);
  EXPECT_EQ(started->token.size(), 32u);
  world.Restart();
  const auto again = world.experiments->Start("e", "r", "");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->token, started->token);
  EXPECT_EQ(world.experiments->Start("e", "another", "").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(world.experiments->CreateExperiment(TestExperiment(1, 1), "c", false)->state, ExperimentState::kDraft)
      << "the first answer";
  EXPECT_EQ(world.experiments->CreateExperiment(TestExperiment(1, 1), "", false).status().code(),
            absl::StatusCode::kAlreadyExists);
  const auto cancelled = world.experiments->Cancel("e", "x", "");
  EXPECT_EQ(world.experiments->Cancel("e", "x", "")->revision, cancelled->revision);
}

TEST(ExperimentVerbs, AnotherEtagIsRefused) {
  TestWorld world;
  world.MakeSplit();
  const auto created = world.experiments->CreateExperiment(TestExperiment(1, 1), "", false);
  const std::string etag = absl::StrCat(created->etag);
  EXPECT_EQ(world.experiments->Start("e", "", "x" + etag).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(world.Get().state, ExperimentState::kDraft);
  EXPECT_TRUE(world.experiments->Start("e", "", etag).ok());
  EXPECT_EQ(world.experiments->Cancel("e", "", etag).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(world.experiments->Cancel("x", "", "").status().code(), absl::StatusCode::kNotFound);
}

TEST(ExperimentVerbs, ADraftCannotBeCancelledAndValidateOnlyStoresNothing) {
  TestWorld world;
  world.MakeSplit();
  const auto checked = world.experiments->CreateExperiment(TestExperiment(1, 1), "", true);
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->heads.size(), 2u);
  EXPECT_EQ(world.experiments->GetExperiment("e").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(world.experiments->CreateExperiment(TestExperiment(1, 1), "", false).ok());
  EXPECT_EQ(world.experiments->Cancel("e", "", "").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(world.experiments->CreateExperiment(TestExperiment(1, 1), "", true).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST(ExperimentVerbs, ListsComeInPages) {
  TestWorld world;
  world.MakeSplit();
  for (const char* id : {"c", "a", "b"}) {
    Experiment experiment = TestExperiment(1, 1);
    experiment.id = id;
    ASSERT_TRUE(world.experiments->CreateExperiment(experiment, "", false).ok());
  }
  const auto first = world.experiments->ListExperiments({}, 2, "");
  EXPECT_EQ(first->items[1].id, "b");
  EXPECT_EQ(first->next, "b");
  const auto last = world.experiments->ListExperiments({}, 2, first->next);
  EXPECT_EQ(last->items.size(), 1u);
  EXPECT_TRUE(last->next.empty());
  EXPECT_THAT(FieldsOf(world.experiments->ListEpochs("a", 2, "x").status()), ElementsAre("pageToken"));
  EXPECT_EQ(world.experiments->ListEpochs("x", 2, "").status().code(), absl::StatusCode::kNotFound);
}

TEST(ExperimentVerbs, EpochsComeInPages) {
  TestWorld world;
  world.Start(1, 5);
  const auto listener = std::make_shared<TestListener>();
  const auto session = *world.Join(0, listener);
  int64_t seq = 1;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    seq = SendPhase(*session, seq, Phase::kTrain, epoch, 1);
    listener->AwaitSeals(static_cast<size_t>(epoch) + 1);
  }
  const auto first = world.experiments->ListEpochs("e", 3, "");
  ASSERT_EQ(first->items.size(), 3u);
  EXPECT_EQ(first->items[2].epoch, 2);
  const auto last = world.experiments->ListEpochs("e", 3, first->next);
  ASSERT_EQ(last->items.size(), 2u);
  EXPECT_EQ(last->items[1].epoch, 4);
  EXPECT_TRUE(last->next.empty());
}

// Two datasets whose classes differ, one with groups and tags.
struct TwoDatasets : TestWorld {
  TwoDatasets() {
    Dataset dogs = Named("dogs", {"poodle", "beagle"}), pets = Named("pets", {"cat", "beagle"});
    EXPECT_TRUE(experiments->ImportDataset(dogs, Pictures("dog", 40), "").ok());
    EXPECT_TRUE(experiments->ImportDataset(pets, Pictures("pet", 20), "").ok());
  }
  static Dataset Named(const std::string& id, std::vector<std::string> classes) {
    Dataset dataset;
    dataset.id = id;
    dataset.source = id;
    dataset.classes = std::move(classes);
    return dataset;
  }
  static std::vector<Item> Pictures(const std::string& prefix, int n) {
    std::vector<Item> items(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) {
      Item& item = items[static_cast<size_t>(i)];
      item.uri = absl::StrCat(prefix, i, ".jpg");
      item.label = i % 2;
      item.group = absl::StrCat("owner", i / 4);
      if (i % 10 == 0) item.tags = {"blurred"};
    }
    return items;
  }
  static Split Of(std::vector<std::string> datasets) {
    Split split;
    split.id = "both";
    split.datasets = std::move(datasets);
    split.task = "classification";
    split.percent = {70, 10, 20};
    return split;
  }
  std::vector<PlacedItem> Part(const std::string& split, Phase part) {
    auto page = experiments->ListItems(split, part, 0, 0, 1000, "");
    EXPECT_TRUE(page.ok()) << page.status();
    return page->items;
  }
};

TEST(Splits, SeveralDatasetsShareTheirClassesByName) {
  TwoDatasets world;
  const auto split = world.experiments->CreateSplit(TwoDatasets::Of({"dogs", "pets"}), "", false);
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_THAT(split->count, ElementsAre(42, 6, 12));
  EXPECT_THAT(split->class_names, ElementsAre("poodle", "beagle", "cat"));
  std::set<std::pair<std::string, int64_t>> seen;
  for (const Phase part : {Phase::kTrain, Phase::kValidation, Phase::kTest}) {
    for (const auto& [position, item] : world.Part("both", part)) {
      EXPECT_TRUE(seen.emplace(item.dataset, item.index).second);
      EXPECT_EQ(item.uri, absl::StrCat(item.dataset == "dogs" ? "dog" : "pet", item.index, ".jpg"));
      EXPECT_EQ(split->class_names[static_cast<size_t>(item.label)], item.index % 2 == 1      ? "beagle"
                                                                     : item.dataset == "dogs" ? "poodle"
                                                                                              : "cat");
    }
  }
  EXPECT_EQ(seen.size(), 60u);
}

TEST(Splits, FiltersTakeSomeOfTheItems) {
  TwoDatasets world;
  Split split = TwoDatasets::Of({"dogs", "pets"});
  split.classes = {"cat"};
  EXPECT_THAT(world.experiments->CreateSplit(split, "", true)->count, ElementsAre(7, 1, 2));
  split.tags = {"blurred", "dark"};
  EXPECT_THAT(FieldsOf(world.experiments->CreateSplit(split, "", true).status()), ElementsAre("dataset"))
      << "2 items are too few for 3 parts";
  split.classes.clear();
  EXPECT_THAT(world.experiments->CreateSplit(split, "", true)->count, ElementsAre(4, 1, 1));
  split.classes = {"beagel"};
  EXPECT_THAT(std::string(world.experiments->CreateSplit(split, "", true).status().message()),
              HasSubstr("near: beagle"));
}

TEST(Splits, AGroupIsInOnePartAndAFingerprintTellsSplitsApart) {
  TwoDatasets world;
  Split split = TwoDatasets::Of({"dogs"});
  split.strategy = SplitStrategy::kGroup;
  const auto made = world.experiments->CreateSplit(split, "", false);
  ASSERT_TRUE(made.ok()) << made.status();
  std::map<std::string, Phase> part_of_group;
  for (const Phase part : {Phase::kTrain, Phase::kValidation, Phase::kTest}) {
    for (const auto& [position, item] : world.Part("both", part)) {
      EXPECT_EQ(part_of_group.emplace(item.group, part).first->second, part) << item.group;
    }
  }
  split.id = "again";
  EXPECT_EQ(world.experiments->CreateSplit(split, "", true)->fingerprint, made->fingerprint);
  split.seed = 1;
  EXPECT_NE(world.experiments->CreateSplit(split, "", true)->fingerprint, made->fingerprint);
}

TEST(Splits, SharesAndDatasetsAreCheckedAtOnce) {
  TwoDatasets world;
  Split split = TwoDatasets::Of({"dogs", "dogs", "cats"});
  split.shares = {{"pets", Phase::kTest, 100}};
  EXPECT_THAT(FieldsOf(world.experiments->CreateSplit(split, "", true).status()),
              ElementsAre("datasets[1]", "datasets[2]", "datasetShares"));
  split = TwoDatasets::Of({"dogs", "pets"});
  split.strategy = SplitStrategy::kDataset;
  EXPECT_THAT(FieldsOf(world.experiments->CreateSplit(split, "", true).status()), ElementsAre("datasetShares"));
  split.shares = {{"mice", Phase::kTest, 100}, {"pets", Phase::kTest, 0}, {"pets", Phase::kTrain, 100}};
  EXPECT_THAT(FieldsOf(world.experiments->CreateSplit(split, "", true).status()),
              ElementsAre("datasetShares[0].dataset", "datasetShares[1].percent", "datasetShares[2].dataset"));
  split.shares = {{"pets", Phase::kTest, 100}};
  const auto made = world.experiments->CreateSplit(split, "", true);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->count, ElementsAre(28, 4, 28));
  EXPECT_THAT(made->warnings, testing::Contains(testing::Field(&SplitWarning::reason, "UNEVEN_PARTS")));
}

TEST(Splits, DeletedOnesComeBackAndPurgedOnesDoNot) {
  TwoDatasets world;
  ASSERT_TRUE(world.experiments->CreateSplit(TwoDatasets::Of({"dogs"}), "", false).ok());
  EXPECT_NE(world.experiments->DeleteSplit("both")->delete_ms, 0);
  EXPECT_EQ(world.experiments->ListSplits(10, "")->items.size(), 0u);
  EXPECT_EQ(world.experiments->ListSplits(10, "", true)->items.size(), 1u);
  EXPECT_EQ(ReasonOf(world.experiments->ListItems("both", Phase::kTrain, 0, 0, 1, "").status()).reason,
            "SPLIT_DELETED");
  EXPECT_EQ(world.experiments->CreateSplit(TwoDatasets::Of({"dogs"}), "", false).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(world.experiments->UndeleteSplit("both")->delete_ms, 0);
  const absl::Status again = world.experiments->UndeleteSplit("both").status();
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(again).reason, "NOT_DELETED");
  EXPECT_EQ(world.Part("both", Phase::kTrain).size(), 28u);
  const auto deleted = world.experiments->DeleteSplit("both");
  ASSERT_TRUE(deleted.ok());
  world.clock.now_ms += 1000;
  const auto purged = world.experiments->DeleteSplit("both", {.purge = true});
  ASSERT_TRUE(purged.ok());
  EXPECT_EQ(purged->delete_ms, deleted->delete_ms) << "as it was";
  EXPECT_EQ(world.experiments->GetSplit("both", true).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(world.experiments->CreateSplit(TwoDatasets::Of({"dogs"}), "", false).ok());
}

TEST(Splits, OneThatIsUsedIsDeletedOnlyByForce) {
  TestWorld world;
  world.Start(1, 1);
  for (const DeleteHow how : {DeleteHow(), DeleteHow{.purge = true}, DeleteHow{.force = true, .purge = true}}) {
    const absl::Status used = world.experiments->DeleteSplit("s", how).status();
    EXPECT_EQ(used.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(used).reason, "SPLIT_IN_USE");
  }
  EXPECT_TRUE(world.experiments->DeleteSplit("s", {.force = true}).ok());
}

TEST(Splits, ItemsThatHaveLabelsHaveNoLabel) {
  TwoDatasets world;
  Dataset scenes = TwoDatasets::Named("scenes", {"cat", "poodle"});
  scenes.multi_label = true;
  std::vector<Item> items(20);
  for (size_t i = 0; i < items.size(); ++i) {
    items[i].uri = absl::StrCat("scene", i);
    if (i % 2 == 1) items[i].labels = {0, 1};
  }
  ASSERT_TRUE(world.experiments->ImportDataset(scenes, items, "").ok());
  Split split = TwoDatasets::Of({"dogs", "scenes"});
  ASSERT_TRUE(world.experiments->CreateSplit(split, "", false).ok());
  for (const auto& [position, item] : world.Part("both", Phase::kTrain)) {
    if (item.dataset == "dogs") {
      EXPECT_EQ(item.label, item.index % 2);
    } else {
      EXPECT_EQ(item.label, kNoLabel);
      EXPECT_EQ(item.labels, item.index % 2 == 1 ? std::vector<int32_t>({0, 2}) : std::vector<int32_t>());
    }
  }
}

}  // namespace
}  // namespace gradeline

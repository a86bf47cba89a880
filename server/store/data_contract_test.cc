// What every store must do with datasets, items and splits.
#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/store/store_contract.h"

namespace gradeline {
namespace {

TEST_F(StoreContract, DatasetsAndSplits) {
  Dataset dataset;
  dataset.id = "d";
  dataset.classes = {"a", "b"};
  dataset.item_count = 10;
  std::vector<Item> items;
  std::vector<PartedItem> parts;
  for (int i = 0; i < 10; ++i) {
    items.push_back({i, absl::StrCat("u", i), i % 2});
    parts.push_back({0, i, static_cast<uint8_t>(i < 7 ? 1 : 3)});
  }
  Split split;
  split.id = "s";
  split.datasets = {"d"};
  Write([&](Transaction& t) {
    EXPECT_EQ(t.InsertSplit(split, {dataset}, parts).code(), absl::StatusCode::kNotFound);
    EXPECT_TRUE(t.InsertDataset(dataset, items).ok());
    EXPECT_EQ(t.InsertDataset(dataset, items).code(), absl::StatusCode::kAlreadyExists);
    EXPECT_TRUE(t.InsertSplit(split, {dataset}, parts).ok());
    EXPECT_EQ(t.InsertSplit(split, {dataset}, parts).code(), absl::StatusCode::kAlreadyExists);
    EXPECT_THAT(*t.ListSplitsOf("d"), testing::ElementsAre("s"));
    EXPECT_EQ(t.ListSplitsOf("x").status().code(), absl::StatusCode::kNotFound);
    EXPECT_TRUE(t.failure().ok());
  });
  EXPECT_EQ(store_->GetDataset("d")->classes, dataset.classes);
  EXPECT_EQ(store_->ScanItems("x", [](const Item&) {}).code(), absl::StatusCode::kNotFound);
  const auto indices = [&](Phase part, int32_t rank, int32_t world, int limit, int64_t after) {
    std::vector<int64_t> found;
    const auto items_found = store_->ListItems("s", part, rank, world, limit, after);
    for (const PlacedItem& placed : *items_found) found.push_back(placed.item.index);
    return found;
  };
  EXPECT_THAT(indices(Phase::kTrain, 0, 1, 100, -1), testing::ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(indices(Phase::kTrain, 1, 3, 100, -1), testing::ElementsAre(1, 4));
  EXPECT_THAT(indices(Phase::kTrain, 1, 3, 1, 1), testing::ElementsAre(4));
  EXPECT_THAT(indices(Phase::kTrain, 0, 1, 2, 2), testing::ElementsAre(3, 4));
  EXPECT_THAT(indices(Phase::kValidation, 0, 1, 100, -1), testing::IsEmpty());
  EXPECT_THAT(indices(Phase::kTest, 1, 2, 100, -1), testing::ElementsAre(8));
  EXPECT_EQ(store_->ListItems("s", Phase::kTest, 0, 1, 1, -1)->at(0).item.uri, "u7");
  EXPECT_EQ(store_->ListItems("s", Phase::kTest, 0, 1, 1, -1)->at(0).item.dataset, "d");
}

TEST_F(StoreContract, WhoRefersToSplitsAndDatasets) {
  Dataset dataset;
  dataset.id = "d";
  Dataset other;
  other.id = "other";
  const auto split_of = [](const std::string& id, std::vector<std::string> datasets) {
    Split split;
    split.id = id;
    split.datasets = std::move(datasets);
    return split;
  };
  const auto experiment_of = [](const std::string& id, const std::string& split, int64_t delete_ms) {
    Experiment experiment;
    experiment.id = id;
    experiment.split = split;
    experiment.delete_ms = delete_ms;
    return experiment;
  };
  Write([&](Transaction& t) {
    EXPECT_TRUE(t.InsertDataset(dataset, {{0, "u", 0}}).ok());
    EXPECT_TRUE(t.InsertDataset(other, {{0, "v", 0}}).ok());
    EXPECT_TRUE(t.InsertSplit(split_of("one", {"d"}), {dataset}, {}).ok());
    EXPECT_TRUE(t.InsertSplit(split_of("two", {"other", "d"}), {other, dataset}, {}).ok());
    EXPECT_TRUE(t.InsertExperiment(experiment_of("b", "one", 0)).ok());
    EXPECT_TRUE(t.InsertExperiment(experiment_of("a", "one", 5)).ok());
    EXPECT_TRUE(t.InsertExperiment(experiment_of("c", "two", 0)).ok());
    EXPECT_THAT(*t.ListExperimentsOf("one"), testing::ElementsAre("a", "b"));
    EXPECT_THAT(*t.ListExperimentsOf("none"), testing::IsEmpty());
    EXPECT_THAT(*t.ListExperimentsOver("d"), testing::ElementsAre("a", "b", "c"));
    EXPECT_THAT(*t.ListExperimentsOver("other"), testing::ElementsAre("c"));
    EXPECT_EQ(t.ListExperimentsOver("none").status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(t.HoldSplit("two")->datasets, split_of("two", {"other", "d"}).datasets);
    EXPECT_EQ(t.HoldSplit("none").status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(*t.ListDeletedDatasets("two"), testing::IsEmpty());
    EXPECT_TRUE(t.MarkDataset("other", 7).ok());
    EXPECT_THAT(*t.ListDeletedDatasets("two"), testing::ElementsAre("other"));
    EXPECT_THAT(*t.ListDeletedDatasets("one"), testing::IsEmpty());
    EXPECT_TRUE(t.failure().ok());
  });
  EXPECT_THAT(*store_->ListDeletedDatasets("two"), testing::ElementsAre("other"));
}

bool Same(const Item& a, const Item& b) {
  return std::tie(a.index, a.uri, a.label, a.labels, a.group, a.tags, a.subset) ==
         std::tie(b.index, b.uri, b.label, b.labels, b.group, b.tags, b.subset);
}

// More than a page of a scan, and than rows of one statement; the last statement has few.
TEST_F(StoreContract, ItemsComeBackWholeAndInOrder) {
  Dataset dataset;
  dataset.id = "d";
  dataset.item_count = 10'007;
  std::vector<Item> items;
  for (int i = 0; i < dataset.item_count; ++i) {
    Item& item = items.emplace_back(Item{i, absl::StrCat("u", i), i % 3});
    if (i % 5 == 0) item.labels = {0, 0, i, i + 200};
    if (i % 7 == 0) item.group = kAnyText;
    if (i % 11 == 0) item.tags = {"night", kAnyText};
    if (i % 13 == 0) item.subset = absl::StrCat("subset", i);
  }
  Dataset other;
  other.id = "other";
  Split split;
  split.id = "s";
  split.datasets = {"d"};
  std::vector<PartedItem> parts;
  for (const Item& item : items) parts.push_back({0, item.index, 2});
  Write([&](Transaction& t) {
    EXPECT_TRUE(t.InsertDataset(other, items).ok());
    EXPECT_TRUE(t.InsertDataset(dataset, items).ok());
    EXPECT_TRUE(t.InsertSplit(split, {dataset}, parts).ok());
  });
  size_t next = 0;
  ASSERT_TRUE(store_
                  ->ScanItems("d",
                              [&](const Item& item) {
                                ASSERT_LT(next, items.size());
                                ASSERT_TRUE(Same(item, items[next])) << next;
                                ++next;
                              })
                  .ok());
  EXPECT_EQ(next, items.size());
  const auto listed = store_->ListItems("s", Phase::kValidation, 0, 1, 100'000, -1);
  ASSERT_EQ(listed->size(), items.size());
  for (size_t i = 0; i < items.size(); ++i) ASSERT_TRUE(Same(listed->at(i).item, items[i])) << i;
}

TEST_F(StoreContract, DatasetsAreMarkedAndRemoved) {
  Dataset dataset;
  dataset.id = "d";
  dataset.fingerprint = "f00d";
  dataset.class_counts = {{3, 5}};
  dataset.subset_counts = {{"train", 2}, {"val", 1}};
  dataset.multi_label = true;
  Dataset other;
  other.id = "other";
  Write([&](Transaction& t) {
    EXPECT_TRUE(t.InsertDataset(dataset, {{0, "u", 0}, {1, "v", 0}}).ok());
    EXPECT_TRUE(t.InsertDataset(other, {{0, "u", 0}}).ok());
    EXPECT_EQ(t.GetDataset("x").status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(t.MarkDataset("x", 1).code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(t.RemoveDataset("x").code(), absl::StatusCode::kNotFound);
    EXPECT_TRUE(t.MarkDataset("d", 77).ok());
    EXPECT_EQ(t.GetDataset("d")->delete_ms, 77);
    EXPECT_EQ(t.InsertDataset(dataset, {}).code(), absl::StatusCode::kAlreadyExists) << "the name stays taken";
    EXPECT_TRUE(t.failure().ok());
  });
  const auto ids = [&](const DatasetFilter& filter) {
    std::vector<std::string> found;
    const auto datasets = store_->ListDatasets(10, "", filter);
    for (const Dataset& each : *datasets) found.push_back(each.id);
    return found;
  };
  const auto marked = store_->GetDataset("d");
  EXPECT_EQ(marked->delete_ms, 77);
  EXPECT_EQ(marked->fingerprint, "f00d");
  EXPECT_EQ(marked->class_counts, dataset.class_counts);
  EXPECT_EQ(marked->subset_counts, dataset.subset_counts);
  EXPECT_TRUE(marked->multi_label);
  EXPECT_THAT(ids({}), testing::ElementsAre("other"));
  EXPECT_THAT(ids({true}), testing::ElementsAre("d", "other"));
  EXPECT_THAT(ids({true, "f00d"}), testing::ElementsAre("d"));
  EXPECT_THAT(ids({false, "f00d"}), testing::IsEmpty());
  Write([&](Transaction& t) { EXPECT_TRUE(t.MarkDataset("d", 0).ok()); });
  EXPECT_THAT(ids({false, "f00d"}), testing::ElementsAre("d"));
  Write([&](Transaction& t) {
    EXPECT_TRUE(t.RemoveDataset("d").ok());
    EXPECT_TRUE(t.InsertDataset(dataset, {{0, "w", 0}}).ok()) << "the name is free, and so are its items";
  });
  int count = 0;
  ASSERT_TRUE(store_->ScanItems("d", [&](const Item& item) { count += item.uri == "w" ? 1 : 100; }).ok());
  EXPECT_EQ(count, 1);
  EXPECT_TRUE(store_->ScanItems("other", [&](const Item&) { ++count; }).ok());
  EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace gradeline

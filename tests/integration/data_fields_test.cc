// Every field of DatasetService and SplitService with wrong values: the exact violations.
#include <functional>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using DatasetStub = v1::DatasetService::Stub;
using SplitStub = v1::SplitService::Stub;
using ImportPart = v1::ImportDatasetRequest;

class DataFields : public ServerTest {
 protected:
  static ImportPart Header(const std::string& name, std::vector<std::string> classes,
                           const std::string& request_id = "") {
    ImportPart message;
    message.mutable_header()->mutable_dataset()->set_name(name);
    message.mutable_header()->mutable_dataset()->mutable_classes()->Assign(classes.begin(), classes.end());
    message.mutable_header()->set_request_id(request_id);
    return message;
  }
  static ImportPart Items(const std::vector<std::pair<std::string, int>>& items) {
    ImportPart message;
    message.mutable_items();
    for (const auto& [uri, label] : items) {
      v1::Item* item = message.mutable_items()->add_items();
      item->set_uri(uri);
      item->set_label(label);
    }
    return message;
  }
  static ImportPart End() {
    ImportPart message;
    message.mutable_end();
    return message;
  }
  /// Imports the messages and an end.
  Refusal Imported(std::vector<ImportPart> messages) {
    v1::Dataset dataset;
    messages.push_back(End());
    return RefusalOf(ServerTest::Import(messages, &dataset));
  }
  Refusal Created(const std::function<void(v1::CreateSplitRequest&)>& change) {
    v1::CreateSplitRequest request;
    request.mutable_split()->set_name("splits/new");
    request.mutable_split()->set_dataset("datasets/d");
    request.mutable_split()->set_task("classification");
    request.mutable_split()->set_strategy(v1::SPLIT_STRATEGY_STRATIFIED);
    request.mutable_split()->set_train_percent(70);
    request.mutable_split()->set_validation_percent(10);
    request.mutable_split()->set_test_percent(20);
    change(request);
    return Refused<v1::Split>(&SplitStub::CreateSplit, split_, request);
  }
  Refusal Listed(const std::function<void(v1::ListItemsRequest&)>& change) {
    v1::ListItemsRequest request;
    request.set_parent("splits/s");
    request.set_part(v1::PART_TRAIN);
    change(request);
    return Refused<v1::ListItemsResponse>(&SplitStub::ListItems, split_, request);
  }
};

Refusal Invalid(std::vector<std::string> texts) { return {StatusCode::kInvalidArgument, std::move(texts)}; }
const Refusal kOk{StatusCode::kOk, {}};
const char kIdRule[] = "1 to 63 characters of a-z, 0-9 and dash, beginning with a letter, not ending with a dash";

TEST_F(DataFields, ImportDataset) {
  EXPECT_EQ(Imported({}), Invalid({"header: is missing: it is the first message of an import"}));
  EXPECT_EQ(Imported({Items({{"u", 0}})}), Invalid({"header: is missing: it is the first message of an import"}));
  const ImportPart good = Header("datasets/n", {"a", "b"});
  EXPECT_EQ(Imported({good, good}), Invalid({"header: comes twice: only the first message has it"}));
  EXPECT_EQ(Imported({good, ImportPart()}),
            Invalid({"part: is missing in a message; allowed: items, or end in the last one"}));
  EXPECT_EQ(Imported({good}), Invalid({"items: is empty; allowed: at least one item"}));
  EXPECT_EQ(Imported({Header("datasets/N", {}, "x"), Items({{"", 5}})}),
            Invalid({absl::StrCat("header.dataset.name: \"datasets/N\" is no resource name of the form "
                                  "\"datasets/{id}\": \"N\" is no id: ",
                                  kIdRule),
                     "header.dataset.classes: has 0 entries; allowed: 1 to 1000000",
                     "header.requestId: \"x\" is no UUID of the form 123e4567-e89b-12d3-a456-426614174000",
                     "items[0].uri: has 0 bytes; allowed: 1 to 4096"}));
  EXPECT_EQ(Imported({good, Items({{"u", 0}, {"u", -1}}), Items({{std::string(5000, 'u'), 2}})}),
            Invalid({"items[1].label: -1; allowed: 0 to 1, the dataset has 2 classes",
                     "items[2].uri: has 5000 bytes; allowed: 1 to 4096",
                     "items[2].label: 2; allowed: 0 to 1, the dataset has 2 classes"}));
  ImportPart odd = Header("datasets/n", {"a", "a", "", std::string(257, 'c')});
  odd.mutable_header()->mutable_dataset()->set_source(std::string(1025, 's'));
  EXPECT_EQ(Imported({odd, Items({{"", 0}})}), Invalid({"header.dataset.source: has 1025 bytes; allowed: at most 1024",
                                                        "header.dataset.classes[1]: \"a\" is given twice",
                                                        "header.dataset.classes[2]: has 0 bytes; allowed: 1 to 256",
                                                        "header.dataset.classes[3]: has 257 bytes; allowed: 1 to 256",
                                                        "items[0].uri: has 0 bytes; allowed: 1 to 4096"}));
  EXPECT_EQ(Imported({good, Items({{"u", 0}})}), kOk);
  EXPECT_EQ(Imported({good, Items({{"u", 0}})}), kOk) << "the same content again";
  EXPECT_EQ(Imported({good, Items({{"u", 1}})}),
            (Refusal{StatusCode::kAlreadyExists, {"dataset n exists, with other content"}}));
}

TEST_F(DataFields, ItemsOfAnImport) {
  ImportPart plain = Header("datasets/plain", {"a", "b"}), multi = Header("datasets/multi", {"a", "b"});
  multi.mutable_header()->mutable_dataset()->set_multi_label(true);
  const auto item = [](const std::function<void(v1::Item&)>& change) {
    ImportPart message = Items({{"u", 0}});
    change(*message.mutable_items()->mutable_items(0));
    return message;
  };
  EXPECT_EQ(
      Imported({plain, item([](v1::Item& i) { i.add_labels(1); })}),
      Invalid({"items[0].labels: has 1 entries; the dataset is not multi-label: an item has one class, its label"}));
  EXPECT_EQ(
      Imported({multi, item([](v1::Item& i) { i.set_label(1), i.add_labels(1), i.add_labels(2), i.add_labels(-1); })}),
      Invalid({"items[0].label: 1; an item of a multi-label dataset has labels",
               "items[0].labels[1]: 2; allowed: 0 to 1, the dataset has 2 classes"}));
  EXPECT_EQ(Imported({multi, item([](v1::Item& i) { i.mutable_labels()->Resize(100'001, 0); })}),
            Invalid({"items[0].labels: has 100001 entries; allowed: at most 100000"}));
  EXPECT_EQ(
      Imported({plain, item([](v1::Item& i) {
                  i.set_group(std::string(257, 'g'));
                  i.add_tags("night");
                  i.add_tags("");
                  i.set_subset(std::string(65, 's'));
                })}),
      Invalid({"items[0].group: has 257 bytes; allowed: 0 to 256", "items[0].tags[1]: has 0 bytes; allowed: 1 to 64",
               "items[0].subset: has 65 bytes; allowed: 0 to 64"}));
  EXPECT_EQ(Imported({plain, item([](v1::Item& i) { i.add_tags(std::string(65, 't')); })}),
            Invalid({"items[0].tags[0]: has 65 bytes; allowed: 1 to 64"}));
  EXPECT_EQ(Imported({plain, item([](v1::Item& i) {
                        for (int tag = 0; tag < 33; ++tag) i.add_tags("t");
                      })}),
            Invalid({"items[0].tags: has 33 entries; allowed: at most 32"}));
  std::vector<ImportPart> subsets{plain};
  for (int n = 0; n < 1001; ++n) subsets.push_back(item([n](v1::Item& i) { i.set_subset(absl::StrCat("s", n)); }));
  EXPECT_EQ(Imported(subsets), Invalid({"items: have 1001 different subsets; allowed: at most 1000"}));
}

TEST_F(DataFields, WhatIsToldOfADataset) {
  ImportPart header = Header("datasets/m", {"a", "b", "c"}), items;
  header.mutable_header()->mutable_dataset()->set_multi_label(true);
  for (const std::vector<int>& labels : std::vector<std::vector<int>>{{2, 0, 2}, {}, {2}}) {
    v1::Item* item = items.mutable_items()->add_items();
    item->set_uri("u");
    item->mutable_labels()->Assign(labels.begin(), labels.end());
  }
  items.mutable_items()->mutable_items(1)->set_subset("val");
  v1::Dataset dataset;
  ASSERT_TRUE(ServerTest::Import({header, items, End()}, &dataset).ok());
  EXPECT_TRUE(dataset.multi_label());
  EXPECT_EQ(dataset.fingerprint().size(), 64u);
  const auto told = [](const auto& counts) {
    std::string text;
    for (const auto& count : counts) absl::StrAppend(&text, count.ShortDebugString(), "; ");
    return text;
  };
  EXPECT_EQ(told(dataset.class_counts()),
            "class: \"a\" items: 1 annotations: 1; class: \"b\"; class: \"c\" items: 2 annotations: 3; ");
  EXPECT_EQ(told(dataset.subset_counts()), "items: 2; subset: \"val\" items: 1; ");
  EXPECT_FALSE(dataset.has_delete_time());
}

TEST_F(DataFields, NothingIsKeptOfAnImportThatEndsBadly) {
  EXPECT_EQ(Imported({Header("datasets/half", {"a"}), Items({{"u", 0}}), Items({{"u", 7}})}).code,
            StatusCode::kInvalidArgument);
  v1::GetDatasetRequest request;
  request.set_name("datasets/half");
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::GetDataset, dataset_, request).code, StatusCode::kNotFound);
}

TEST_F(DataFields, NothingIsKeptOfAnImportThatIsCutOff) {
  const std::vector<ImportPart> messages{Header("datasets/cut", {"a"}), Items({{"u", 0}})};
  v1::Dataset dataset;
  EXPECT_EQ(RefusalOf(ServerTest::Import(messages, &dataset)),
            Invalid({"end: is missing: it is the last message of an import; nothing was kept"}));
  grpc::ClientContext context;
  const auto writer = dataset_->ImportDataset(&context, &dataset);
  for (const ImportPart& message : messages) ASSERT_TRUE(writer->Write(message));
  context.TryCancel();
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  // The cancelled call ends some time after its client has gone; an import under the same name tells when it is over.
  EXPECT_EQ(Imported(messages), kOk);
}

TEST_F(DataFields, VeryManyBadItemsEndTheImportEarly) {
  std::vector<ImportPart> messages{Header("datasets/n", {"a"})};
  for (int i = 0; i < 50; ++i) messages.push_back(Items(std::vector<std::pair<std::string, int>>(100, {"u", 9})));
  v1::Dataset dataset;
  const absl::Status status = ServerTest::Import(messages, &dataset);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status).metadata["violations"], "100");
}

TEST_F(DataFields, ARepeatedImportReturnsTheFirstAnswer) {
  const std::string id = "123e4567-e89b-12d3-a456-426614174000";
  const std::vector<v1::ImportDatasetRequest> messages{Header("datasets/n", {"a"}, id), Items({{"u", 0}}), End()};
  v1::Dataset first, second;
  ASSERT_TRUE(ServerTest::Import(messages, &first).ok());
  ASSERT_TRUE(ServerTest::Import(messages, &second).ok());
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
  EXPECT_EQ(Imported({Header("datasets/n", {"a"}, id), Items({{"other", 0}})}).code, StatusCode::kAlreadyExists);
}

TEST_F(DataFields, DatasetNames) {
  v1::GetDatasetRequest get;
  get.set_name("d");
  const Refusal bad = Invalid({"name: \"d\" is no resource name of the form \"datasets/{id}\""});
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::GetDataset, dataset_, get), bad);
  v1::DeleteDatasetRequest remove;
  remove.set_name("d");
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::DeleteDataset, dataset_, remove), bad);
  const Refusal none{StatusCode::kNotFound, {"no dataset is called \"none\""}};
  get.set_name("datasets/none");
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::GetDataset, dataset_, get), none);
  remove.set_name("datasets/none");
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::DeleteDataset, dataset_, remove), none);
  v1::UndeleteDatasetRequest undelete;
  undelete.set_name("d");
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::UndeleteDataset, dataset_, undelete), bad);
  undelete.set_name("datasets/none");
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::UndeleteDataset, dataset_, undelete), none);
  MakeSplit();
  undelete.set_name("datasets/d");
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::UndeleteDataset, dataset_, undelete),
            (Refusal{StatusCode::kAlreadyExists, {"dataset d is not deleted"}}));
  remove.set_name("datasets/d");
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::DeleteDataset, dataset_, remove),
            (Refusal{StatusCode::kFailedPrecondition,
                     {"dataset d is used by 1 split (s); with force it is deleted all the same, and its items stay for "
                      "them"}}));
  remove.set_purge(true);
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::DeleteDataset, dataset_, remove),
            (Refusal{StatusCode::kFailedPrecondition,
                     {"dataset d is used by 1 split (s); their items would be lost: delete those first"}}));
}

TEST_F(DataFields, DeletedDatasetsAreShownOnRequest) {
  v1::Dataset made;
  ASSERT_TRUE(ServerTest::Import({Header("datasets/n", {"a"}), Items({{"u", 0}}), End()}, &made).ok());
  v1::DeleteDatasetRequest remove;
  remove.set_name("datasets/n");
  v1::Dataset hidden;
  ASSERT_TRUE(Call(&DatasetStub::DeleteDataset, dataset_, remove, &hidden).ok());
  EXPECT_TRUE(hidden.has_delete_time()) << "as it is now";
  v1::GetDatasetRequest get;
  get.set_name("datasets/n");
  EXPECT_EQ(Refused<v1::Dataset>(&DatasetStub::GetDataset, dataset_, get),
            (Refusal{StatusCode::kNotFound, {"dataset n is deleted"}}));
  get.set_show_deleted(true);
  v1::Dataset deleted;
  ASSERT_TRUE(Call(&DatasetStub::GetDataset, dataset_, get, &deleted).ok());
  EXPECT_TRUE(deleted.has_delete_time());
  v1::ListDatasetsRequest list;
  const auto listed = [&] {
    v1::ListDatasetsResponse response;
    EXPECT_TRUE(Call(&DatasetStub::ListDatasets, dataset_, list, &response).ok());
    return response.datasets_size();
  };
  EXPECT_EQ(listed(), 0);
  list.set_show_deleted(true);
  EXPECT_EQ(listed(), 1);
  list.set_fingerprint(made.fingerprint());
  EXPECT_EQ(listed(), 1);
  list.set_fingerprint("none");
  EXPECT_EQ(listed(), 0);
}

constexpr const char* kNoStrategy =
    "split.strategy: 0 is no strategy; allowed: SPLIT_STRATEGY_RANDOM, SPLIT_STRATEGY_STRATIFIED, "
    "SPLIT_STRATEGY_GROUP, SPLIT_STRATEGY_DATASET";

TEST_F(DataFields, CreateSplit) {
  MakeSplit();
  const auto field = [&](const std::function<void(v1::Split&)>& change) {
    return Created([&](v1::CreateSplitRequest& request) { change(*request.mutable_split()); });
  };
  EXPECT_EQ(
      Created([](v1::CreateSplitRequest& request) {
        request.Clear();
        request.set_request_id("1");
      }),
      Invalid(
          {"split.name: \"\" is no resource name of the form \"splits/{id}\"",
           "split.dataset: \"\" is no resource name of the form \"datasets/{id}\"", kNoStrategy,
           "requestId: \"1\" is no UUID of the form 123e4567-e89b-12d3-a456-426614174000",
           ("split.task: there is no task \"\"; known: attribute-prediction, classification, instance-segmentation, "
            "object-detection, panoptic-segmentation, regression, semantic-segmentation, tagging")}));
  EXPECT_EQ(field([](v1::Split& s) {
              s.clear_strategy();
              s.set_task("clasification");
              s.set_validation_percent(500);
            }),
            Invalid({kNoStrategy, "split.task: there is no task \"clasification\"; did you mean classification?",
                     "split.validationPercent: 500 is not between 0 and 100"}));
  EXPECT_EQ(field([](v1::Split& s) { s.set_dataset("datasets/none"); }),
            Invalid({"split.dataset: no dataset is called \"none\""}));
  EXPECT_EQ(field([](v1::Split& s) { s.set_task("clasification"); }),
            Invalid({"split.task: there is no task \"clasification\"; did you mean classification?"}));
  EXPECT_EQ(field([](v1::Split& s) { s.set_train_percent(-1); }),
            Invalid({"split.trainPercent: -1 is not between 0 and 100"}));
  EXPECT_EQ(field([](v1::Split& s) { s.set_validation_percent(100.5); }),
            Invalid({"split.validationPercent: 100.5 is not between 0 and 100"}));
  EXPECT_EQ(field([](v1::Split& s) { s.set_test_percent(std::numeric_limits<double>::quiet_NaN()); }),
            Invalid({"split.testPercent: nan is not between 0 and 100"}));
  EXPECT_EQ(
      field([](v1::Split& s) { s.set_test_percent(30); }),
      Invalid(
          {"split.trainPercent: trainPercent 70, validationPercent 10 and testPercent 30 add up to 110, not to 100"}));
  EXPECT_EQ(Created([](v1::CreateSplitRequest& request) { request.set_validate_only(true); }), kOk);
  EXPECT_EQ(Created([](v1::CreateSplitRequest&) {}), kOk) << "validate_only kept something";
  EXPECT_EQ(Created([](v1::CreateSplitRequest&) {}), (Refusal{StatusCode::kAlreadyExists, {"split new exists"}}));
  v1::GetSplitRequest get;
  get.set_name("s");
  EXPECT_EQ(Refused<v1::Split>(&SplitStub::GetSplit, split_, get),
            Invalid({"name: \"s\" is no resource name of the form \"splits/{id}\""}));
  get.set_name("splits/none");
  const Refusal none{StatusCode::kNotFound, {"no split is called \"none\""}};
  EXPECT_EQ(Refused<v1::Split>(&SplitStub::GetSplit, split_, get), none);
}

TEST_F(DataFields, CreateSplitOfDatasets) {
  MakeSplit();
  const auto field = [&](const std::function<void(v1::Split&)>& change) {
    return Created([&](v1::CreateSplitRequest& request) { change(*request.mutable_split()); });
  };
  const std::string dataset = "datasets/d";
  EXPECT_EQ(field([&](v1::Split& s) { s.add_datasets(dataset); }),
            Invalid({"split.dataset: is given beside `datasets`; allowed: one of the two"}));
  EXPECT_EQ(field([&](v1::Split& s) {
              s.clear_dataset();
              s.add_datasets(dataset);
              s.add_datasets("x");
            }),
            Invalid({"split.datasets[1]: \"x\" is no resource name of the form \"datasets/{id}\""}));
  EXPECT_EQ(field([](v1::Split& s) { s.add_classes("no such class"); }),
            Invalid({"split.classes[0]: no dataset of the split has a class \"no such class\""}));
  EXPECT_EQ(field([](v1::Split& s) { s.add_tags("none has it"); }),
            Invalid({"split.dataset: has 0 items, too few for 3 parts above 0 %"}));
  EXPECT_EQ(field([](v1::Split& s) { s.add_subsets("none has it"); }),
            Invalid({"split.dataset: has 0 items, too few for 3 parts above 0 %"}));
  EXPECT_EQ(field([&](v1::Split& s) {
              s.set_strategy(v1::SPLIT_STRATEGY_DATASET);
              v1::DatasetShare& share = *s.add_dataset_shares();
              share.set_dataset(dataset);
              share.set_percent(101);
            }),
            Invalid({"split.datasetShares[0].part: 0 is no part; allowed: PART_TRAIN, PART_VALIDATION, PART_TEST",
                     "split.datasetShares[0].percent: 101; allowed: above 0, up to 100"}));
}

TEST_F(DataFields, DeleteSplit) {
  MakeSplit();
  const auto deleted = [&](const std::string& name, bool force, bool purge) {
    v1::DeleteSplitRequest request;
    request.set_name(name);
    request.set_force(force);
    request.set_purge(purge);
    return Refused<v1::Split>(&SplitStub::DeleteSplit, split_, request);
  };
  v1::UndeleteSplitRequest undelete;
  undelete.set_name("s");
  const Refusal no_name = Invalid({"name: \"s\" is no resource name of the form \"splits/{id}\""});
  EXPECT_EQ(deleted("s", false, false), no_name);
  EXPECT_EQ(Refused<v1::Split>(&SplitStub::UndeleteSplit, split_, undelete), no_name);
  EXPECT_EQ(deleted("splits/none", true, false), (Refusal{StatusCode::kNotFound, {"no split is called \"none\""}}));
  undelete.set_name("splits/s");
  EXPECT_EQ(Refused<v1::Split>(&SplitStub::UndeleteSplit, split_, undelete),
            (Refusal{StatusCode::kAlreadyExists, {"split s is not deleted"}}));
}

TEST_F(DataFields, ListItems) {
  MakeSplit();
  EXPECT_EQ(Listed([](v1::ListItemsRequest& r) {
              r.set_parent("s");
              r.clear_part();
              r.set_world_size(-1);
              r.set_page_size(-1);
            }),
            Invalid({"parent: \"s\" is no resource name of the form \"splits/{id}\"",
                     "part: 0 is no part; allowed: PART_TRAIN, PART_VALIDATION, PART_TEST",
                     "pageSize: -1 is negative; allowed: 0 (the default of 1000) to 100000",
                     "worldSize: -1 is negative; allowed: 0 (all items) and above"}));
  EXPECT_EQ(Listed([](v1::ListItemsRequest& r) { r.set_parent("splits/none"), r.set_page_size(-1); }),
            Invalid({"pageSize: -1 is negative; allowed: 0 (the default of 1000) to 100000",
                     "parent: no split is called \"none\""}));
  EXPECT_EQ(Listed([](v1::ListItemsRequest& r) { r.set_rank(1); }), Invalid({"rank: 1; allowed: 0 to 0"}));
  EXPECT_EQ(Listed([](v1::ListItemsRequest& r) { r.set_world_size(2), r.set_rank(2); }),
            Invalid({"rank: 2; allowed: 0 to 1"}));
  EXPECT_EQ(Listed([](v1::ListItemsRequest& r) { r.set_page_token("!"); }),
            Invalid({"pageToken: is no token of this server; take next_page_token of the page before"}));
  EXPECT_EQ(Listed([](v1::ListItemsRequest& r) { r.set_view(static_cast<v1::ItemView>(7)); }),
            Invalid({"view: 7 is no view; allowed: ITEM_VIEW_BASIC, ITEM_VIEW_FULL"}));
  EXPECT_EQ(Listed([](v1::ListItemsRequest& r) { r.set_parent("splits/none"); }),
            (Refusal{StatusCode::kNotFound, {"no split is called \"none\""}}));
}

TEST_F(DataFields, RanksShareAPartWithoutOverlap) {
  MakeSplit();
  std::set<int64_t> seen;
  int count = 0;
  for (int rank = 0; rank < 3; ++rank) {
    v1::ListItemsRequest request;
    request.set_parent("splits/s");
    request.set_part(v1::PART_TRAIN);
    request.set_rank(rank);
    request.set_world_size(3);
    request.set_page_size(7);
    request.set_view(v1::ITEM_VIEW_FULL);
    do {
      v1::ListItemsResponse page;
      ASSERT_TRUE(Call(&SplitStub::ListItems, split_, request, &page).ok());
      for (const v1::Item& item : page.items()) {
        seen.insert(item.index());
        ++count;
        EXPECT_EQ(item.uri(), absl::StrCat("file#", item.index()));
        EXPECT_EQ(item.label(), item.index() % 3);
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
  }
  EXPECT_EQ(count, 70);
  EXPECT_EQ(seen.size(), 70u);
}

}  // namespace
}  // namespace gradeline

// Lists of experiments, over a real database: what is in them, in what order, page by page while others write.
#include <algorithm>
#include <iostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/experiment/names.h"
#include "server/store/test_store.h"

namespace gradeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ListTest : public testing::Test {
 protected:
  ListTest() { Reopen(); }
  void Reopen() {
    store_.reset();
    auto opened = place_->Open();
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  void Insert(const std::vector<Experiment>& experiments) {
    auto transaction = store_->Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    for (const Experiment& experiment : experiments) {
      ASSERT_TRUE((*transaction)->InsertExperiment(experiment).ok()) << experiment.id;
    }
    ASSERT_TRUE((*transaction)->Commit().ok());
  }
  std::vector<std::string> List(const std::string& filter, const std::string& order_by = "", bool deleted = false) {
    auto query = ParseListQuery(filter, order_by);
    EXPECT_TRUE(query.ok()) << query.status();
    query->show_deleted = deleted;
    const auto found = store_->ListExperiments(*query, 10'000, "");
    EXPECT_TRUE(found.ok()) << found.status();
    std::vector<std::string> ids;
    for (const Experiment& experiment : *found) ids.push_back(experiment.id);
    return ids;
  }

  const std::unique_ptr<TestStore> place_ = MakeTestStore();
  std::shared_ptr<Store> store_;
};

Experiment Made(std::string id, ExperimentState state, std::string split, int64_t create_ms,
                std::map<std::string, std::string> labels = {}) {
  Experiment experiment;
  experiment.id = std::move(id);
  experiment.state = state;
  experiment.split = std::move(split);
  experiment.architecture = "net";
  experiment.task = "classification";
  experiment.create_ms = create_ms;
  experiment.labels = std::move(labels);
  return experiment;
}

TEST_F(ListTest, EachTermChoosesAndAllMustHold) {
  Experiment deleted = Made("gone", ExperimentState::kLost, "s", 5);
  deleted.delete_ms = 9;
  Insert({Made("a-1", ExperimentState::kDraft, "s", 1000, {{"team", "x"}}),
          Made("a-2", ExperimentState::kRunning, "t", 2000, {{"team", "y\xc3\xa9 'q' ?1"}, {"more", ""}}),
          Made("b", ExperimentState::kRunning, "s", 3000), deleted});
  EXPECT_THAT(List(""), ElementsAre("a-1", "a-2", "b"));
  EXPECT_THAT(List("", "", true), ElementsAre("a-1", "a-2", "b", "gone"));
  EXPECT_THAT(List("state = RUNNING"), ElementsAre("a-2", "b"));
  EXPECT_THAT(List("state != RUNNING"), ElementsAre("a-1"));
  EXPECT_THAT(List("state = RUNNING AND split = splits/s"), ElementsAre("b"));
  EXPECT_THAT(List("architecture = other"), IsEmpty());
  EXPECT_THAT(List("task = classification AND name = a-*"), ElementsAre("a-1", "a-2"));
  EXPECT_THAT(List("name != a-*"), ElementsAre("b"));
  EXPECT_THAT(List("name = a"), IsEmpty());
  EXPECT_THAT(List("labels.team = x"), ElementsAre("a-1"));
  EXPECT_THAT(List("labels.team != x"), ElementsAre("a-2", "b"));
  EXPECT_THAT(List("labels.team:*"), ElementsAre("a-1", "a-2"));
  EXPECT_THAT(List("labels.team = \"y\xc3\xa9 'q' ?1\" AND labels.more = \"\""), ElementsAre("a-2"));
  EXPECT_THAT(List("create_time > 1970-01-01T00:00:01Z AND create_time <= 1970-01-01T00:00:03Z"),
              ElementsAre("a-2", "b"));
  EXPECT_THAT(List("create_time < 1970-01-01T00:00:01Z"), IsEmpty());
  EXPECT_THAT(List("create_time >= 1970-01-01T00:00:03Z"), ElementsAre("b"));
  EXPECT_THAT(List("", "create_time desc"), ElementsAre("b", "a-2", "a-1"));
  EXPECT_THAT(List("", "state desc, name desc"), ElementsAre("b", "a-2", "a-1"));
  EXPECT_THAT(List("", "split, create_time desc"), ElementsAre("b", "a-1", "a-2"));
}

TEST_F(ListTest, WhatChangesIsFoundAnew) {
  Insert({Made("a", ExperimentState::kDraft, "s", 1, {{"team", "x"}, {"k", "v"}})});
  auto transaction = store_->Begin();
  auto [no, experiment] = *(*transaction)->GetExperiment("a");
  experiment.split = "t";
  experiment.labels = {{"team", "z"}};
  experiment.notes = std::string("n\0\xc3\xa9", 4);
  experiment.delete_ms = 7;
  experiment.revision = 5;
  ASSERT_TRUE((*transaction)->ReplaceExperiment(no, experiment).ok());
  ASSERT_TRUE((*transaction)->Commit().ok());
  EXPECT_THAT(List("split = t"), IsEmpty()) << "it is deleted";
  EXPECT_THAT(List("split = t AND labels.team = z", "", true), ElementsAre("a"));
  EXPECT_THAT(List("labels.k:*", "", true), IsEmpty());
  EXPECT_THAT(List("split = s", "", true), IsEmpty());
  const Experiment found = store_->GetExperiment("a")->second;
  EXPECT_EQ(found.notes, experiment.notes);
  EXPECT_EQ(found.labels, experiment.labels);
  EXPECT_EQ(found.delete_ms, 7);
  EXPECT_EQ(found.revision, 5);
}

TEST_F(ListTest, APurgedOneLeavesNothingAndItsNumberIsNeverAnothers) {
  Insert({Made("a", ExperimentState::kLost, "s", 1, {{"team", "x"}}), Made("b", ExperimentState::kLost, "s", 1)});
  const int64_t no = store_->GetExperiment("b")->first;
  {
    auto transaction = store_->Begin();
    AttemptRow attempt;
    attempt.experiment_no = no;
    attempt.attempt = 1;
    attempt.world_size = 2;
    EXPECT_TRUE((*transaction)->InsertAttempt(attempt).ok());
    Record record;
    record.seq = 1;
    EXPECT_TRUE((*transaction)->InsertRecord(no, 1, 0, record).ok());
    EXPECT_TRUE((*transaction)->InsertPhaseEnd(no, 1, {Phase::kTrain, 0, 0, 2, 1}).ok());
    Seal seal;
    seal.attempt = 1;
    EXPECT_TRUE((*transaction)->InsertSeal(no, seal).ok());
    EXPECT_TRUE((*transaction)->InsertEvent(no, {1, seal}).ok());
    EXPECT_TRUE((*transaction)->InsertIncident(no, 1, 0, "late", "", 1).ok());
    EXPECT_TRUE((*transaction)->PurgeExperiment(no).ok());
    ASSERT_TRUE((*transaction)->Commit().ok());
  }
  EXPECT_THAT(List("", "", true), ElementsAre("a"));
  EXPECT_THAT(*store_->CheckIntegrity([] { return true; }), IsEmpty()) << "rows that lead nowhere";
  EXPECT_THAT(*store_->ListEvents(no, 10, 0), IsEmpty());
  EXPECT_THAT(*store_->ListIncidents(no), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(store_->GetAttempt(no, 1).status()));
  Reopen();
  Insert({Made("b", ExperimentState::kDraft, "s", 2)});
  EXPECT_GT(store_->GetExperiment("b")->first, no);
}

TEST_F(ListTest, ExperimentsOfAnOlderSchemaAreFilledWhenTheStoreOpens) {
  Insert({Made("old", ExperimentState::kLost, "s", 7)});
  ASSERT_TRUE(place_->Connect()
                  ->Execute("UPDATE experiments SET split = '', architecture = '', task = '', create_ms = -1")
                  .ok());
  EXPECT_THAT(List("split = s"), IsEmpty());
  Reopen();
  EXPECT_THAT(List("split = s AND architecture = net AND task = classification AND create_time > 1970-01-01T00:00:00Z"),
              ElementsAre("old"));
}

// What was there from the first page to the last, and did not change, comes exactly once.
TEST_F(ListTest, PagesStayRightWhileOthersWrite) {
  std::mt19937 random(7);
  std::vector<Experiment> experiments;
  for (int i = 0; i < 200; ++i) {
    experiments.push_back(Made(absl::StrCat("e-", random() % 100'000, "-", i),
                               static_cast<ExperimentState>(1 + random() % 8), absl::StrCat("s", random() % 3),
                               static_cast<int64_t>(random() % 40), {{"n", absl::StrCat(i % 2)}}));
  }
  Insert(experiments);
  int more = 0;
  for (const char* order_by : {"", "name desc", "create_time desc", "split, create_time", "state desc, split desc"}) {
    for (const char* filter : {"", "labels.n = 1 AND split != s2"}) {
      const ListQuery query = *ParseListQuery(filter, order_by);
      const std::vector<std::string> before = List(filter, order_by);
      EXPECT_FALSE(before.empty());
      std::vector<Experiment> seen;
      std::string after;
      do {
        const auto page = store_->ListExperiments(query, 7, after);
        ASSERT_TRUE(page.ok()) << page.status();
        if (page->empty()) break;
        seen.insert(seen.end(), page->begin(), page->end());
        after = PlaceOf(query, page->back());
        Insert({Made(absl::StrCat("e-", random() % 100'000, "-more-", ++more), ExperimentState::kDraft,
                     absl::StrCat("s", random() % 3), static_cast<int64_t>(random() % 40), {{"n", "1"}})});
      } while (true);
      EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end(),
                                 [&query](const auto& a, const auto& b) { return StandsBefore(query, a, b); }));
      std::vector<std::string> ids;
      for (const Experiment& experiment : seen) ids.push_back(experiment.id);
      for (const std::string& id : before) {
        EXPECT_EQ(std::count(ids.begin(), ids.end(), id), 1) << id << " by " << order_by << " where " << filter;
      }
      std::sort(ids.begin(), ids.end());
      EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
    }
  }
}

// Reports how long lists take; what they find is what is tested.
TEST_F(ListTest, TenThousandAreListed) {
  constexpr int kExperiments = 10'000;
  std::vector<Experiment> experiments;
  for (int i = 0; i < kExperiments; ++i) {
    experiments.push_back(Made(absl::StrCat("experiment-", i), static_cast<ExperimentState>(1 + i % 8),
                               absl::StrCat("s", i % 10), i, {{"team", i % 100 == 0 ? "vision" : "other"}}));
    ResolvedHead head;
    head.head = "classification";
    head.loss = "cross_entropy";
    head.inputs.assign(4, std::string(60, 'x'));
    head.components.assign(4, "cross_entropy");
    experiments.back().heads.assign(4, head);
    experiments.back().notes = std::string(500, 'n');
  }
  Insert(experiments);
  const auto report = [&](const char* filter, const char* order_by, int limit, size_t count) {
    const ListQuery query = *ParseListQuery(filter, order_by);
    ASSERT_TRUE(store_->ListExperiments(query, limit, "").ok());  // so that a connection is there
    const absl::Time begin = absl::Now();
    size_t found = 0;
    std::string after;
    do {
      const auto page = store_->ListExperiments(query, limit, after);
      ASSERT_TRUE(page.ok()) << page.status();
      found += page->size();
      after = page->size() == static_cast<size_t>(limit) ? PlaceOf(query, page->back()) : "";
    } while (!after.empty());
    std::cout << absl::StrFormat("%6.1f ms: %d of %d experiments in pages of %d where \"%s\" by \"%s\"\n",
                                 absl::ToDoubleMilliseconds(absl::Now() - begin), found, kExperiments, limit, filter,
                                 order_by);
    EXPECT_EQ(found, count) << filter;
  };
  report("labels.team = vision", "", 1000, 100);
  report("labels.team = vision AND state = DRAFT", "create_time desc", 1000, 50);
  report("state = RUNNING AND split = s2", "", 1000, 250);
  report("name = experiment-99*", "create_time desc", 1000, 111);
  report("state = FAILED", "state, create_time", 100, 1250);
  report("state = QUEUED AND split = s0", "", 1000, 0);
  report("", "", 1000, 10'000);
}

TEST_F(ListTest, APlaceOfAnotherOrderIsRefused) {
  EXPECT_TRUE(
      absl::IsInvalidArgument(store_->ListExperiments(*ParseListQuery("", "create_time"), 7, "just-a-name").status()));
}

}  // namespace
}  // namespace gradeline

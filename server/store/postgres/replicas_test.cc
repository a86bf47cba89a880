// Two servers over one schema, with all that they have in memory: what one leaves the other takes up, and what one
// stores the other tells.
#include <atomic>
#include <thread>

#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/store/postgres/testing/test_postgres.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using testing::HasSubstr;

class Replicas : public testing::Test {
 protected:
  Replicas() {
    EXPECT_TRUE(first_.store->Advertise("first:1").ok());
    EXPECT_TRUE(second_.store->Advertise("second:1").ok());
  }
  // Ends the first server as SIGTERM does, and waits until the second has its experiments.
  void EndFirst() {
    first_.experiments.reset();
    first_.store.reset();
    ASSERT_TRUE(Eventually([this] { return !second_.store->ListExpectedRanks()->empty(); }));
  }
  // Time at the second server.
  void Pass(int64_t ms) {
    for (; ms > 0; ms -= 4'000) {
      second_.clock.now_ms += std::min<int64_t>(ms, 4'000);
      second_.Settle();
      second_.Settle();
    }
  }
  // What a watcher has heard of, in order, by now.
  static std::vector<int64_t> Hear(Subscription& watcher, bool* ended) {
    std::vector<int64_t> revisions;
    while (true) {
      const auto news = watcher.Next(100);
      EXPECT_TRUE(news.ok()) << news.status();
      for (const Event& event : news->events) revisions.push_back(event.revision);
      *ended = news->ended;
      if (news->events.empty() || news->ended) return revisions;
    }
  }

  TestWorld first_, second_{Experiments::Options{}, first_.place()};
};

TEST_F(Replicas, RanksOfAServerThatIsGoneHaveTheFullTimeToComeBackToTheOther) {
  first_.Start(2, 1);
  second_.token = first_.token;
  const auto one = std::make_shared<TestListener>();
  const auto session = *first_.Join(0, one);
  Send(*session, TestRecord(1, {Phase::kTrain, 0, 0, 0, 0}, 1));
  one->AwaitCommitted(1);
  ASSERT_TRUE(first_.Join(1, std::make_shared<TestListener>(), 'b').ok());
  const absl::Status refused = second_.Join(0, one).status();
  EXPECT_EQ(ReasonOf(refused).reason, "NOT_OWNER");
  EXPECT_EQ(ReasonOf(refused).metadata["address"], "first:1");
  EndFirst();
  Pass(1'000);
  const auto back = std::make_shared<TestListener>();
  const auto again = second_.Join(0, back);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->welcome().committed_seq, 1);
  for (int i = 0; i < 14; ++i) {
    (*again)->Heartbeat(false);
    Pass(4'000);
  }
  EXPECT_EQ(second_.Get().state, ExperimentState::kRunning) << "rank 1 has 60 s from the takeover on";
  (*again)->Heartbeat(false);
  Pass(4'000);
  back->AwaitStop();
  EXPECT_EQ(second_.Get().state, ExperimentState::kLost);
  EXPECT_THAT(second_.Get().reason, HasSubstr("rank 1"));
}

TEST_F(Replicas, AnExperimentToWhichNobodyComesBackEnds) {
  first_.Start(2, 1);
  for (const int32_t rank : {0, 1}) {
    ASSERT_TRUE(first_.Join(rank, std::make_shared<TestListener>(), rank == 0 ? 'a' : 'b').ok());
  }
  EndFirst();
  Pass(60'000);
  EXPECT_EQ(second_.Get().state, ExperimentState::kRunning);
  Pass(8'000);
  EXPECT_EQ(second_.Get().state, ExperimentState::kLost);
}

TEST_F(Replicas, WhoDoesNotComeBackIsMissedAlsoWhereTheFirstToComeClaimedTheExperiment) {
  first_.Start(2, 1);
  second_.token = first_.token;
  for (const int32_t rank : {0, 1}) {
    ASSERT_TRUE(first_.Join(rank, std::make_shared<TestListener>(), rank == 0 ? 'a' : 'b').ok());
  }
  first_.experiments.reset();
  first_.store.reset();
  const auto back = std::make_shared<TestListener>();
  const auto again = second_.Join(0, back);  // sooner than the next beat
  ASSERT_TRUE(again.ok()) << again.status();
  for (int i = 0; i < 15; ++i) {
    (*again)->Heartbeat(true);
    Pass(4'000);
  }
  back->AwaitStop();
  EXPECT_THAT(second_.Get().reason, HasSubstr("rank 1"));
}

TEST_F(Replicas, AWatchAtTheOtherSeesEveryEventOnceAndTheEnd) {
  std::atomic<int> woken{0};
  first_.MakeSplit();
  ASSERT_TRUE(second_.experiments->CreateExperiment(TestExperiment(1, 1), "", false).ok());
  const auto watcher = *second_.experiments->Watch("e", 0, [&woken] { ++woken; });
  bool ended = false;
  EXPECT_THAT(Hear(*watcher, &ended), testing::ElementsAre(1));
  const auto started = first_.experiments->Start("e", "", "");
  ASSERT_TRUE(started.ok()) << started.status();
  first_.token = started->token;
  const auto listener = std::make_shared<TestListener>();
  const auto session = *first_.Join(0, listener);
  int64_t seq = SendPhase(*session, 1, Phase::kTrain, 0, 2);
  seq = SendPhase(*session, seq, Phase::kValidation, 0, 1);
  SendBye(*session, seq);
  listener->AwaitStop();
  const int before = woken;
  Pass(1'000);
  EXPECT_GT(woken, before);
  const std::vector<int64_t> heard = Hear(*watcher, &ended);
  EXPECT_EQ(heard.front(), 2);
  EXPECT_EQ(heard.back(), first_.Get().revision);
  EXPECT_EQ(heard.size(), static_cast<size_t>(heard.back() - 1));
  EXPECT_TRUE(ended);
}

TEST_F(Replicas, ARequestThatComesThroughBothIsDoneOnce) {
  first_.MakeSplit();
  for (int i = 0; i < 20; ++i) {
    Experiment experiment = TestExperiment(1, 1);
    experiment.id = absl::StrCat("e", i);
    const std::string request = absl::StrCat("request-", i);
    absl::StatusOr<Experiment> answers[2];
    std::thread other([&] { answers[0] = second_.experiments->CreateExperiment(experiment, request, false); });
    answers[1] = first_.experiments->CreateExperiment(experiment, request, false);
    other.join();
    ASSERT_TRUE(answers[0].ok()) << answers[0].status();
    ASSERT_TRUE(answers[1].ok()) << answers[1].status();
    EXPECT_EQ(answers[0]->create_ms, answers[1]->create_ms);
    EXPECT_EQ(answers[0]->revision, 1);
  }
}

TEST_F(Replicas, ADatasetIsNotDeletedUnderASplitThatTheOtherMakes) {
  first_.MakeSplit();
  for (int i = 0; i < 20; ++i) {
    Dataset dataset;
    dataset.id = absl::StrCat("d", i);
    dataset.classes = {"a", "b", "c"};
    std::vector<Item> items;
    for (int item = 0; item < 30; ++item) items.push_back({0, absl::StrCat("file#", item), item % 3});
    ASSERT_TRUE(first_.experiments->ImportDataset(dataset, items, "").ok());
    Split split = *first_.experiments->GetSplit("s");
    split.id = absl::StrCat("s", i);
    split.datasets = {dataset.id};
    absl::Status made, deleted;
    std::thread other([&] { made = second_.experiments->CreateSplit(split, "", false).status(); });
    deleted = first_.experiments->DeleteDataset(dataset.id).status();
    other.join();
    EXPECT_NE(made.ok(), deleted.ok()) << made << " " << deleted;
  }
}

TEST_F(Replicas, ASplitIsNotDeletedUnderAnExperimentThatTheOtherMakes) {
  first_.MakeSplit();
  const Split made = *first_.experiments->GetSplit("s");
  for (int i = 0; i < 20; ++i) {
    Split split = made;
    split.id = absl::StrCat("s", i);
    ASSERT_TRUE(first_.experiments->CreateSplit(split, "", false).ok());
    Experiment experiment = TestExperiment(1, 1);
    experiment.id = absl::StrCat("e", i);
    experiment.split = split.id;
    absl::Status created, deleted;
    std::thread other([&] { created = second_.experiments->CreateExperiment(experiment, "", false).status(); });
    deleted = first_.experiments->DeleteSplit(split.id).status();
    other.join();
    EXPECT_NE(created.ok(), deleted.ok()) << created << " " << deleted;
  }
}

}  // namespace
}  // namespace gradeline

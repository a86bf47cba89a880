// Watching an experiment over a real database.
#include <random>
#include <thread>

#include "gmock/gmock.h"
#include "server/store/sqlite/test_world.h"

namespace gradeline {
namespace {

/// What a watcher has heard; "state" or "phase epoch" for each event, progress apart.
class Heard {
 public:
  std::function<bool(const Event&)> sink() {
    return [this](const Event& event) {
      absl::MutexLock lock(&mutex);
      if (const auto* told = std::get_if<Progress>(&event.body)) {
        EXPECT_EQ(event.revision, revisions.empty() ? 0 : revisions.back());
        progress.push_back(*told);
        return true;
      }
      revisions.push_back(event.revision);
      if (const auto* experiment = std::get_if<Experiment>(&event.body)) last_state = experiment->state;
      return revisions.size() < most;
    };
  }
  std::function<void()> ended_hook() {
    return [this] {
      absl::MutexLock lock(&mutex);
      EXPECT_FALSE(ended);
      ended = true;
    };
  }
  void AwaitEnd() {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&ended), absl::Seconds(20)));
  }
  template <typename F>
  void Await(F condition) {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&condition), absl::Seconds(20)));
  }

  absl::Mutex mutex;
  std::vector<int64_t> revisions;
  std::vector<Progress> progress;
  size_t most = 1'000'000;
  std::optional<ExperimentState> last_state;
  bool ended = false;
};

std::vector<int64_t> FromTo(int64_t from, int64_t to) {
  std::vector<int64_t> list;
  for (; from <= to; ++from) list.push_back(from);
  return list;
}

void RunToEnd(TestWorld& world, int epochs) {
  const auto listener = std::make_shared<TestListener>();
  const auto session = *world.Join(0, listener);
  int64_t seq = 1;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    seq = SendPhase(*session, seq, Phase::kTrain, epoch, 2);
    listener->AwaitSeals(static_cast<size_t>(epoch) + 1);
  }
  SendBye(*session, seq);
  listener->AwaitStop();
}

TEST(Watch, WhatWasAndWhatComes) {
  TestWorld world;
  world.Start(1, 3);
  Heard heard;
  const auto subscription = world.experiments->Watch("e", 0, heard.sink(), heard.ended_hook());
  ASSERT_TRUE(subscription.ok());
  RunToEnd(world, 3);
  heard.AwaitEnd();
  // DRAFT, QUEUED, RUNNING, three seals, SUCCEEDED.
  EXPECT_EQ(heard.revisions, FromTo(1, 7));
  EXPECT_EQ(heard.last_state, ExperimentState::kSucceeded);
}

TEST(Watch, AnEndedExperimentIsToldAgainAndEnds) {
  TestWorld world;
  world.Start(1, 3);
  RunToEnd(world, 3);
  world.Restart();
  for (const int64_t from : {0, 4, 7}) {
    Heard heard;
    const auto subscription = world.experiments->Watch("e", from, heard.sink(), heard.ended_hook());
    heard.AwaitEnd();
    EXPECT_EQ(heard.revisions, FromTo(from + 1, 7));
  }
}

TEST(Watch, RevisionsThatAreNotReachedAreRefused) {
  TestWorld world;
  world.Start(1, 1);
  Heard heard;
  EXPECT_EQ(world.experiments->Watch("e", 3, heard.sink(), nullptr).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(world.experiments->Watch("e", -1, heard.sink(), nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world.experiments->Watch("x", 0, heard.sink(), nullptr).status().code(), absl::StatusCode::kNotFound);
}

TEST(Watch, ASinkThatHasEnoughHearsNoMore) {
  TestWorld world;
  world.Start(1, 3);
  Heard heard, all;
  heard.most = 4;
  const auto subscription = world.experiments->Watch("e", 0, heard.sink(), heard.ended_hook());
  const auto other = world.experiments->Watch("e", 0, all.sink(), all.ended_hook());
  RunToEnd(world, 3);
  all.AwaitEnd();
  EXPECT_EQ(heard.revisions, FromTo(1, 4));
  EXPECT_FALSE(heard.ended);
}

TEST(Watch, ManyThatComeAndGoMissNothing) {
  constexpr int kEpochs = 60;
  TestWorld world;
  world.Start(1, kEpochs);
  std::vector<std::thread> watchers;
  for (unsigned w = 0; w < 4; ++w) {
    watchers.emplace_back([&world, w] {
      std::mt19937 random(w);
      std::vector<int64_t> seen;
      bool ended = false;
      while (!ended) {
        Heard heard;
        heard.most = 1 + random() % 8;
        const auto subscription =
            world.experiments->Watch("e", static_cast<int64_t>(seen.size()), heard.sink(), heard.ended_hook());
        ASSERT_TRUE(subscription.ok());
        heard.Await([&heard]()
                        ABSL_NO_THREAD_SAFETY_ANALYSIS { return heard.ended || heard.revisions.size() >= heard.most; });
        absl::MutexLock lock(&heard.mutex);
        seen.insert(seen.end(), heard.revisions.begin(), heard.revisions.end());
        ended = heard.ended;
      }
      EXPECT_EQ(seen, FromTo(1, 4 + kEpochs));
    });
  }
  RunToEnd(world, kEpochs);
  for (std::thread& watcher : watchers) watcher.join();
}

TEST(Watch, ProgressIsProvisionalAndNotTooOften) {
  TestWorld world;
  world.Start(2, 1);
  Heard heard;
  const auto subscription = world.experiments->Watch("e", 0, heard.sink(), heard.ended_hook());
  const auto listener = std::make_shared<TestListener>();
  const auto session = *world.Join(0, listener);
  for (int64_t seq = 1; seq <= 50; ++seq) {
    session->Begin(seq).IgnoreError();
    ReportNow(*session, TestRecord(seq, {Phase::kTrain, 0, seq, 0, 0}, 2));
  }
  heard.Await([&heard]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !heard.progress.empty(); });
  {
    absl::MutexLock lock(&heard.mutex);
    EXPECT_EQ(heard.progress.size(), 1u) << "no time has passed";
    EXPECT_EQ(heard.progress[0].batches, 1);
    EXPECT_EQ(heard.progress[0].loss, 3);
    EXPECT_EQ(heard.progress[0].ranks_joined, 1);
    EXPECT_EQ(heard.progress[0].world_size, 2);
  }
  // What had to wait is told when its time has come, without another record.
  world.clock.now_ms += 1000;
  heard.Await([&heard]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return heard.progress.size() >= 2; });
  absl::MutexLock lock(&heard.mutex);
  EXPECT_EQ(heard.progress[1].batches, 50);
  EXPECT_EQ(heard.progress[1].items, 500);
}

TEST(Watch, ProgressAfterARestartCountsWhatIsStored) {
  TestWorld world;
  world.Start(1, 1);
  auto listener = std::make_shared<TestListener>();
  auto session = *world.Join(0, listener);
  for (int64_t seq = 1; seq <= 7; ++seq) Send(*session, TestRecord(seq, {Phase::kTrain, 0, seq, 0, 0}, 2));
  listener->AwaitCommitted(7);
  session.reset();
  world.Restart();
  Heard heard;
  const auto subscription = world.experiments->Watch("e", 0, heard.sink(), heard.ended_hook());
  session = *world.Join(0, listener);
  Send(*session, TestRecord(8, {Phase::kTrain, 0, 8, 0, 0}, 2));
  heard.Await([&heard]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !heard.progress.empty(); });
  absl::MutexLock lock(&heard.mutex);
  EXPECT_EQ(heard.progress[0].batches, 8);
}

}  // namespace
}  // namespace gradeline

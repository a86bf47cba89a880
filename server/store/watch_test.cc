// Watching an experiment over a real database.
#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "gmock/gmock.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

/// A watcher that reads on a thread of its own whenever it is woken, until it has `most` events or the experiment
/// ended.
class Heard {
 public:
  Heard(TestWorld& world, int64_t from, size_t most = 1'000'000) : from_(from), most_(most) {
    auto watched = world.experiments->Watch("e", from, [this] {
      absl::MutexLock lock(&mutex);
      stirred_ = true;
    });
    EXPECT_TRUE(watched.ok()) << watched.status();
    subscription_ = *std::move(watched);
    reader_ = std::thread([this] { Read(); });
  }
  ~Heard() {
    {
      absl::MutexLock lock(&mutex);
      leaving_ = stirred_ = true;
    }
    reader_.join();
    subscription_.reset();
  }
  void AwaitEnd() {
    Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ended; });
  }
  template <typename F>
  void Await(F condition) {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&condition), absl::Seconds(20)));
  }

  absl::Mutex mutex;
  std::vector<int64_t> revisions;
  std::vector<Progress> progress;
  std::optional<ExperimentState> last_state;
  bool ended = false;

 private:
  void Read() {
    bool more = true;
    while (more) {
      {
        absl::MutexLock lock(&mutex);
        mutex.Await(absl::Condition(&stirred_));
        if (leaving_) return;
        stirred_ = false;
      }
      auto news = subscription_->Next(static_cast<int>(std::min<size_t>(most_, 7)));
      ASSERT_TRUE(news.ok()) << news.status();
      more = Take(*news);
    }
  }
  bool Take(const Subscription::News& news) {
    absl::MutexLock lock(&mutex);
    EXPECT_FALSE(ended);
    for (const Event& event : news.events) {
      if (const auto* told = std::get_if<Progress>(&event.body)) {
        EXPECT_EQ(event.revision, revisions.empty() ? from_ : revisions.back());
        progress.push_back(*told);
        continue;
      }
      revisions.push_back(event.revision);
      if (const auto* experiment = std::get_if<Experiment>(&event.body)) last_state = experiment->state;
    }
    stirred_ |= !news.events.empty();
    ended = news.ended;
    return !ended && revisions.size() < most_;
  }

  const int64_t from_;
  const size_t most_;
  bool stirred_ ABSL_GUARDED_BY(mutex) = true;
  bool leaving_ ABSL_GUARDED_BY(mutex) = false;
  std::unique_ptr<Subscription> subscription_;
  std::thread reader_;
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
  Heard heard(world, 0);
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
    Heard heard(world, from);
    heard.AwaitEnd();
    EXPECT_EQ(heard.revisions, FromTo(from + 1, 7));
  }
}

TEST(Watch, RevisionsThatAreNotReachedAreRefused) {
  TestWorld world;
  world.Start(1, 1);
  const auto code = [&world](const std::string& id, int64_t from) {
    return world.experiments->Watch(id, from, [] {}).status().code();
  };
  EXPECT_EQ(code("e", 3), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(code("e", -1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("x", 0), absl::StatusCode::kNotFound);
}

TEST(Watch, AWatcherThatReadsLateHasMissedNothing) {
  TestWorld world;
  world.Start(1, 3);
  std::atomic<int> woken{0};
  const auto late = *world.experiments->Watch("e", 0, [&woken] { ++woken; });
  RunToEnd(world, 3);
  EXPECT_GT(woken, 0);
  std::vector<int64_t> revisions;
  bool ended = false;
  while (!ended) {
    const auto news = late->Next(3);
    ASSERT_TRUE(news.ok());
    ASSERT_FALSE(news->events.empty() && !news->ended);
    for (const Event& event : news->events) revisions.push_back(event.revision);
    ended = news->ended;
  }
  EXPECT_EQ(revisions, FromTo(1, 7));
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
        const size_t most = 1 + random() % 8;
        Heard heard(world, static_cast<int64_t>(seen.size()), most);
        heard.Await([&heard, most]()
                        ABSL_NO_THREAD_SAFETY_ANALYSIS { return heard.ended || heard.revisions.size() >= most; });
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
  Heard heard(world, 0);
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
  Heard heard(world, 0);
  session = *world.Join(0, listener);
  Send(*session, TestRecord(8, {Phase::kTrain, 0, 8, 0, 0}, 2));
  listener->AwaitCommitted(8);
  world.clock.now_ms += 1000;
  heard.Await([&heard]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return !heard.progress.empty() && heard.progress.back().batches == 8;
  });
}

}  // namespace
}  // namespace gradeline

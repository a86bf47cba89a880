// A full disk, a broken disk and a process that is killed.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/experiment/fold.h"
#include "server/store/sqlite/test_full_disk.h"
#include "server/store/sqlite/test_sqlite.h"

namespace gradeline {
namespace {

constexpr Phase kTrain = Phase::kTrain;

Record RecordOf(int64_t seq) { return TestRecord(seq, {kTrain, 0, seq, 0, 0}, 0.1 * static_cast<double>(seq)); }

TEST(AFullDisk, ClosesTheStreamAndTheWorkerReplaysWhenThereIsRoom) {
  TestWorld world;
  SqliteOf(world).max_pages = 64;
  world.Restart();
  world.Start(1, 1);
  auto listener = std::make_shared<TestListener>();
  auto session = *world.Join(0, listener);
  // A hundred at a time, until one does not fit; all after it fail with it.
  Fate failed{RecordFate::kCommitted, absl::OkStatus()};
  int64_t sent = 0;
  while (failed.first == RecordFate::kCommitted) {
    ASSERT_LT(sent, 100'000);
    for (int i = 0; i < 100 && session->Begin(sent + 1).ok(); ++i) {
      session->Report(RecordOf(++sent), [&failed](RecordFate fate, const absl::Status& status) {
        if (failed.first == RecordFate::kCommitted) failed = {fate, status};
      });
    }
    // Waits for all of them: it is queued behind.
    EXPECT_EQ(world.experiments->DeleteDataset("nothing").status().code(), absl::StatusCode::kNotFound);
  }
  EXPECT_EQ(failed.first, RecordFate::kFailed);
  EXPECT_EQ(failed.second.code(), absl::StatusCode::kResourceExhausted) << failed.second;
  EXPECT_EQ(ReasonOf(failed.second).reason, "DISK_FULL");
  EXPECT_EQ(session->Begin(sent + 1).status().code(), absl::StatusCode::kResourceExhausted);
  const int64_t committed = listener->committed;
  EXPECT_GT(committed, 0);
  EXPECT_LT(committed, sent);
  // Reads go on, but no write: the server is not ready.
  EXPECT_EQ(world.Get().state, ExperimentState::kRunning);
  EXPECT_EQ(world.store->Check().code(), absl::StatusCode::kResourceExhausted);
  session.reset();
  SqliteOf(world).max_pages = 0;
  world.Restart();
  listener = std::make_shared<TestListener>();
  session = *world.Join(0, listener);
  EXPECT_EQ(session->welcome().committed_seq, committed);
  for (int64_t seq = committed + 1; seq <= sent; ++seq) Send(*session, RecordOf(seq));
  ASSERT_TRUE(session->Begin(sent + 1).ok());
  ASSERT_TRUE(session->EndPhase(sent + 1, kTrain, 0, sent, nullptr).ok());
  listener->AwaitSeals(1);
  EXPECT_EQ(listener->seals[0].batches, sent);
}

TEST(AFullDisk, ALargeImportTakesNobodyAlong) {
  TestWorld world;
  SqliteOf(world).max_pages = 80;
  world.Restart();
  world.Start(1, 1);
  const auto listener = std::make_shared<TestListener>();
  const auto session = *world.Join(0, listener);
  Dataset dataset;
  dataset.id = "large";
  dataset.classes = {"a"};
  const std::vector<Item> items(20'000, {0, std::string(100, 'x'), 0});
  for (int64_t seq = 1; seq <= 20; ++seq) Send(*session, RecordOf(seq));
  EXPECT_EQ(world.experiments->ImportDataset(dataset, items, "").status().code(), absl::StatusCode::kResourceExhausted);
  for (int64_t seq = 21; seq <= 40; ++seq) Send(*session, RecordOf(seq));
  listener->AwaitCommitted(40);
}

/// Waits until `condition` holds; false after ten seconds.
template <typename F>
bool Eventually(F condition) {
  for (const absl::Time end = absl::Now() + absl::Seconds(10); absl::Now() < end;) {
    if (condition()) return true;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return false;
}

TEST(AFullDisk, IsNotReadyUntilThereIsRoomAgain) {
  FullDisk disk;
  TestWorld world;
  world.MakeSplit();
  EXPECT_TRUE(world.store->Check().ok());
  disk.full = true;
  const absl::Status failed = world.experiments->CreateExperiment(TestExperiment(1, 1), "", false).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kResourceExhausted) << failed;
  EXPECT_EQ(ReasonOf(failed).reason, "DISK_FULL");
  // The answer comes before the ledger is done with the group.
  EXPECT_TRUE(Eventually([&] { return absl::IsResourceExhausted(world.store->Check()); }));
  EXPECT_EQ(world.experiments->DeleteDataset("none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.store->Check().code(), absl::StatusCode::kResourceExhausted) << "nothing was written in between";
  disk.full = false;
  EXPECT_TRUE(Eventually([&] { return world.store->Check().ok(); })) << "nobody writes, and yet it must be found out";
  EXPECT_TRUE(world.experiments->CreateExperiment(TestExperiment(1, 1), "", false).ok());
}

TEST(AFullDisk, OfTheLogsIndexIsNoLostDisk) {
  FullDisk disk;
  std::atomic<int> fatal{0};
  Experiments::Options options;
  options.on_fatal = [&fatal](const absl::Status&) { ++fatal; };
  TestWorld world(options);
  world.MakeSplit();
  world.experiments.reset();
  world.store.reset();
  const auto store = OpenSqliteStore(SqliteOf(world));
  ASSERT_TRUE(store.ok()) << store.status();
  disk.index_full = true;
  // A reader of its own maps the index anew.
  const absl::Status failed = (*store)->GetDataset("d").status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kResourceExhausted) << failed;
  EXPECT_EQ(ReasonOf(failed).reason, "DISK_FULL");
  disk.index_full = false;
  EXPECT_TRUE((*store)->GetDataset("d").ok());
  EXPECT_TRUE((*store)->Check().ok());
  EXPECT_EQ(fatal, 0);
}

TEST(BrokenDisk, IsFatalOnceAndNothingIsWrittenAfterIt) {
  std::atomic<int> fatal{0};
  Experiments::Options options;
  options.on_fatal = [&fatal](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    ++fatal;
  };
  TestWorld world(options);
  world.Start(1, 1);
  world.Restart();  // nothing is in the caches
  const int fd = open(SqliteOf(world).path.c_str(), O_WRONLY);
  const std::string garbage(4096, '\x7f');
  struct stat info {};
  ASSERT_EQ(fstat(fd, &info), 0);
  // The first page stays, so that the connection opens; the rest of the file is noise.
  for (off_t at = 4096; at < info.st_size; at += 4096) ASSERT_EQ(pwrite(fd, garbage.data(), garbage.size(), at), 4096);
  close(fd);
  const auto listener = std::make_shared<TestListener>();
  JoinRequest request;
  request.experiment = "e";
  request.token = world.token;
  request.world_size = 1;
  request.instance = std::string(16, 'a');
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(world.experiments->Join(request, listener).status().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(fatal, 1);
  EXPECT_EQ(world.store->Check().code(), absl::StatusCode::kDataLoss);
}

/// The child of the test below: joins and reports until it is killed, telling each committed seq.
void WriteUntilKilled(const std::string& path, const std::string& token, int tell) {
  SqliteOptions options;
  options.path = path;
  ManualClock clock;
  auto store = OpenSqliteStore(options);
  if (!store.ok()) _exit(3);
  Experiments experiments(*store, TestRegistry(), &clock, [] {
    Experiments::Options o;
    o.numerics = "test";
    return o;
  }());
  class Teller : public TestListener {
   public:
    explicit Teller(int fd) : fd_(fd) {}
    void OnCommitted(int64_t seq) override {
      TestListener::OnCommitted(seq);
      if (write(fd_, &seq, sizeof(seq)) < 0) _exit(4);
    }

   private:
    const int fd_;
  };
  const auto listener = std::make_shared<Teller>(tell);
  JoinRequest request;
  request.experiment = "e";
  request.token = token;
  request.world_size = 1;
  request.instance = std::string(16, 'a');
  const auto session = experiments.Join(request, listener);
  if (!session.ok()) _exit(5);
  for (int64_t seq = (*session)->welcome().committed_seq + 1;; ++seq) {
    while (true) {
      const auto begun = (*session)->Begin(seq);
      if (begun.ok()) break;
      if (!absl::IsResourceExhausted(begun.status())) _exit(6);
      listener->AwaitCommitted(seq - 1);
    }
    (*session)->Report(RecordOf(seq), nullptr);
  }
}

TEST(Killed, WhatWasAcknowledgedIsThereAndCountsOnce) {
  TestWorld world;
  world.Start(1, 1);
  std::mt19937 random(7);
  int64_t acknowledged = 0;
  for (int cycle = 0; cycle < 8; ++cycle) {
    world.experiments.reset();
    world.store.reset();
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    if (child == 0) WriteUntilKilled(SqliteOf(world).path, world.token, pipe_fds[1]);
    close(pipe_fds[1]);
    // Killed at some moment after some acknowledgements, whatever it is doing then.
    const int64_t wanted = acknowledged + 1 + static_cast<int64_t>(random() % 3000);
    while (acknowledged < wanted) {
      ASSERT_EQ(read(pipe_fds[0], &acknowledged, sizeof(acknowledged)), static_cast<ssize_t>(sizeof(acknowledged)));
    }
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    int64_t last = 0;
    while (read(pipe_fds[0], &last, sizeof(last)) == static_cast<ssize_t>(sizeof(last))) acknowledged = last;
    close(pipe_fds[0]);
    world.Restart();
    EXPECT_GE(world.store->ListRanks(1, 1)->at(0).committed_seq, acknowledged);
  }
  auto listener = std::make_shared<TestListener>();
  const auto session = *world.Join(0, listener);
  const int64_t count = session->welcome().committed_seq;
  EXPECT_GE(count, acknowledged);
  CompensatedSum sum;
  for (int64_t seq = 1; seq <= count; ++seq) sum.Add(RecordOf(seq).values[0].numerator);
  ASSERT_TRUE(session->Begin(count + 1).ok());
  ASSERT_TRUE(session->EndPhase(count + 1, kTrain, 0, count, nullptr).ok());
  listener->AwaitSeals(1);
  EXPECT_TRUE(listener->seals[0].complete);
  EXPECT_EQ(listener->seals[0].batches, count);
  EXPECT_EQ(listener->seals[0].components[0].numerator, sum.value());
}

}  // namespace
}  // namespace gradeline

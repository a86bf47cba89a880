// For tests of the ledger over a real store: a catalog with one architecture, two losses, a dataset, a split, an
// experiment, and workers that keep what a real one keeps. Time stands still unless a test moves it.
#ifndef GRADELINE_SERVER_STORE_TEST_WORLD_H_
#define GRADELINE_SERVER_STORE_TEST_WORLD_H_

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "server/core/experiment/experiments.h"
#include "server/core/experiment/test_registry.h"
#include "server/core/metric/counts_bytes.h"
#include "server/store/test_store.h"

namespace gradeline {

class ManualClock : public Clock {
 public:
  int64_t UnixMillis() const override { return now_ms + wall_ms; }
  int64_t MonotonicMillis() const override { return now_ms; }
  std::atomic<int64_t> now_ms{1'000'000};
  std::atomic<int64_t> wall_ms{0};  ///< by how much somebody has set the wall clock
};

inline Experiment TestExperiment(int32_t world_size, int32_t epochs) {
  Experiment experiment;
  experiment.id = "e";
  experiment.split = "s";
  experiment.architecture = "net";
  experiment.metrics = {"accuracy"};
  experiment.training.epochs = epochs;
  experiment.training.world_size = world_size;
  return experiment;
}

/// Hears everything and remembers it.
class TestListener : public RankListener {
 public:
  void OnCommitted(int64_t seq) override {
    absl::MutexLock lock(&mutex);
    committed = seq;
  }
  void OnSealed(const Seal& seal) override {
    absl::MutexLock lock(&mutex);
    seals.push_back(seal);
  }
  void OnRanks(const std::vector<LateRank>& late, const std::vector<LateRank>& out) override {
    absl::MutexLock lock(&mutex);
    suspect = late;
    ++rank_news;
    for (const LateRank& rank : out) gone.push_back(rank.rank);
  }
  bool Listens() const override { return listens; }
  void OnStop(ExperimentState state, const std::string& why) override {
    absl::MutexLock lock(&mutex);
    stopped = state;
    reason = why;
  }
  void OnSuperseded() override {
    absl::MutexLock lock(&mutex);
    superseded = true;
  }

  /// Waits, and fails the test after ten seconds.
  template <typename F>
  bool Await(F condition) {
    absl::MutexLock lock(&mutex);
    const bool came = mutex.AwaitWithTimeout(absl::Condition(&condition), absl::Seconds(10));
    EXPECT_TRUE(came) << "committed " << committed << ", " << seals.size() << " seals";
    return came;
  }
  bool AwaitCommitted(int64_t seq) {
    return Await([this, seq]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return committed >= seq; });
  }
  bool AwaitSeals(size_t count) {
    return Await([this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return seals.size() >= count; });
  }
  bool AwaitStop() {
    return Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopped.has_value(); });
  }

  absl::Mutex mutex;
  int64_t committed = 0;
  std::vector<Seal> seals;
  std::vector<int32_t> gone;
  std::vector<LateRank> suspect;
  int rank_news = 0;
  std::atomic<bool> listens{true};
  std::optional<ExperimentState> stopped;
  std::string reason;
  bool superseded = false;
};

/// Store and Experiments in one place; Restart gives the state that a new process would have.
class TestWorld {
  const std::shared_ptr<TestStore> place_;  // outlives the store in it

 public:
  /// In a place that another world may use too, where the store allows that.
  explicit TestWorld(Experiments::Options options = {}, std::shared_ptr<TestStore> place = MakeTestStore())
      : place_(std::move(place)), options_(std::move(options)) {
    if (options_.numerics.empty()) options_.numerics = "test";
    Open();
  }
  /// Everything that the process had in memory is gone.
  void Restart() {
    experiments.reset();
    store.reset();
    Open();
  }
  /// Dataset d of 30 items in 3 classes, split s, experiment e, started.
  void Start(int32_t world_size, int32_t epochs) { Start(TestExperiment(world_size, epochs)); }
  void Start(const Experiment& experiment) {
    if (!experiments->GetSplit("s").ok()) MakeSplit();
    const auto created = experiments->CreateExperiment(experiment, "", false);
    ASSERT_TRUE(created.ok()) << created.status();
    const auto started = experiments->Start(experiment.id, "", "");
    ASSERT_TRUE(started.ok()) << started.status();
    token = started->token;
    id = experiment.id;
  }
  void MakeSplit() {
    Dataset dataset;
    dataset.id = "d";
    dataset.classes = {"a", "b", "c"};
    std::vector<Item> items;
    for (int i = 0; i < 30; ++i) items.push_back({0, absl::StrCat("file#", i), i % 3});
    const auto imported = experiments->ImportDataset(dataset, items, "");
    ASSERT_TRUE(imported.ok()) << imported.status();
    Split split;
    split.id = "s";
    split.datasets = {"d"};
    split.task = "classification";
    split.percent = {70, 10, 20};
    const auto made = experiments->CreateSplit(split, "", false);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  absl::StatusOr<std::shared_ptr<RankSession>> Join(int32_t rank, const std::shared_ptr<TestListener>& listener,
                                                    char instance = 'a') {
    return experiments->Join(Request(rank, instance), listener);
  }
  JoinRequest Request(int32_t rank, char instance = 'a') const {
    JoinRequest request;
    request.experiment = id;
    request.token = token;
    request.rank = rank;
    request.world_size = Get().training.world_size;
    request.instance = std::string(16, instance);
    return request;
  }
  std::vector<Seal> Seals() const { return experiments->ListEpochs(id, 1000, "")->items; }
  Experiment Get() const { return *experiments->GetExperiment(id); }
  std::vector<Incident> Incidents() const { return *store->ListIncidents(store->GetExperiment(id)->first); }
  const std::shared_ptr<TestStore>& place() const { return place_; }
  /// What is queued is committed when this returns, and the ledger's thread has looked around.
  void Settle() { experiments->DeleteDataset("nothing").IgnoreError(); }

  ManualClock clock;
  std::shared_ptr<Store> store;
  std::unique_ptr<Experiments> experiments;
  std::string token, id = "e";  ///< of the experiment started last

 private:
  void Open() {
    auto opened = place_->Open();
    ASSERT_TRUE(opened.ok()) << opened.status();
    store = *opened;
    experiments = std::make_unique<Experiments>(store, TestRegistry(), &clock, options_);
  }
  Experiments::Options options_;
};

/// What accuracy counts of a batch, as a record keeps it.
inline std::string AccuracyCounts(uint64_t right, uint64_t counted) {
  std::string counts, bytes(1, '\1');
  PutUnsigned(right, counts);
  PutUnsigned(counted, counts);
  PutUnsigned(counts.size(), bytes);
  return bytes + counts;
}

/// Head 0 is "classification" (ratio, two components, accuracy), head 1 is "aux" (batchwise, in training alone).
inline Record TestRecord(int64_t seq, RecordKey key, double value, int64_t items = 10) {
  Record record;
  record.seq = seq;
  record.key = key;
  record.items = items;
  record.digest.fill(static_cast<uint8_t>(seq));
  record.values.resize(key.head == 0 ? 2 : 1, {value * static_cast<double>(items), static_cast<double>(items)});
  const auto counted = static_cast<uint64_t>(items);
  const double right = std::clamp(std::floor(value), 0.0, static_cast<double>(items));
  if (key.head == 0) record.metrics = AccuracyCounts(static_cast<uint64_t>(right), counted);
  return record;
}

using Fate = std::pair<RecordFate, absl::Status>;

/// Begins and reports a record that nothing speaks against.
inline void Send(RankSession& session, const Record& record, RecordDone done = nullptr) {
  const auto begun = session.Begin(record.seq);
  EXPECT_TRUE(begun.ok()) << begun.status();
  const absl::Status checked = session.CheckRecord(record);
  EXPECT_TRUE(checked.ok()) << checked;
  session.Report(record, std::move(done));
}

/// As a worker: records of a phase with values 0, 1, 2 ..., then its end. Returns the next seq.
inline int64_t SendPhase(RankSession& session, int64_t seq, Phase phase, int64_t epoch, int64_t count) {
  for (int64_t step = 0; step < count; ++step) {
    Send(session, TestRecord(seq++, {phase, epoch, step, 0, 0}, static_cast<double>(step)));
  }
  EXPECT_TRUE(session.Begin(seq).ok());
  const absl::Status ended = session.EndPhase(seq, phase, epoch, count, nullptr);
  EXPECT_TRUE(ended.ok()) << ended;
  return seq + 1;
}

inline void SendBye(RankSession& session, int64_t seq, std::string reason = "") {
  EXPECT_TRUE(session.Begin(seq).ok());
  session.Bye(seq, std::move(reason), nullptr);
}

/// Runs what takes a RecordDone and waits for the fate.
template <typename F>
Fate AwaitFate(F call) {
  std::promise<Fate> promise;
  call([&promise](RecordFate fate, const absl::Status& status) { promise.set_value({fate, status}); });
  return promise.get_future().get();
}

inline Fate ReportNow(RankSession& session, const Record& record) {
  return AwaitFate([&](RecordDone done) { session.Report(record, std::move(done)); });
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_TEST_WORLD_H_

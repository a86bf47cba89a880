// CheckStore over snapshots of real databases: nothing is said of a good one, and each invariant's damage is named.
#include "server/core/experiment/check.h"

#include <cmath>
#include <functional>
#include <limits>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "server/core/experiment/codec.h"
#include "server/store/sql/connection.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using testing::HasSubstr;

const std::function<bool()> kGoOn = [] { return true; };

// "finished": two ranks, a conflict and a duplicate on the way. "cancelled" and "open": in the middle of an epoch.
class CheckTest : public testing::Test {
 protected:
  CheckTest() {
    Begin("finished", 2);
    const auto first = std::make_shared<TestListener>(), second = std::make_shared<TestListener>();
    const auto one = *world_.Join(0, first), two = *world_.Join(1, second, 'b');
    const Record record = TestRecord(1, {Phase::kTrain, 0, 7, 0, 0}, 0.3);
    Send(*one, record);
    Record again = record;
    again.seq = 2;
    Send(*one, again);  // a duplicate
    Record other = TestRecord(3, record.key, 0.4);
    Send(*one, other);  // a conflict
    Send(*one, TestRecord(4, {Phase::kTrain, 0, 8, 1, 0}, 0.7));
    End(*one, 5, 2);
    SendPhase(*two, 1, Phase::kTrain, 0, 3);
    SendBye(*one, 6);
    SendBye(*two, 5);
    EXPECT_TRUE(first->AwaitStop());
    for (const char* id : {"cancelled", "open"}) {
      Begin(id, 1);
      const auto listener = std::make_shared<TestListener>();
      const auto rank = *world_.Join(0, listener);
      const int64_t seq = SendPhase(*rank, 1, Phase::kTrain, 0, 2);
      Send(*rank, TestRecord(seq, {Phase::kTrain, 1, 0, 0, 0}, 0.1));
      EXPECT_TRUE(listener->AwaitCommitted(seq));
    }
    EXPECT_TRUE(world_.experiments->Cancel("cancelled", "", "").ok());
  }

  void Begin(const std::string& id, int32_t world_size) {
    Experiment experiment = TestExperiment(world_size, 2);
    experiment.id = id;
    world_.Start(experiment);
  }
  static void End(RankSession& session, int64_t seq, int64_t records) {
    ASSERT_TRUE(session.Begin(seq).ok());
    ASSERT_TRUE(session.EndPhase(seq, Phase::kTrain, 0, records, nullptr).ok());
  }

  /// What is said of a store, a line each: "experiment attempt what".
  static std::string FlawsOf(Store& store) {
    const auto report = CheckStore(store, kGoOn);
    EXPECT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->flaw_count, static_cast<int64_t>(report->flaws.size()));
    return absl::StrJoin(report->flaws, "\n", [](std::string* out, const Flaw& flaw) {
      absl::StrAppend(out, flaw.experiment, " ", flaw.attempt, " ", flaw.what);
    });
  }
  /// What is said of a snapshot of a copy that `damage` was done to.
  std::string FlawsAfter(const std::function<void(Connection&)>& damage) {
    const auto copy = world_.place()->Copy();
    damage(*copy->Connect());
    const auto damaged = copy->Open();
    EXPECT_TRUE(damaged.ok()) << damaged.status();
    const auto snapshot = (*damaged)->TakeSnapshot(kGoOn);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    const auto store = (*snapshot)->Open();
    EXPECT_TRUE(store.ok()) << store.status();
    return FlawsOf(**store);
  }
  std::string FlawsAfter(const std::string& sql) {
    return FlawsAfter([&](Connection& connection) {
      const absl::StatusOr<bool> changed = connection.Prepare(sql.c_str()).Insert();
      EXPECT_TRUE(changed.ok() && *changed) << sql << ": " << changed.status();
    });
  }

  TestWorld world_;
};

TEST_F(CheckTest, AGoodStoreHasNoFlaw) {
  EXPECT_EQ(FlawsAfter([](Connection&) {}), "");
  const auto snapshot = world_.store->TakeSnapshot(kGoOn);
  ASSERT_TRUE(snapshot.ok());
  const auto store = (*snapshot)->Open();
  ASSERT_TRUE(store.ok()) << store.status();
  const auto report = CheckStore(**store, kGoOn);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->experiments, 3);
  EXPECT_EQ(report->records, 2 + 3 + 2 * 3);
}

TEST_F(CheckTest, EachDamageIsNamed) {
  const std::string of_finished = " WHERE experiment = (SELECT no FROM experiments WHERE name = 'finished')";
  const std::string of_open = " WHERE experiment = (SELECT no FROM experiments WHERE name = 'open')";
  const std::pair<std::string, std::string> cases[] = {
      // Integrity.
      {"DELETE FROM attempts" + of_finished, " 0 5 rows of records without their attempts"},
      {"DELETE FROM experiments WHERE name = 'open'", " 0 4 rows of events without their experiments"},
      {"DELETE FROM items WHERE item = 3", " 0 1 rows of split_items without their items"},
      // Events.
      {"DELETE FROM events" + of_finished + " AND revision = 2", "finished 0 event 3 follows event 1"},
      {"UPDATE experiments SET revision = revision + 1 WHERE name = 'open'", "open 0 the last event is"},
      {"DELETE FROM seals" + of_finished, "finished 0 1 events of 0 seals"},
      {"UPDATE experiments SET state = 'FAILED' WHERE name = 'finished'", "finished 0 is FAILED in attempt 1"},
      // Attempts and ranks.
      {"UPDATE experiments SET state = 'DRAFT' WHERE name = 'open'", "open 0 is DRAFT with 1 attempts"},
      {"UPDATE attempts SET state = 'OPEN'" + of_finished, "finished 1 is open, the experiment is SUCCEEDED"},
      {"UPDATE attempts SET state = 'LOST'" + of_open, "open 1 is closed, the experiment is RUNNING"},
      {"UPDATE experiments SET attempt = 2 WHERE name = 'open'", "open 2 cannot be read: experiment number"},
      {"DELETE FROM ranks" + of_finished + " AND rank = 1", "finished 1 has 1 ranks for a world size of 2"},
      {"UPDATE ranks SET state = 'HELD'" + of_finished + " AND rank = 1", "finished 1 rank 1 is HELD"},
      // Seals.
      {"DELETE FROM seals" + of_finished, "finished 1 train of epoch 0 has no seal, and the attempt is closed"},
      {"UPDATE records SET vals = (SELECT vals FROM records AS other" + of_open + " AND epoch = 0 AND step = 1)" +
           of_finished + " AND step = 7 AND rank = 0",
       "finished 1 the complete seal of train of epoch 0 is not the fold of its records"},
      {"DELETE FROM records" + of_finished + " AND step = 8", "rank 0 ended it with 2 records, stored are 1"},
      {"DELETE FROM phase_ends" + of_finished + " AND rank = 0", "rank 0 has not ended it"},
      {"UPDATE records SET head = 9" + of_open + " AND epoch = 1", "a record of train of epoch 1 is of head 9"},
      // Seqs.
      {"UPDATE ranks SET committed_seq = 3" + of_open, "has seq 4, committed is 3"},
      {"UPDATE records SET seq = 3" + of_open + " AND epoch = 1", "has seq 3, which an end has too"},
      {"UPDATE records SET seq = 6" + of_finished + " AND rank = 0 AND step = 8", "has seq 6, its end 5"},
      {"UPDATE ranks SET committed_seq = 4" + of_finished + " AND rank = 1",
       "finished 1 rank 1: 4 records and ends, 0 conflicts and 1 goodbyes took a seq each, committed is 4"},
      {"UPDATE records SET rank = 5" + of_open + " AND epoch = 1", "is of rank 5, which there is not"},
      // What cannot be read.
      {"UPDATE attempts SET state = 'CLOSED'" + of_open, "open 1 cannot be read: attempt 1: unknown state CLOSED"},
      {"UPDATE seals SET result = (SELECT token FROM attempts" + of_open + ")" + of_finished,
       "finished 0 cannot be read: stored bytes"},
  };
  for (const auto& [sql, flaw] : cases) EXPECT_THAT(FlawsAfter(sql), HasSubstr(flaw)) << sql;
}

// Nothing but the last bit of the loss, in the seal and in its event.
TEST_F(CheckTest, ASealIsComparedToTheBit) {
  const std::string flaws = FlawsAfter([](Connection& connection) {
    Query query = connection.Prepare(
        "SELECT result FROM seals WHERE verdict = 'complete' AND experiment = (SELECT no FROM experiments WHERE name = "
        "'finished')");
    ASSERT_TRUE(*query.Step());
    Seal seal = *Decode<Seal>(query.View(0));
    const std::string before = query.Bytes(0);
    seal.loss = std::nextafter(seal.loss, std::numeric_limits<double>::infinity());
    for (const char* sql :
         {"UPDATE seals SET result = ?1 WHERE result = ?2", "UPDATE events SET body = ?1 WHERE body = ?2"}) {
      ASSERT_TRUE(*connection.Prepare(sql).Bind(Blob{Encode(seal)}, Blob{before}).Insert());
    }
  });
  EXPECT_THAT(flaws, HasSubstr("finished 1 the complete seal of train of epoch 0 is not the fold of its records"));
  EXPECT_THAT(flaws, testing::Not(HasSubstr("\n")));
}

TEST_F(CheckTest, ASnapshotIsOfOneMomentAndHoldsNobodyBack) {
  const auto snapshot = world_.store->TakeSnapshot(kGoOn);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  const auto store = (*snapshot)->Open();
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE(world_.experiments->Cancel("open", "", "").ok());
  EXPECT_EQ((*store)->GetExperiment("open")->second.state, ExperimentState::kRunning);
  EXPECT_EQ(world_.store->GetExperiment("open")->second.state, ExperimentState::kCancelled);
  EXPECT_EQ(FlawsOf(**store), "");
  const absl::Status second = world_.store->TakeSnapshot(kGoOn).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition) << second;
}

TEST_F(CheckTest, ACheckThatIsCancelledEnds) {
  const auto snapshot = world_.store->TakeSnapshot(kGoOn);
  const auto store = (*snapshot)->Open();
  int asked = 0;
  while (true) {
    int left = asked++;
    const auto report = CheckStore(**store, [&] { return --left >= 0; });
    if (report.ok()) break;
    EXPECT_TRUE(absl::IsCancelled(report.status())) << report.status();
  }
  EXPECT_GT(asked, 15) << "asked before every table and every phase";
}

}  // namespace
}  // namespace gradeline

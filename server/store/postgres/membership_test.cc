// Several stores over one schema, as several servers have them: each experiment has one owner, and who is taken over
// writes nothing any more.
#include "server/store/postgres/membership.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/store/postgres/testing/test_schema.h"

namespace gradeline {
namespace {

using testing::HasSubstr;

class MembershipTest : public SchemaTest {
 protected:
  // The number of a new experiment that runs.
  static int64_t MakeExperiment(Store& store, const std::string& id) {
    auto transaction = store.Begin();
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    Experiment experiment;
    experiment.id = id;
    experiment.state = ExperimentState::kRunning;
    const auto no = (*transaction)->InsertExperiment(experiment);
    EXPECT_TRUE(no.ok()) << no.status();
    EXPECT_TRUE((*transaction)->Commit().ok());
    return *no;
  }
  static absl::Status Own(Store& store, int64_t no) {
    auto transaction = store.Begin();
    if (!transaction.ok()) return transaction.status();
    const auto found = (*transaction)->GetExperiment(no);
    if (!found.ok()) return found.status();
    const absl::Status own = (*transaction)->Own(no);
    return own.ok() ? (*transaction)->Commit() : own;
  }
  static bool TookOver(Store& store) {
    const auto news = store.TakeNews();
    return news.ok() && *news;
  }
  std::string Owner(int64_t no) { return Ask(absl::StrCat("SELECT owner FROM experiments WHERE no = ", no)); }
};

TEST_F(MembershipTest, AnExperimentHasOneOwnerAndTheOtherNamesIt) {
  const auto first = Open(), second = Open();
  ASSERT_TRUE(first->Advertise("127.0.0.1:1").ok());
  const int64_t no = MakeExperiment(*first, "a");
  EXPECT_TRUE(Own(*first, no).ok());
  EXPECT_TRUE(Own(*first, no).ok());
  const absl::Status refused = Own(*second, no);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(refused).reason, "NOT_OWNER");
  EXPECT_EQ(ReasonOf(refused).metadata["address"], "127.0.0.1:1");
  EXPECT_TRUE(second->Check().ok()) << "an answer, not a failure of the store";
  EXPECT_TRUE(second->GetExperiment("a").ok()) << "everybody reads";
}

TEST_F(MembershipTest, WhoLeavesLeavesItsExperiments) {
  auto first = Open();
  const auto second = Open();
  const int64_t claimed = MakeExperiment(*first, "a"), adopted = MakeExperiment(*first, "b");
  ASSERT_TRUE(Own(*first, claimed).ok());
  ASSERT_TRUE(Own(*first, adopted).ok());
  TookOver(*second);
  first.reset();
  EXPECT_TRUE(Own(*second, claimed).ok()) << "at once, when somebody asks for it";
  EXPECT_TRUE(Eventually([&] { return Owner(adopted) == Owner(claimed); })) << "and soon, when nobody does";
  EXPECT_TRUE(TookOver(*second));
  EXPECT_FALSE(TookOver(*second)) << "is told once";
}

TEST_F(MembershipTest, WhoIsNotHeardOfIsTakenOverAndItsSessionEnded) {
  const auto store = Open();
  const int64_t no = MakeExperiment(*store, "a");
  // A replica that is there, holds its lock, and does not beat.
  const std::string silent = Ask("INSERT INTO replicas(address) VALUES('127.0.0.1:1') RETURNING no");
  auto session = PostgresConnection::Open(conninfo_);
  ASSERT_TRUE(
      (*session)
          ->Execute(absl::StrCat(
              "UPDATE replicas SET process = pg_backend_pid(), started_us = (SELECT (extract(epoch FROM "
              "backend_start) * 1000000)::bigint FROM pg_stat_activity WHERE pid = pg_backend_pid()) WHERE no = ",
              silent, "; SELECT pg_advisory_lock(hashtextextended('gradeline replica ", silent,
              " of ' || current_schema()::regnamespace::oid::text, 0))"))
          .ok());
  Ask(absl::StrCat("UPDATE experiments SET owner = ", silent));
  EXPECT_EQ(ReasonOf(Own(*store, no)).reason, "NOT_OWNER") << "it may live";
  TookOver(*store);
  EXPECT_TRUE(Eventually([&] { return TookOver(*store); }));
  EXPECT_NE(Owner(no), silent);
  EXPECT_TRUE(Own(*store, no).ok());
  EXPECT_FALSE((*session)->Execute("SELECT 1").ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM replicas"), "1");
}

TEST_F(MembershipTest, WhoWasTakenOverWritesNothingMore) {
  const auto store = Open();
  auto transaction = store->Begin();
  ASSERT_TRUE(transaction.ok());
  ASSERT_TRUE((*transaction)->InsertExperiment({}).ok());
  ASSERT_TRUE(store->Advertise("127.0.0.1:1").ok());
  const auto heir = Open();
  ASSERT_TRUE(heir->Advertise("127.0.0.1:1").ok()) << "who is reached at the same address is its heir";
  EXPECT_FALSE((*transaction)->Commit().ok());
  transaction->reset();
  EXPECT_EQ(store->Begin().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(store->Check().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Eventually([&] { return absl::IsDataLoss(store->TakeNews().status()); }));
  EXPECT_THAT(std::string(store->TakeNews().status().message()), HasSubstr("another gradelined"));
  EXPECT_EQ(Ask("SELECT count(*) FROM experiments"), "0");
  MakeExperiment(*heir, "b");
}

TEST_F(MembershipTest, ALostConnectionIsNotDeath) {
  const auto first = Open(), second = Open();
  const int64_t no = MakeExperiment(*first, "a");
  ASSERT_TRUE(Own(*first, no).ok());
  EndSessions();
  EXPECT_TRUE(Eventually([&] { return Own(*first, no).ok(); }));
  EXPECT_EQ(ReasonOf(Own(*second, no)).reason, "NOT_OWNER");
  EXPECT_TRUE(first->TakeNews().ok());
}

TEST(Outage, OfTheDatabaseMakesNobodyLookDead) {
  TestPostgres postgres;
  const auto store = OpenPostgresStore(postgres.Conninfo(), std::chrono::milliseconds(1'000));
  ASSERT_TRUE(store.ok()) << store.status();
  const std::string other = postgres.Ask("INSERT INTO replicas(address) VALUES('127.0.0.1:1') RETURNING no");
  const auto beats = [&] { return std::stoll(postgres.Ask("SELECT max(beats) FROM replicas")); };
  ASSERT_TRUE(Eventually([&] { return beats() >= 2; })) << "it looks at the other";
  postgres.Crash();
  absl::SleepFor(absl::Milliseconds(1'200));
  postgres.Start();
  const int64_t before = beats();
  ASSERT_TRUE(Eventually([&] { return beats() >= before + 2; }));
  EXPECT_EQ(postgres.Ask("SELECT count(*) FROM replicas WHERE no = " + other), "1") << "it may not be back yet";
  EXPECT_TRUE(Eventually([&] { return postgres.Ask("SELECT count(*) FROM replicas") == "1"; })) << "but it is not";
}

TEST_F(MembershipTest, OfAllThatClaimAnExperimentAtOnceOneGetsIt) {
  constexpr int kReplicas = 3, kExperiments = 40;
  std::vector<std::shared_ptr<Store>> stores;
  for (int i = 0; i < kReplicas; ++i) stores.push_back(Open());
  std::vector<int64_t> numbers;
  for (int i = 0; i < kExperiments; ++i) numbers.push_back(MakeExperiment(*stores[0], absl::StrCat("e", i)));
  Ask("UPDATE experiments SET owner = -1");
  std::vector<std::atomic<int>> owners(kExperiments);
  std::vector<std::thread> claiming;
  for (const auto& store : stores) {
    claiming.emplace_back([&, store] {
      for (int i = 0; i < kExperiments; ++i) {
        const absl::Status own = Own(*store, numbers[static_cast<size_t>(i)]);
        if (own.ok()) ++owners[static_cast<size_t>(i)];
        EXPECT_TRUE(own.ok() || ReasonOf(own).reason == "NOT_OWNER") << own;
      }
    });
  }
  for (std::thread& thread : claiming) thread.join();
  for (int i = 0; i < kExperiments; ++i) EXPECT_EQ(owners[static_cast<size_t>(i)], 1) << i;
}

}  // namespace
}  // namespace gradeline

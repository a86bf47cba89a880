// Several stores over one schema, as several servers have them: each experiment has one owner, and who is taken over
// writes nothing any more.
#include "server/store/postgres/membership.h"

#include <signal.h>

#include <algorithm>
#include <numeric>
#include <random>
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
  // A new experiment that runs and has no owner.
  static void MakeExperiment(Store& store, const std::string& id) {
    auto transaction = store.Begin();
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    Experiment experiment;
    experiment.id = id;
    experiment.state = ExperimentState::kRunning;
    const auto no = (*transaction)->InsertExperiment(experiment);
    EXPECT_TRUE(no.ok()) << no.status();
    EXPECT_TRUE((*transaction)->Commit().ok());
  }
  static absl::Status Own(Store& store, const std::string& id) {
    auto transaction = store.Begin();
    if (!transaction.ok()) return transaction.status();
    const absl::Status own = (*transaction)->OwnExperiment(id).status();
    return own.ok() ? (*transaction)->Commit() : own;
  }
  static bool TookOver(Store& store) {
    const auto news = store.TakeNews();
    return news.ok() && *news;
  }
  std::string Owner(const std::string& id) {
    return Ask(absl::StrCat("SELECT owner FROM experiments WHERE name = '", id, "'"));
  }
};

TEST_F(MembershipTest, AnExperimentHasOneOwnerAndTheOtherNamesIt) {
  const auto first = Open(), second = Open();
  ASSERT_TRUE(first->Advertise("127.0.0.1:1").ok());
  MakeExperiment(*first, "a");
  EXPECT_TRUE(Own(*first, "a").ok());
  EXPECT_TRUE(Own(*first, "a").ok());
  // Even while the owner is in the middle of a transaction with it.
  auto transaction = first->Begin();
  ASSERT_TRUE((*transaction)->OwnExperiment("a").ok());
  const absl::Status refused = Own(*second, "a");
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(refused).reason, "NOT_OWNER");
  EXPECT_EQ(ReasonOf(refused).metadata["address"], "127.0.0.1:1");
  EXPECT_EQ(Own(*second, "b").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(second->Check().ok()) << "an answer, not a failure of the store";
  EXPECT_TRUE(second->GetExperiment("a").ok()) << "everybody reads";
}

TEST_F(MembershipTest, WhoLeavesLeavesItsExperiments) {
  auto first = Open();
  const auto second = Open();
  for (const char* id : {"claimed", "adopted"}) {
    MakeExperiment(*first, id);
    ASSERT_TRUE(Own(*first, id).ok());
  }
  TookOver(*second);
  first.reset();
  EXPECT_TRUE(Own(*second, "claimed").ok()) << "at once, when somebody asks for it";
  EXPECT_TRUE(Eventually([&] { return Owner("adopted") == Owner("claimed"); })) << "and soon, when nobody does";
  EXPECT_TRUE(Eventually([&] { return TookOver(*second); }));
  EXPECT_FALSE(TookOver(*second)) << "is told once";
}

// A replica that is there, holds its lock, and does not beat.
struct SilentReplica {
  SilentReplica(const std::string& conninfo, const std::string& number) : no(number) {
    session = *PostgresConnection::Open(conninfo);
    EXPECT_TRUE(
        session
            ->Execute(absl::StrCat(
                "SELECT pg_advisory_lock(current_schema()::regnamespace::oid::bigint::bit(32)::integer, ", no, ")"))
            .ok());
  }
  const std::string no;
  std::unique_ptr<PostgresConnection> session;
};

TEST_F(MembershipTest, WhoIsNotHeardOfIsTakenOverAndItsSessionEnded) {
  const auto store = Open();
  MakeExperiment(*store, "a");
  const SilentReplica silent(conninfo_, Ask("INSERT INTO replicas(address) VALUES('127.0.0.1:1') RETURNING no"));
  Ask("UPDATE experiments SET owner = " + silent.no);
  EXPECT_EQ(ReasonOf(Own(*store, "a")).reason, "NOT_OWNER") << "it may live";
  TookOver(*store);
  EXPECT_TRUE(Eventually([&] { return TookOver(*store); }));
  EXPECT_NE(Owner("a"), silent.no);
  EXPECT_TRUE(Own(*store, "a").ok());
  EXPECT_FALSE(silent.session->Execute("SELECT 1").ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM replicas"), "1");
}

TEST_F(MembershipTest, ASessionThatDoesNotEndIsWaitedForSinceItMayWrite) {
  const auto store = Open();
  MakeExperiment(*store, "a");
  const std::string no = Ask("INSERT INTO replicas(address) VALUES('127.0.0.1:1') RETURNING no");
  Ask("UPDATE experiments SET owner = " + no);
  const SilentReplica silent(conninfo_, no);
  Query query = silent.session->Prepare("SELECT pg_backend_pid()");
  ASSERT_TRUE(query.Step().ok());
  const auto process = static_cast<pid_t>(query.Number(0));
  ASSERT_EQ(kill(process, SIGSTOP), 0);
  EXPECT_FALSE(Eventually([&] { return Owner("a") != no; }, absl::Seconds(3)));
  ASSERT_EQ(kill(process, SIGCONT), 0);
  EXPECT_TRUE(Eventually([&] { return Owner("a") != no; }));
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
  MakeExperiment(*first, "a");
  ASSERT_TRUE(Own(*first, "a").ok());
  EndSessions();
  EXPECT_TRUE(Eventually([&] { return Own(*first, "a").ok(); }));
  EXPECT_EQ(ReasonOf(Own(*second, "a")).reason, "NOT_OWNER");
  EXPECT_TRUE(first->TakeNews().ok());
}

TEST_F(MembershipTest, WhoIsBeingTakenOverDoesNotEndItsHeir) {
  const auto store = Open();
  EndSessions();
  const auto heir = PostgresConnection::Open(conninfo_);
  ASSERT_TRUE((*heir)
                  ->Execute("SET application_name = 'gradelined beats'; BEGIN; SELECT pg_advisory_xact_lock("
                            "current_schema()::regnamespace::oid::bigint::bit(32)::integer, no) FROM replicas")
                  .ok());
  EXPECT_TRUE(absl::IsUnavailable(store->Begin().status())) << "as long as it may still be removed";
  EXPECT_TRUE((*heir)->Execute("COMMIT").ok());
  EXPECT_TRUE(Eventually([&] { return store->Begin().ok(); }));
}

TEST_F(MembershipTest, WhoStandsStillInTheMiddleOfTakingOverHoldsUpNobody) {
  const auto store = Open();
  const auto other = PostgresConnection::Open(conninfo_);
  ASSERT_TRUE((*other)
                  ->Execute("SET idle_in_transaction_session_timeout = '1s'; BEGIN; LOCK TABLE replicas IN SHARE "
                            "ROW EXCLUSIVE MODE")
                  .ok());
  const auto beats = [&] { return Ask("SELECT sum(beats) FROM replicas"); };
  const std::string before = beats();
  EXPECT_TRUE(Eventually([&] { return beats() != before; }));
  EXPECT_TRUE(store->TakeNews().ok());
}

TEST(Outage, OfTheDatabaseMakesNobodyLookDead) {
  TestPostgres postgres;
  const auto store = OpenPostgresStore({postgres.Conninfo(), std::chrono::milliseconds(1'000)});
  ASSERT_TRUE(store.ok()) << store.status();
  const std::string other = postgres.Ask("INSERT INTO replicas(address) VALUES('127.0.0.1:1') RETURNING no");
  const auto beats = [&] { return std::stoll(postgres.Ask("SELECT max(beats) FROM replicas")); };
  ASSERT_TRUE(Eventually([&] { return beats() >= 2; })) << "it looks at the other";
  postgres.Crash();
  absl::SleepFor(absl::Milliseconds(1'200));  // the outage itself, longer than a takeover takes
  postgres.Start();
  const int64_t before = beats();
  ASSERT_TRUE(Eventually([&] { return beats() >= before + 2; }));
  EXPECT_EQ(postgres.Ask("SELECT count(*) FROM replicas WHERE no = " + other), "1") << "it may not be back yet";
  EXPECT_TRUE(Eventually([&] { return postgres.Ask("SELECT count(*) FROM replicas") == "1"; })) << "but it is not";
}

TEST_F(MembershipTest, OfAllThatWantAnExperimentAtOnceOneGetsItAndKeepsIt) {
  constexpr int kReplicas = 2, kExperiments = 2'000, kRounds = 3;
  std::vector<std::shared_ptr<Store>> stores;
  for (int i = 0; i < kReplicas; ++i) stores.push_back(Open());
  const auto adopting = Open();  // with every beat
  MakeExperiment(*adopting, "x");
  Ask(
      absl::StrCat("INSERT INTO experiments(name, state, state_ms, etag, spec) SELECT 'e' || i, state, 0, 0, spec FROM "
                   "experiments, generate_series(1, ",
                   kExperiments, ") AS i"));
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::vector<std::string>> owned(kReplicas);
    std::vector<std::thread> claiming;
    std::vector<int> order(kExperiments);
    std::iota(order.begin(), order.end(), 1);
    std::shuffle(order.begin(), order.end(), std::mt19937(static_cast<uint32_t>(round)));
    Ask("UPDATE experiments SET owner = -1");
    for (size_t replica = 0; replica < kReplicas; ++replica) {
      claiming.emplace_back([&, replica] {
        for (const int i : order) {
          std::string id = absl::StrCat("e", i);
          const absl::Status own = Own(*stores[replica], id);
          EXPECT_TRUE(own.ok() || ReasonOf(own).reason == "NOT_OWNER") << own;
          if (own.ok()) owned[replica].push_back(std::move(id));
        }
      });
    }
    for (std::thread& thread : claiming) thread.join();
    for (size_t replica = 0; replica < kReplicas; ++replica) {
      for (const std::string& id : owned[replica]) EXPECT_TRUE(Own(*stores[replica], id).ok()) << id;
    }
  }
}

}  // namespace
}  // namespace gradeline

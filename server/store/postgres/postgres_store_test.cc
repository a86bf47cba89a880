// What only the PostgreSQL store promises: who may use a database, what its errors mean, and lost connections.
#include "server/store/postgres/postgres_store.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/store/postgres/connection.h"
#include "server/store/postgres/migrate.h"
#include "server/store/postgres/testing/test_postgres.h"
#include "server/store/postgres/testing/test_schema.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

absl::Status WriteExperiment(Store& store, const std::string& id) {
  auto transaction = store.Begin();
  if (!transaction.ok()) return transaction.status();
  Experiment experiment;
  experiment.id = id;
  const absl::Status inserted = (*transaction)->InsertExperiment(experiment).status();
  return inserted.ok() ? (*transaction)->Commit() : inserted;
}

using PostgresStoreTest = SchemaTest;

TEST_F(PostgresStoreTest, ANewerSchemaIsRefusedWithBothNumbers) {
  Open().reset();
  Ask("UPDATE gradeline_schema SET version = 4711");
  const absl::Status status = Refusal();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status),
              AllOf(HasSubstr("4711"), HasSubstr(absl::StrCat("knows ", PostgresMigrations().back().number))));
}

TEST_F(PostgresStoreTest, SomebodyElsesTablesAreRefusedAndNotTouched) {
  Ask("CREATE TABLE theirs(x integer)");
  const absl::Status status = Refusal();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("another program"));
  EXPECT_EQ(Ask("SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"), "1");
}

TEST_F(PostgresStoreTest, ADatabaseThatMayLoseCommitsIsRefused) {
  for (const char* value : {"off", "local", "remote_write"}) {
    const absl::Status status = RefusalOf(absl::StrCat(
        "host=", SharedPostgres().folder(), " user=gradeline dbname=postgres options='-csearch_path=", schema_,
        " -csynchronous_commit=", value, "'"));
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(MessageOf(status),
                AllOf(HasSubstr(absl::StrCat("synchronous_commit is ", value)), HasSubstr("needed is on")));
  }
  TestPostgres careless;
  careless.Crash();
  careless.Start({"fsync=off", "full_page_writes=off"});
  const absl::Status status = RefusalOf(careless.Conninfo());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(MessageOf(status), AllOf(HasSubstr("fsync is off"), HasSubstr("full_page_writes is off")));
}

TEST_F(PostgresStoreTest, WhereNobodyAnswersOrNothingIsNamed) {
  EXPECT_EQ(RefusalOf("host=/nowhere").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(RefusalOf("what is this").code(), absl::StatusCode::kInvalidArgument);
  const absl::Status status = RefusalOf(absl::StrCat("host=", SharedPostgres().folder(),
                                                     " user=gradeline dbname=postgres options=-csearch_path=nowhere"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("no schema"));
}

TEST_F(PostgresStoreTest, ErrorsMeanWhatTheyMean) {
  auto connection = PostgresConnection::Open(conninfo_);
  ASSERT_TRUE(connection.ok()) << connection.status();
  const auto raise = [&](const std::string& sqlstate) {
    (*connection)->ForgetFailure();
    return (*connection)
        ->Execute(absl::StrCat("DO $$ BEGIN RAISE EXCEPTION 'why' USING ERRCODE = '", sqlstate, "'; END $$"));
  };
  const absl::Status full = raise("53100");
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(full).reason, "DISK_FULL");
  EXPECT_THAT(MessageOf(full),
              AllOf(HasSubstr("PostgreSQL database postgres at"), HasSubstr("why"), HasSubstr("53100")));
  for (const char* again : {"40001", "40P01", "53300", "55P03", "57014", "25006"}) {
    EXPECT_EQ(raise(again).code(), absl::StatusCode::kUnavailable) << again;
    EXPECT_FALSE((*connection)->lost()) << again;
  }
  EXPECT_EQ(raise("23505").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(raise("42501").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(raise("XX001").code(), absl::StatusCode::kInternal);
  EXPECT_EQ(raise("57P01").code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE((*connection)->lost());
}

TEST_F(PostgresStoreTest, AFailureUndoesTheWholeTransactionAndIsFoundOutWhenItEnds) {
  const auto store = Open();
  Ask("CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room' USING "
      "ERRCODE = "
      "'53100'; END $$; CREATE TRIGGER full_disk BEFORE INSERT ON requests EXECUTE FUNCTION full_disk()");
  {
    auto transaction = store->Begin();
    ASSERT_TRUE(transaction.ok());
    EXPECT_TRUE((*transaction)->InsertExperiment({}).ok());
    EXPECT_FALSE((*transaction)->Nested([&] { return (*transaction)->PutRequest("r", {}, "answer", 1); }).ok());
    EXPECT_TRUE(absl::IsResourceExhausted((*transaction)->failure()));
    EXPECT_TRUE(absl::IsResourceExhausted((*transaction)->InsertDataset({}, {})));
    EXPECT_TRUE(absl::IsResourceExhausted((*transaction)->Commit()));
  }
  EXPECT_EQ(Ask("SELECT count(*) FROM experiments"), "0");
  EXPECT_TRUE(absl::IsResourceExhausted(store->Check()));
  EXPECT_TRUE(absl::IsResourceExhausted(store->Maintain(true))) << "there is still no room";
  EXPECT_TRUE(store->ListExperiments({}, 10, "").ok()) << "reads go on";
  Ask("DROP TRIGGER full_disk ON requests");
  EXPECT_TRUE(store->Maintain(true).ok());
  EXPECT_TRUE(store->Check().ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM requests"), "0");
}

TEST_F(PostgresStoreTest, ALostConnectionIsMadeAnew) {
  const auto store = Open();
  EXPECT_TRUE(WriteExperiment(*store, "a").ok());
  EXPECT_EQ(store->ListExperiments({}, 10, "")->size(), 1u);
  EndSessions();
  EXPECT_TRUE(WriteExperiment(*store, "b").ok()) << "nothing was lost with it";
  EXPECT_EQ(store->ListExperiments({}, 10, "")->size(), 2u);
  {
    auto transaction = store->Begin();
    Experiment experiment;
    experiment.id = "c";
    EXPECT_TRUE((*transaction)->InsertExperiment(experiment).ok());
    EndSessions();
    EXPECT_TRUE(absl::IsUnavailable((*transaction)->Commit()));
  }
  EXPECT_TRUE(absl::IsUnavailable(store->Check()));
  EXPECT_TRUE(Eventually([&] { return store->Maintain(true).ok(); }));
  EXPECT_TRUE(store->Check().ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM experiments"), "2");
}

TEST_F(PostgresStoreTest, RevisionsAreTakenUnderTheRowsLock) {
  const auto store = Open();
  ASSERT_TRUE(WriteExperiment(*store, "a").ok());
  auto other = PostgresConnection::Open(conninfo_);
  const auto lock = [&] {
    (*other)->ForgetFailure();
    return (*other)->Execute("SELECT no FROM experiments WHERE name = 'a' FOR UPDATE NOWAIT");
  };
  EXPECT_TRUE(lock().ok());
  for (const bool by_name : {true, false}) {
    auto transaction = store->Begin();
    const int64_t no = store->GetExperiment("a")->first;
    EXPECT_TRUE(by_name ? (*transaction)->GetExperiment("a").ok() : (*transaction)->GetExperiment(no).ok());
    EXPECT_TRUE(absl::IsUnavailable(lock()));
  }
  EXPECT_TRUE(lock().ok());
}

TEST_F(PostgresStoreTest, MigrationsAreAppliedOnceAndUndoneWhereTheyFail) {
  auto connection = PostgresConnection::Open(conninfo_);
  ASSERT_TRUE(connection.ok());
  std::vector<Migration> migrations = {{1, "0001_a", "CREATE TABLE a(x integer)"}};
  ASSERT_TRUE(Migrate(**connection, migrations).ok());
  ASSERT_TRUE(Migrate(**connection, migrations).ok());
  migrations.push_back({2, "0002_b", "CREATE TABLE b(x integer); CREATE TABLE a(x integer)"});
  const absl::Status status = Migrate(**connection, migrations);
  EXPECT_THAT(MessageOf(status), HasSubstr("0002_b"));
  EXPECT_EQ(Ask("SELECT version FROM gradeline_schema"), "1");
  EXPECT_EQ(Ask("SELECT to_regclass('b') IS NULL"), "t");
  (*connection)->ForgetFailure();
  migrations[1].sql = "CREATE TABLE b(x integer)";
  EXPECT_TRUE(Migrate(**connection, migrations).ok());
  EXPECT_EQ(Ask("SELECT version FROM gradeline_schema"), "2");
}

// A commit that waits for a standby is durable and not yet answered; the session that waits is ended.
TEST(LostAnswer, WhatWasCommittedAllTheSameIsTold) {
  TestWorld world;
  world.Start(2, 1);
  const auto first = std::make_shared<TestListener>(), second = std::make_shared<TestListener>();
  const auto waiting = *world.Join(0, first), last = *world.Join(1, second, 'b');
  SendPhase(*waiting, 1, Phase::kTrain, 0, 3);
  Send(*last, TestRecord(1, {Phase::kTrain, 0, 0, 0, 0}, 1));
  ASSERT_TRUE(first->AwaitCommitted(4));
  ASSERT_TRUE(second->AwaitCommitted(1));
  TestPostgres& postgres = SharedPostgres();
  postgres.Ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  postgres.Ask("SELECT pg_reload_conf()");
  ASSERT_TRUE(Eventually([&] { return postgres.Ask("SHOW synchronous_standby_names") == "nobody"; }));
  ASSERT_TRUE(last->Begin(2).ok());
  const auto fate = std::make_shared<std::promise<Fate>>();
  ASSERT_TRUE(last->EndPhase(2, Phase::kTrain, 0, 1,
                             [fate](RecordFate how, const absl::Status& status) {
                               fate->set_value({how, status});
                             })
                  .ok());
  const std::string wait = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'";
  EXPECT_TRUE(Eventually([&] { return postgres.Ask("SELECT count(*) " + wait) == "1"; }));
  postgres.Ask("SELECT pg_terminate_backend(pid) " + wait);
  EXPECT_EQ(fate->get_future().get().second.code(), absl::StatusCode::kUnavailable);
  postgres.Ask("ALTER SYSTEM RESET synchronous_standby_names");
  postgres.Ask("SELECT pg_reload_conf()");
  // Who waits hears of the seal; who lost his stream finds everything when he comes back.
  ASSERT_TRUE(first->AwaitSeals(1));
  EXPECT_TRUE(first->seals[0].complete);
  EXPECT_EQ(first->seals[0].batches, 4);
  const auto again = world.Join(1, std::make_shared<TestListener>(), 'b');
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->welcome().committed_seq, 2);
  EXPECT_EQ(world.Seals().size(), 1u);
}

}  // namespace
}  // namespace gradeline

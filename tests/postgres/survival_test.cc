// gradelined over PostgreSQL: an experiment goes on when the database crashes and comes back, and nothing is lost or
// doubled.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/status.h"
#include "client/cpp/worker.h"
#include "gmock/gmock.h"
#include "server/store/postgres/testing/test_postgres.h"
#include "tests/cli/small_experiment.h"
#include "tests/integration/server_process.h"

namespace gradeline {
namespace {

using ::testing::HasSubstr;

constexpr int kRows = 2, kClasses = 3;

v1::Batch BatchOf(v1::Phase phase, int64_t epoch, int64_t step) {
  const std::array<float, kRows* kClasses> logits = {1, 2, 3, static_cast<float>(step % 7), 0, 1};
  const std::array<int64_t, kRows> labels = {2, 0};
  v1::Batch batch = testing::SmallBatch(phase, epoch, step, logits, labels);
  batch.set_gradient(phase == v1::PHASE_TRAIN);
  return batch;
}

/// The code that GET /readyz answers with.
int Readiness(const ServerProcess& server) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(server.http().substr(server.http().rfind(':') + 1))));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = recv(fd, buffer, sizeof(buffer), 0)) > 0;)
    answer.append(buffer, static_cast<size_t>(got));
  close(fd);
  return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0;
}

bool AwaitReadiness(const ServerProcess& server, int code, absl::Duration most) {
  return Eventually([&] { return Readiness(server) == code; }, most);
}

class Postgres : public ::testing::Test {
 protected:
  std::unique_ptr<client::Worker> Join(const client::WorkerOptions& options) {
    auto worker = client::Worker::Join(connection_, options);
    EXPECT_TRUE(worker.ok()) << worker.status();
    return worker.ok() ? *std::move(worker) : nullptr;
  }

  TestPostgres postgres_;
  ServerProcess server_{{"store.postgres=" + postgres_.Conninfo()}};
  std::shared_ptr<client::Connection> connection_ = *client::Connect(server_.grpc());
};

TEST_F(Postgres, AnExperimentSurvivesCrashesOfItsDatabase) {
  constexpr int kEpochs = 3, kRanks = 2, kSteps = 300;
  client::WorkerOptions options;
  options.experiment = "e";
  options.attempt_token = testing::StartSmallExperiment(*connection_, "e", kRanks, kEpochs, kRows);
  options.world_size = kRanks;
  options.first_backoff = absl::Milliseconds(20);
  options.max_backoff = absl::Milliseconds(200);
  std::vector<std::thread> ranks;
  std::atomic<int64_t> submitted{0};
  for (int rank = 0; rank < kRanks; ++rank) {
    options.rank = rank;
    ranks.emplace_back([this, &submitted, options] {
      const auto worker = Join(options);
      ASSERT_NE(worker, nullptr);
      for (int epoch = 0; epoch < kEpochs; ++epoch) {
        for (const v1::Phase phase : {v1::PHASE_TRAIN, v1::PHASE_VALIDATION}) {
          for (int step = 0; step < kSteps; ++step) {
            ASSERT_TRUE(worker
                            ->Submit(BatchOf(phase, epoch, step),
                                     [](const auto& result) { EXPECT_TRUE(result.ok()) << result.status(); })
                            .ok());
            ++submitted;
          }
          const auto seal = worker->EndPhase(phase, epoch);
          ASSERT_TRUE(seal.ok()) << seal.status();
          EXPECT_EQ(seal->batches(), kRanks * kSteps) << "epoch " << epoch;
        }
      }
      EXPECT_TRUE(worker->Bye().ok());
    });
  }
  for (const int64_t moment : {400, 1500, 2600}) {
    while (submitted < moment && !HasFailure()) absl::SleepFor(absl::Milliseconds(1));
    postgres_.Crash();
    EXPECT_TRUE(AwaitReadiness(server_, 503, absl::Seconds(5)));
    postgres_.Start();
    EXPECT_TRUE(AwaitReadiness(server_, 200, absl::Seconds(5)));
  }
  for (std::thread& rank : ranks) rank.join();
  EXPECT_EQ(postgres_.Ask("SELECT state FROM experiments"), "SUCCEEDED");
  EXPECT_EQ(postgres_.Ask("SELECT count(*) FROM seals WHERE verdict = 'complete'"), absl::StrCat(2 * kEpochs));
  EXPECT_EQ(postgres_.Ask("SELECT count(*) FROM records"), absl::StrCat(2 * kEpochs * kRanks * kSteps));
  EXPECT_EQ(postgres_.Ask("SELECT count(*) FROM incidents"), "0");
  grpc::ClientContext checking, backing_up;
  v1::CheckDatabaseResponse check;
  const grpc::Status checked = connection_->admin().CheckDatabase(&checking, v1::CheckDatabaseRequest(), &check);
  EXPECT_TRUE(checked.ok()) << checked.error_message();
  EXPECT_EQ(check.flaw_count(), 0) << check.ShortDebugString();
  EXPECT_EQ(check.records(), 2 * kEpochs * kRanks * kSteps);
  const grpc::Status backed_up =
      connection_->admin().BackupDatabase(&backing_up, v1::BackupDatabaseRequest())->Finish();
  EXPECT_EQ(backed_up.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(backed_up.error_message(), HasSubstr("pg_dump"));
  // Revisions have no gap.
  EXPECT_EQ(postgres_.Ask("SELECT max(revision) - count(*) FROM events"), "0");
}

TEST_F(Postgres, AServerThatStoodStillUntilAnotherTookOverEndsAtOnce) {
  testing::StartSmallExperiment(*connection_, "e", 1, 1, kRows);
  ServerProcess second({"store.postgres=" + postgres_.Conninfo(), "store.takeover_ms=1000"});
  ASSERT_TRUE(second.listening()) << second.log();
  server_.Signal(SIGSTOP);
  const std::string owner = postgres_.Ask("SELECT owner FROM experiments");
  EXPECT_TRUE(Eventually([&] { return postgres_.Ask("SELECT owner FROM experiments") != owner; }, absl::Seconds(20)));
  server_.Signal(SIGCONT);
  EXPECT_EQ(server_.Wait(), 1);
  EXPECT_THAT(server_.log(), HasSubstr("another gradelined"));
}

TEST_F(Postgres, AStopDoesNotWaitForADatabaseThatHangs) {
  const auto await = [this](const std::string& sessions) {
    EXPECT_TRUE(Eventually([&] { return postgres_.Ask("SELECT count(*) FROM " + sessions) != "0"; }));
  };
  postgres_.Ask("CREATE TABLE released(x integer)");
  std::thread holder([this] {
    postgres_.Ask(
        "BEGIN; LOCK TABLE experiments; DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM released) LOOP "
        "PERFORM pg_sleep(0.02); END LOOP; END $$; COMMIT");
  });
  await("pg_locks WHERE relation = 'experiments'::regclass AND mode = 'AccessExclusiveLock'");
  std::thread caller([this] {
    grpc::ClientContext context;
    v1::StartExperimentRequest start;
    start.set_name("experiments/none");
    v1::StartExperimentResponse started;
    EXPECT_FALSE(connection_->experiments().StartExperiment(&context, start, &started).ok());
  });
  await("pg_stat_activity WHERE wait_event_type = 'Lock'");
  const absl::Time told = absl::Now();
  server_.Signal(SIGTERM);
  EXPECT_EQ(server_.Wait(), 1);
  EXPECT_LT(absl::Now() - told, absl::Seconds(11));
  EXPECT_THAT(server_.log(), HasSubstr("something hangs"));
  postgres_.Ask("INSERT INTO released VALUES (1)");
  caller.join();
  holder.join();
}

TEST(PostgresConninfo, APasswordIsInNoLogAndNoError) {
  for (const std::string& conninfo :
       std::vector<std::string>{"host=/nowhere password=secret-x user=u", "host=/nowhere password=two secret-x",
                                "postgresql://u:secret-x@127.0.0.1:1/db", "postgresql://u:a/secret-x@127.0.0.1:1/db",
                                "postgresql://u:a@secret-x@127.0.0.1:1/db"}) {
    ServerProcess server({"store.postgres=" + conninfo});
    EXPECT_EQ(server.Wait(), 1);
    EXPECT_THAT(server.log(), ::testing::AllOf(HasSubstr("ostgre"), ::testing::Not(HasSubstr("secret-x")))) << conninfo;
  }
}

}  // namespace
}  // namespace gradeline

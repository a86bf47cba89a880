// The process: start, addresses in use, configuration errors, drain, restart.
#include <signal.h>

#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;
using v1::TrainResponse;

class Process : public ServerTest {
 protected:
  static std::string LogOf(ServerProcess* server, int exit_code) {
    EXPECT_FALSE(server->listening());
    EXPECT_EQ(server->Wait(), exit_code);
    return server->log();
  }
};

TEST_F(Process, AnAddressInUseNamesItAndItsKey) {
  ServerProcess grpc({"grpc.listen=" + server_.grpc()});
  EXPECT_THAT(LogOf(&grpc, 1), HasSubstr("cannot listen on " + server_.grpc() + " (grpc.listen)"));
  ServerProcess http({"http.listen=" + server_.http()});
  EXPECT_THAT(LogOf(&http, 1), HasSubstr("cannot listen on " + server_.http() + " (http.listen)"));
}

TEST_F(Process, AnotherServerOnTheSameStoreIsRefused) {
  ServerProcess second({}, server_.folder());
  EXPECT_THAT(LogOf(&second, 1), HasSubstr("g.db"));
}

TEST_F(Process, OnlyLoopbackIsListenedOn) {
  ServerProcess open({"grpc.listen=0.0.0.0:0"});
  EXPECT_THAT(LogOf(&open, 1), HasSubstr("grpc.listen"));
  ServerProcess http({"http.listen=0.0.0.0:0"});
  EXPECT_THAT(LogOf(&http, 1), HasSubstr("http.listen"));
}

TEST_F(Process, AnUnknownKeyIsNamed) {
  ServerProcess server({"grpc.lisen=127.0.0.1:0"});
  EXPECT_THAT(LogOf(&server, 1), HasSubstr("lisen"));
}

TEST_F(Process, AUnixSocketServes) {
  ServerProcess server({"grpc.listen=unix:" + server_.folder() + "/s.sock"});
  ASSERT_TRUE(server.listening()) << server.log();
  catalog_ = v1::CatalogService::NewStub(Connect(server.grpc()));
  v1::ListTasksResponse tasks;
  EXPECT_TRUE(Call(&v1::CatalogService::Stub::ListTasks, catalog_, v1::ListTasksRequest(), &tasks).ok());
  ServerProcess second({"grpc.listen=" + server.grpc()});
  EXPECT_THAT(LogOf(&second, 1), HasSubstr("the address is in use"));
}

TEST_F(Process, DrainAnswersWhatRunsAndTellsStreams) {
  const auto started = Started("drain");
  RankStream stream(training_.get(), started, 0, 1);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream.Send(RankStream::Batch(i + 1, v1::PHASE_TRAIN, 0, i)));
  stream.NextOf(TrainResponse::kResult);
  grpc::ClientContext context;
  v1::WatchExperimentRequest request;
  request.set_name("experiments/drain");
  const auto watch = experiment_->WatchExperiment(&context, request);
  v1::WatchExperimentResponse event;
  ASSERT_TRUE(watch->Read(&event));
  server_.Signal(SIGTERM);
  while (stream.Next().message_case() != TrainResponse::MESSAGE_NOT_SET) {
  }
  const absl::Status status = stream.Finish();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
  EXPECT_EQ(ReasonOf(status).reason, "DRAINING");
  while (watch->Read(&event)) {
  }
  EXPECT_EQ(StatusOf(watch->Finish()).code(), StatusCode::kUnavailable);
  EXPECT_EQ(server_.Wait(), 0);
  EXPECT_THAT(server_.log(), HasSubstr("stopped"));

  ServerProcess again({}, server_.folder());
  ASSERT_TRUE(again.listening()) << again.log();
  training_ = v1::TrainingService::NewStub(Connect(again.grpc()));
  RankStream second(training_.get(), started, 0, 1);
  EXPECT_GE(second.welcome().committed_seq(), 1) << "an answered record was not kept by a server that stopped in order";
}

TEST_F(Process, InterruptEndsItToo) {
  server_.Signal(SIGINT);
  EXPECT_EQ(server_.Wait(), 0);
}

}  // namespace
}  // namespace gradeline

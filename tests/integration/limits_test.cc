// Limits of messages, compression, health, reflection.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <thread>

#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using v1::TrainResponse;

constexpr int64_t kLimit = 1 << 20;

class Limits : public ServerTest {
 protected:
  Limits() : ServerTest({"grpc.max_message_bytes=1048576"}) {}

  static v1::TrainRequest LargeBatch(int64_t seq, int64_t bytes) {
    v1::TrainRequest request = RankStream::Batch(seq, v1::PHASE_TRAIN, 0, seq);
    request.mutable_batch()->mutable_inputs(0)->set_data(std::string(static_cast<size_t>(bytes), 'x'));
    return request;
  }

  /// One message there and one back, as bytes.
  std::string Bytes(const std::string& method, const std::string& request) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(SoonEnough());
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, method, &queue);
    void* tag = nullptr;
    bool ok = false;
    call->StartCall(nullptr);
    queue.Next(&tag, &ok);
    const grpc::Slice slice(request);
    call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    queue.Next(&tag, &ok);
    grpc::ByteBuffer response;
    call->Read(&response, nullptr);
    queue.Next(&tag, &ok);
    EXPECT_TRUE(ok) << method;
    grpc::Slice all;
    if (ok) {
      EXPECT_TRUE(response.DumpToSingleSlice(&all).ok());
    }
    context.TryCancel();
    grpc::Status status;
    call->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
    return {reinterpret_cast<const char*>(all.begin()), all.size()};
  }
};

TEST_F(Limits, AUnaryMessageAboveTheLimitNamesSizeLimitAndKey) {
  v1::EvaluateLossRequest request;
  request.set_loss(std::string(kLimit, 'x'));
  v1::EvaluateLossResponse response;
  const auto evaluate = &v1::TrainingService::Stub::EvaluateLoss;
  const std::string text =
      "the message has 1048580 bytes; the server's limit is 1048576 (grpc.max_message_bytes in its "
      "configuration)";
  absl::Status status = Call(evaluate, training_, request, &response);
  EXPECT_EQ(RefusalOf(status), (Refusal{StatusCode::kResourceExhausted, {text}}));
  EXPECT_EQ(ReasonOf(status).reason, "MESSAGE_TOO_LARGE");
  EXPECT_EQ(ReasonOf(status).metadata["key"], "grpc.max_message_bytes");
  v1::GetLossRequest typed;
  typed.set_name(std::string(kLimit, 'x'));
  EXPECT_EQ(Refused<v1::Loss>(&v1::CatalogService::Stub::GetLoss, catalog_, typed),
            (Refusal{StatusCode::kResourceExhausted, {text}}));
}

TEST_F(Limits, FarAboveTheLimitTheTransportRefuses) {
  v1::EvaluateLossRequest request;
  request.set_loss(std::string(3 * kLimit, 'x'));
  v1::EvaluateLossResponse response;
  grpc::ClientContext context;
  const grpc::Status status = training_->EvaluateLoss(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("2097152"));
}

TEST_F(Limits, ATooLargeBatchIsRefusedAndTheStreamLivesOn) {
  const auto started = Started("large");
  RankStream stream(training_.get(), started, 0, 1);
  EXPECT_EQ(stream.welcome().max_message_bytes(), kLimit);
  ASSERT_TRUE(stream.Send(LargeBatch(1, kLimit)));
  const v1::Refused refused = stream.NextOf(TrainResponse::kRefused).refused();
  EXPECT_EQ(refused.seq(), 1);
  EXPECT_FALSE(refused.has_record());
  EXPECT_EQ(refused.status().code(), static_cast<int>(StatusCode::kResourceExhausted));
  EXPECT_THAT(refused.status().message(), testing::HasSubstr("the server's limit is 1048576"));
  ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
  EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), 1);
}

TEST_F(Limits, AReplyAboveTheLimitIsRefused) {
  v1::EvaluateLossRequest request;
  request.set_loss("mse");
  const size_t items = 200'000;  // 8 bytes each in the reply, 4 in all of the request
  for (const char* name : {"prediction", "target"}) {
    v1::Tensor* tensor = request.add_inputs();
    tensor->set_name(name);
    tensor->set_data_type(v1::DATA_TYPE_F16);
    tensor->add_shape(static_cast<int64_t>(items));
    tensor->set_data(std::string(items * 2, '\0'));
  }
  request.set_item_losses(true);
  v1::EvaluateLossResponse response;
  const absl::Status status = Call(&v1::TrainingService::Stub::EvaluateLoss, training_, request, &response);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("the reply has "));
}

/// A budget of two calls.
class SmallBudget : public ServerTest {
 protected:
  SmallBudget() : ServerTest({"grpc.max_message_bytes=1048576", "engine.memory_budget_bytes=1048576"}) {}

  /// Half of the budget, with its reply.
  absl::Status Evaluate(int64_t label) {
    constexpr int64_t kRows = 30'000;
    v1::EvaluateLossRequest request;
    request.set_loss("cross_entropy");
    *request.add_inputs() = F32("prediction", {kRows, 2}, std::vector<float>(2 * kRows, 0.5F));
    *request.add_inputs() = I64("target", {kRows}, std::vector<int64_t>(kRows, label));
    v1::EvaluateLossResponse response;
    return Call(&v1::TrainingService::Stub::EvaluateLoss, training_, request, &response);
  }
};

// One that kept its bytes would leave the next ones waiting for ever.
TEST_F(SmallBudget, RefusedCallsGiveTheirBytesBack) {
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Evaluate(7).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(Evaluate(1).ok());
}

TEST_F(SmallBudget, WhatWaitsIsBounded) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 24; ++i) {
    threads.emplace_back([&] {
      const absl::Status status = Evaluate(1);
      EXPECT_TRUE(status.ok() || ReasonOf(status).reason == "MEMORY_BUDGET_FULL") << status;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Evaluate(1).ok());
}

TEST_F(Limits, CompressedMessagesAreRefused) {
  v1::ListTasksResponse response;
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::ListTasksRequest request;
  request.set_page_token(std::string(10'000, 'x'));
  EXPECT_EQ(catalog_->ListTasks(&context, request, &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(Limits, HealthOfTheServerAndOfEachService) {
  const std::string serving = "\x08\x01";
  EXPECT_EQ(Bytes("/grpc.health.v1.Health/Check", ""), serving);
  for (const char* name : {"Admin", "Catalog", "Dataset", "Experiment", "Split", "Training"}) {
    const std::string service = std::string("gradeline.v1.") + name + "Service";
    const std::string request = std::string("\x0a") + static_cast<char>(service.size()) + service;
    EXPECT_EQ(Bytes("/grpc.health.v1.Health/Check", request), serving) << service;
  }
}

TEST_F(Limits, ReflectionTellsServicesAndErrorDetails) {
  const std::string method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  const std::string services = Bytes(method, std::string("\x3a\x00", 2));
  for (const char* name : {"Admin", "Catalog", "Dataset", "Experiment", "Split", "Training"}) {
    EXPECT_THAT(services, testing::HasSubstr(std::string("gradeline.v1.") + name + "Service"));
  }
  EXPECT_THAT(services, testing::HasSubstr("grpc.health.v1.Health"));
  EXPECT_THAT(Bytes(method, "\x22\x15google.rpc.BadRequest"), testing::HasSubstr("google/rpc/error_details.proto"));
}

}  // namespace
}  // namespace gradeline

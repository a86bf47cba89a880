// Bytes that are no messages, or nearly: no input stops the server.
#include <grpcpp/generic/generic_stub.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

class Garbage : public ServerTest {
 protected:
  /// Sends messages on a new call of `method` and says that no more come; how the call ends.
  grpc::Status Send(const std::string& method, const std::vector<std::string>& messages) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(SoonEnough());
    grpc::CompletionQueue queue;
    void* tag = nullptr;
    bool ok = false;
    const auto call = stub.PrepareCall(&context, method, &queue);
    call->StartCall(nullptr);
    queue.Next(&tag, &ok);
    for (const std::string& message : messages) {
      const grpc::Slice slice(message);
      call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
      queue.Next(&tag, &ok);
    }
    call->WritesDone(nullptr);
    queue.Next(&tag, &ok);
    for (ok = true; ok;) {
      grpc::ByteBuffer answer;
      call->Read(&answer, nullptr);
      queue.Next(&tag, &ok);
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
    return status;
  }

  std::string Mutated(std::string bytes) {
    if (random_() % 2 == 0) bytes.resize(random_() % bytes.size());
    for (size_t i = 0; i < 1 + random_() % 4 && !bytes.empty(); ++i) {
      bytes[random_() % bytes.size()] = static_cast<char>(random_());
    }
    return bytes;
  }

  uint64_t seed_ = std::random_device()();
  std::mt19937_64 random_{seed_};
};

TEST_F(Garbage, OnTheStreamAndInUnaryCalls) {
  SCOPED_TRACE(absl::StrCat("seed ", seed_));
  const auto started = Started("g");
  const std::string hello = RankStream::Hello(started, 0, 1, std::string(16, 'i')).SerializeAsString();
  v1::EvaluateLossRequest evaluate;
  evaluate.set_loss("cross_entropy");
  *evaluate.mutable_inputs() = RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0).batch().inputs();
  for (int i = 0; i < 150; ++i) {
    const std::string batch = Mutated(RankStream::Batch(1, v1::PHASE_TRAIN, 0, i).SerializeAsString());
    Send("/gradeline.v1.TrainingService/Train", {hello, batch, Mutated(hello)});
    Send("/gradeline.v1.TrainingService/Train", {Mutated(hello)});
    Send("/gradeline.v1.TrainingService/EvaluateLoss", {Mutated(evaluate.SerializeAsString())});
  }
  const grpc::Status status = Send("/gradeline.v1.TrainingService/Train", {hello, "\x12\xff\xff\xff"});
  EXPECT_EQ(StatusOf(status).code(), absl::StatusCode::kInvalidArgument);
  v1::EvaluateLossResponse response;
  EXPECT_TRUE(Call(&v1::TrainingService::Stub::EvaluateLoss, training_, evaluate, &response).ok()) << server_.log();
}

}  // namespace
}  // namespace gradeline

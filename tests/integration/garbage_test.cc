// Bytes that are no messages, or nearly: no input stops the server.
#include <grpcpp/generic/generic_stub.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

class Garbage : public ServerTest {
 protected:
  /// Sends messages on a new call of `method` and says that no more come; how the call ends. Keeps the answers.
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
    answers_.clear();
    for (ok = true; ok;) {
      grpc::ByteBuffer answer;
      call->Read(&answer, nullptr);
      queue.Next(&tag, &ok);
      if (ok) answers_.push_back(std::move(answer));
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

  std::vector<grpc::ByteBuffer> answers_;
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

TEST_F(Garbage, ABatchThatDoesNotParseIsRefusedAndItsSeqComesAgain) {
  const std::string hello = RankStream::Hello(Started("g"), 0, 1, std::string(16, 'i')).SerializeAsString();
  const v1::TrainRequest good = RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0);
  std::string no_utf8 = good.SerializeAsString();
  no_utf8.replace(no_utf8.find("prediction"), 3, "\xff\xfe\xfd");
  google::protobuf::Any cut_short;  // its value has the number of TrainRequest.batch
  cut_short.set_value(good.batch().SerializeAsString() + "\x1a\x7f");
  Send("/gradeline.v1.TrainingService/Train",
       {hello, no_utf8, cut_short.SerializeAsString(), good.SerializeAsString()});
  std::vector<v1::TrainResponse> responses;
  for (grpc::ByteBuffer& answer : answers_) {
    v1::TrainResponse response;
    EXPECT_TRUE(grpc::SerializationTraits<v1::TrainResponse>::Deserialize(&answer, &response).ok());
    if (!response.has_committed()) responses.push_back(std::move(response));
  }
  ASSERT_EQ(responses.size(), 4u);
  for (size_t i : {1, 2}) {
    EXPECT_EQ(responses[i].refused().seq(), 1);
    EXPECT_FALSE(responses[i].refused().seq_taken());
    EXPECT_EQ(responses[i].refused().status().message(), "the message is no gradeline.v1.TrainRequest");
  }
  EXPECT_EQ(responses[3].result().seq(), 1);
}

}  // namespace
}  // namespace gradeline

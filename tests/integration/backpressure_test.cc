// A client that sends without reading: the server stops reading, and goes on when the client does.
#include <grpcpp/completion_queue.h>

#include <set>

#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using v1::TrainResponse;

constexpr int kBatches = 40;
constexpr int64_t kRows = 350'000;  // of three f32: 4 MiB
constexpr int kMostTaken = 20;      // 4 credits and what sockets and flow control hold; all without a bound

v1::TrainRequest LargeBatch(int64_t seq) {
  v1::TrainRequest request = RankStream::Batch(seq, v1::PHASE_TRAIN, 0, seq);
  *request.mutable_batch()->mutable_inputs(0) =
      F32("prediction", {kRows, 3}, std::vector<float>(static_cast<size_t>(kRows * 3), 0.5F));
  *request.mutable_batch()->mutable_inputs(1) =
      I64("target", {kRows}, std::vector<int64_t>(static_cast<size_t>(kRows), 1));
  return request;
}

class Backpressure : public ServerTest {
 protected:
  /// Waits for the operation `tag`; false if nothing ends for so long.
  bool Ended(int64_t tag, std::chrono::seconds patience = std::chrono::seconds(1)) {
    while (!ended_.count(tag)) {
      void* got = nullptr;
      bool ok = false;
      const auto soon = std::chrono::system_clock::now() + patience;
      if (queue_.AsyncNext(&got, &ok, soon) != grpc::CompletionQueue::GOT_EVENT) return false;
      EXPECT_TRUE(ok);
      ended_.insert(reinterpret_cast<int64_t>(got));
    }
    return true;
  }
  static void* Tag(int64_t number) { return reinterpret_cast<void*>(number); }

  grpc::CompletionQueue queue_;
  std::set<int64_t> ended_;
};

TEST_F(Backpressure, AClientThatDoesNotReadIsHeldBackAndLosesNothing) {
  const auto started = Started("slow");
  grpc::ClientContext context;
  context.set_deadline(SoonEnough());
  const auto stream = training_->AsyncTrain(&context, &queue_, Tag(-1));
  ASSERT_TRUE(Ended(-1));
  stream->Write(RankStream::Hello(started, 0, 1, std::string(16, 'i')), Tag(-2));
  ASSERT_TRUE(Ended(-2));
  auto read = [&, tag = int64_t{-3}]() mutable {
    TrainResponse response;
    stream->Read(&response, Tag(tag));
    EXPECT_TRUE(Ended(tag--, std::chrono::seconds(30)));
    return response;
  };
  ASSERT_TRUE(read().has_welcome());
  int64_t sent = 0;
  do {
    ++sent;
    stream->Write(LargeBatch(sent), Tag(sent));
  } while (Ended(sent) && sent < kBatches);
  EXPECT_LT(sent, kMostTaken) << "the server took everything although nobody read its answers";
  int64_t answered = 0;
  while (answered < kBatches) {
    const TrainResponse response = read();
    ASSERT_FALSE(response.has_refused()) << response.refused().status().ShortDebugString();
    if (!response.has_result()) continue;
    EXPECT_EQ(response.result().seq(), ++answered);
    EXPECT_EQ(response.result().gradients(0).data().size(), static_cast<size_t>(kRows * 3 * 4));
    if (sent < kBatches && Ended(sent)) {
      ++sent;
      stream->Write(LargeBatch(sent), Tag(sent));
    }
  }
  context.TryCancel();
  grpc::Status status;
  stream->Finish(&status, Tag(0));
  EXPECT_TRUE(Ended(0));
}

}  // namespace
}  // namespace gradeline

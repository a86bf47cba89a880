// The memory budget over real streams, and clients that send without reading: they are held back, they do not hold back
// others, and in the end they are cut.
#include <grpcpp/completion_queue.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using v1::TrainResponse;

constexpr int kBatches = 40;
constexpr int64_t kRows = 350'000;  // of three f32 and a label: 7 MB, and as much for the reply
constexpr int kMostTaken = 20;      // what the budget, sockets and flow control hold; all without a bound

v1::TrainRequest LargeBatch(int64_t seq) {
  v1::TrainRequest request = RankStream::Batch(seq, v1::PHASE_TRAIN, 0, seq);
  *request.mutable_batch()->mutable_inputs(0) =
      F32("prediction", {kRows, 3}, std::vector<float>(static_cast<size_t>(kRows * 3), 0.5F));
  *request.mutable_batch()->mutable_inputs(1) =
      I64("target", {kRows}, std::vector<int64_t>(static_cast<size_t>(kRows), 1));
  return request;
}

/// A rank's stream whose reads and writes need not end.
class LazyStream {
 public:
  LazyStream(v1::TrainingService::Stub* stub, const v1::StartExperimentResponse& started) {
    context_.set_deadline(SoonEnough());
    stream_ = stub->AsyncTrain(&context_, &queue_, Tag(kOpen));
    EXPECT_TRUE(Await(kOpen));
    stream_->Write(RankStream::Hello(started, 0, 1, std::string(16, 'i')), Tag(kHello));
    EXPECT_TRUE(Await(kHello));
    EXPECT_TRUE(Read().has_welcome());
  }
  ~LazyStream() {
    context_.TryCancel();
    Finish();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  void Write(const v1::TrainRequest& request) { stream_->Write(request, Tag(++written_)); }
  int64_t written() const { return written_; }
  /// Whether the last message that was written has left.
  bool Left() { return HasEnded(written_); }
  /// Waits until it has; false if the stream ended.
  bool AwaitLeft() { return Await(written_); }
  void BeginRead() { stream_->Read(&response_, Tag(--reads_)); }
  bool ReadEnded() { return HasEnded(reads_); }
  /// The next message; without a case when the stream has ended.
  TrainResponse Read() {
    BeginRead();
    if (!Await(reads_)) response_.Clear();
    return response_;
  }
  grpc::Status Finish() {
    if (!std::exchange(finished_, true)) {
      stream_->Finish(&status_, Tag(kFinish));
      Await(kFinish);
    }
    return status_;
  }

 private:
  static constexpr int64_t kOpen = -1, kHello = -2, kFinish = -3;
  static void* Tag(int64_t number) {
    return reinterpret_cast<void*>(number);  // NOLINT(performance-no-int-to-ptr): a tag is not followed
  }

  bool Take(std::chrono::system_clock::time_point until) {
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, until) != grpc::CompletionQueue::GOT_EVENT) return false;
    ended_[reinterpret_cast<int64_t>(tag)] = ok;
    return true;
  }
  bool HasEnded(int64_t tag) {
    while (Take(std::chrono::system_clock::now())) {
    }
    return ended_.count(tag) > 0;
  }
  bool Await(int64_t tag) {
    while (ended_.count(tag) == 0) {
      if (!Take(SoonEnough())) return false;
    }
    return ended_[tag];
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::TrainRequest, TrainResponse>> stream_;
  std::map<int64_t, bool> ended_;  // tags of operations that have ended, and how
  int64_t written_ = 0, reads_ = -10;
  bool finished_ = false;
  TrainResponse response_;
  grpc::Status status_;
};

/// A budget of two large batches and some.
class Backpressure : public ServerTest {
 protected:
  explicit Backpressure(const std::string& more = "log.level=info")
      : ServerTest({"grpc.max_message_bytes=8388608", "engine.memory_budget_bytes=33554432", more}) {}

  /// Writes large batches until the server takes no more: an attentive rank gets `answers` in the time of one write.
  void WriteUntilHeldBack(LazyStream& lazy, RankStream& attentive, int64_t* seq) {
    while (lazy.written() < kBatches) {
      lazy.Write(LargeBatch(lazy.written() + 1));
      for (int answers = 0; answers < 5 && !lazy.Left(); ++answers) {
        ASSERT_TRUE(attentive.Send(LargeBatch(++*seq)));
        ASSERT_EQ(attentive.NextOf(TrainResponse::kResult).result().seq(), *seq);
      }
      if (!lazy.Left()) return;
    }
  }
};

TEST_F(Backpressure, AClientThatDoesNotReadIsHeldBackAloneAndLosesNothing) {
  const auto started = Started("slow");
  LazyStream lazy(training_.get(), started);
  const auto stub = v1::TrainingService::NewStub(Connect(server_.grpc()));
  RankStream attentive(stub.get(), Started("attentive"), 0, 1);
  int64_t seq = 0;
  WriteUntilHeldBack(lazy, attentive, &seq);
  EXPECT_LT(lazy.written(), kMostTaken) << "the server took everything although nobody read its answers";
  int64_t answered = 0;
  while (answered < kBatches) {
    const TrainResponse response = lazy.Read();
    ASSERT_NE(response.message_case(), TrainResponse::MESSAGE_NOT_SET);
    ASSERT_FALSE(response.has_refused()) << response.refused().status().ShortDebugString();
    if (!response.has_result()) continue;
    EXPECT_EQ(response.result().seq(), ++answered);
    EXPECT_EQ(response.result().gradients(0).data().size(), static_cast<size_t>(kRows * 3 * 4));
    if (lazy.written() < kBatches && lazy.Left()) lazy.Write(LargeBatch(lazy.written() + 1));
  }
}

TEST_F(Backpressure, LargeBatchesWaitForRoomAndSmallOnesDoNot) {
  const auto stub = v1::TrainingService::NewStub(Connect(server_.grpc()));
  LazyStream first(training_.get(), Started("first"));
  LazyStream second(training_.get(), Started("second"));
  {
    RankStream attentive(stub.get(), Started("attentive"), 0, 1);
    int64_t seq = 0;
    WriteUntilHeldBack(first, attentive, &seq);
  }
  // What is left has room for one large batch, so that the second stream is measured with small ones.
  while (second.written() < kBatches) {
    second.Write(LargeBatch(second.written() + 1));
    RankStream small(stub.get(), Started(absl::StrCat("s", second.written())), 0, 1);
    for (int64_t seq = 1; seq <= 100 && !second.Left(); ++seq) {
      ASSERT_TRUE(small.Send(RankStream::Batch(seq, v1::PHASE_TRAIN, 0, seq)));
      ASSERT_EQ(small.NextOf(TrainResponse::kResult).result().seq(), seq);
    }
    if (!second.Left()) break;
  }
  LazyStream third(training_.get(), Started("third"));
  third.Write(LargeBatch(1));
  third.BeginRead();
  RankStream small(stub.get(), Started("small"), 0, 1);
  for (int64_t seq = 1; seq <= 300; ++seq) {
    ASSERT_TRUE(small.Send(RankStream::Batch(seq, v1::PHASE_TRAIN, 0, seq)));
    ASSERT_EQ(small.NextOf(TrainResponse::kResult).result().seq(), seq);
  }
  EXPECT_FALSE(third.ReadEnded()) << "a third large batch was taken into a budget of two";
}

TEST_F(Backpressure, BatchesOfEveryFateGiveTheirBytesBack) {
  const auto started = Started("fates");
  int64_t seq = 0;
  RankStream stream(training_.get(), started, 0, 1);
  for (int round = 0; round < 6; ++round) {
    ASSERT_TRUE(stream.Send(LargeBatch(++seq)));
    ASSERT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), seq);
    v1::TrainRequest bad = LargeBatch(++seq);
    bad.mutable_batch()->mutable_inputs(0)->set_name("logits");
    ASSERT_TRUE(stream.Send(bad));
    ASSERT_TRUE(stream.NextOf(TrainResponse::kRefused).refused().has_record());
    v1::TrainRequest keyless = LargeBatch(seq + 1);
    keyless.mutable_batch()->mutable_key()->set_head("box");
    ASSERT_TRUE(stream.Send(keyless));
    ASSERT_FALSE(stream.NextOf(TrainResponse::kRefused).refused().has_record());
    RankStream cancelled(training_.get(), Started(absl::StrCat("c", round)), 0, 1);
    for (int64_t n = 1; n <= 2; ++n) ASSERT_TRUE(cancelled.Send(LargeBatch(n)));
    cancelled.Cancel();
  }
}

class Stalled : public Backpressure {
 protected:
  Stalled() : Backpressure("grpc.stall_limit_ms=500") {}
};

TEST_F(Stalled, AStreamThatIsNotReadIsCutAndItsRankMayComeBack) {
  const auto started = Started("stalled");
  {
    LazyStream lazy(training_.get(), started);
    do {
      lazy.Write(LargeBatch(lazy.written() + 1));
    } while (lazy.AwaitLeft() && lazy.written() < kBatches);
    EXPECT_LT(lazy.written(), kBatches);
    while (lazy.Read().message_case() != TrainResponse::MESSAGE_NOT_SET) {
    }
    EXPECT_EQ(lazy.Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  RankStream again(training_.get(), started, 0, 1, std::string(16, 'i'));
  EXPECT_EQ(again.welcome().fence(), 2);
  const int64_t seq = again.welcome().committed_seq() + 1;
  ASSERT_TRUE(again.Send(LargeBatch(seq)));
  EXPECT_EQ(again.NextOf(TrainResponse::kResult).result().seq(), seq);
}

}  // namespace
}  // namespace gradeline

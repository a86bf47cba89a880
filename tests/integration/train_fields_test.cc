// What ends a training stream: every field of its messages with wrong values, and messages out of order.
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using v1::TrainResponse;

class TrainFields : public ServerTest {
 protected:
  /// How a stream ends whose Hello was changed.
  Refusal Joined(const v1::StartExperimentResponse& started, const std::function<void(v1::Hello&)>& change) {
    v1::TrainRequest request = RankStream::Hello(started, 0, 1, std::string(16, 'i'));
    change(*request.mutable_hello());
    return First(request);
  }
  Refusal First(const v1::TrainRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(SoonEnough());
    const auto stream = training_->Train(&context);
    stream->Write(request);
    stream->WritesDone();
    TrainResponse response;
    while (stream->Read(&response)) {
    }
    return RefusalOf(StatusOf(stream->Finish()));
  }
  /// How a stream that has joined ends after `request`.
  Refusal After(const v1::TrainRequest& request) {
    const auto started = Started(absl::StrCat("e", ++experiments_));
    RankStream stream(training_.get(), started, 0, 1);
    stream.Send(request);
    while (stream.Next().message_case() != TrainResponse::MESSAGE_NOT_SET) {
    }
    return RefusalOf(stream.Finish());
  }

  int experiments_ = 0;
};

Refusal Invalid(std::vector<std::string> texts) { return {StatusCode::kInvalidArgument, std::move(texts)}; }
Refusal Precondition(const std::string& text) { return {StatusCode::kFailedPrecondition, {text}}; }

TEST_F(TrainFields, Hello) {
  const auto started = Started("hello");
  EXPECT_EQ(Joined(started,
                   [](v1::Hello& hello) {
                     hello.set_experiment("hello");
                     hello.set_world_size(0);
                     hello.set_rank(-1);
                     hello.set_instance("short");
                   }),
            Invalid({"hello.experiment: \"hello\" is no resource name of the form \"experiments/{id}\"",
                     "hello.worldSize: 0; allowed: the experiment's world size",
                     "hello.rank: -1; allowed: 0 to world_size - 1", "hello.instance: has 5 bytes; allowed: 16"}));
  EXPECT_EQ(Joined(started, [](v1::Hello& hello) { hello.set_experiment("experiments/none"); }),
            (Refusal{StatusCode::kNotFound, {"no experiment is called \"none\""}}));
  EXPECT_EQ(Joined(started, [](v1::Hello& hello) { hello.set_attempt_token("wrong"); }),
            (Refusal{StatusCode::kPermissionDenied, {"the attempt token is not that of attempt 1 of hello"}}));
  EXPECT_EQ(Joined(started, [](v1::Hello& hello) { hello.set_rank(1); }),
            Invalid({"hello.rank: 1; allowed: 0 to world_size - 1"}));
  EXPECT_EQ(Joined(started, [](v1::Hello& hello) { hello.set_world_size(2); }),
            Invalid({"hello.worldSize: 2 is not the experiment's 1"}));
  v1::CreateExperimentRequest create;
  *create.mutable_experiment() = ExperimentNamed("draft", 1, 1);
  v1::Experiment draft;
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::CreateExperiment, experiment_, create, &draft).ok());
  EXPECT_EQ(Joined(started, [](v1::Hello& hello) { hello.set_experiment("experiments/draft"); }),
            Precondition("experiment draft is DRAFT: it has not been started"));
}

TEST_F(TrainFields, ARankThatIsTaken) {
  const auto started = Started("taken");
  RankStream first(training_.get(), started, 0, 1, std::string(16, '1'));
  EXPECT_EQ(Joined(started, [](v1::Hello&) {}),
            (Refusal{StatusCode::kAlreadyExists, {"hello.rank: 0 is held by another process"}}));
  ASSERT_TRUE(first.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0))) << "the holder is not disturbed";
  EXPECT_EQ(first.NextOf(TrainResponse::kResult).result().seq(), 1);
}

TEST_F(TrainFields, AFinishedExperiment) {
  const auto started = Started("over", 1, 1);
  {
    RankStream stream(training_.get(), started, 0, 1);
    ASSERT_TRUE(stream.Send(RankStream::Bye(1)));
    stream.NextCommitted(1);
    EXPECT_TRUE(stream.Finish().ok());
  }
  EXPECT_EQ(Get("over").state(), v1::EXPERIMENT_STATE_SUCCEEDED);
  EXPECT_EQ(Joined(started, [](v1::Hello&) {}),
            Precondition("attempt 1 of experiment over is SUCCEEDED: all ranks finished"));
}

TEST_F(TrainFields, Order) {
  EXPECT_EQ(First(RankStream::Bye(1)), Precondition("the first message of a stream is a hello"));
  EXPECT_EQ(First(v1::TrainRequest()), Precondition("the first message of a stream is a hello"));
  EXPECT_EQ(After(RankStream::Hello({}, 0, 1, "")),
            Precondition("hello came twice: it is the first message of a stream"));
  EXPECT_EQ(
      After(v1::TrainRequest()),
      Invalid({"the message is empty or unknown; allowed: hello, batch, replay, endPhase, flush, heartbeat, bye"}));
  const Refusal gap = Precondition("seq 2 is out of order: 1 is next, everything up to 0 is committed");
  EXPECT_EQ(After(RankStream::Batch(2, v1::PHASE_TRAIN, 0, 0)), gap);
  v1::TrainRequest wrong_key = RankStream::Batch(2, v1::PHASE_TRAIN, 0, 0);
  wrong_key.mutable_batch()->mutable_key()->set_head("box");
  EXPECT_EQ(After(wrong_key), gap) << "seq is checked before the key";
  EXPECT_EQ(After(RankStream::EndPhase(2, v1::PHASE_TRAIN, 0, 0)), gap);
  EXPECT_EQ(After(RankStream::Bye(2)), gap);
  EXPECT_EQ(After(RankStream::Batch(0, v1::PHASE_TRAIN, 0, 0)),
            Precondition("seq 0 is out of order: 1 is next, everything up to 0 is committed"));
}

TEST_F(TrainFields, EndPhase) {
  EXPECT_EQ(After(RankStream::EndPhase(1, v1::PHASE_UNSPECIFIED, 0, 0)),
            Invalid({"endPhase.phase: 0 is no phase; allowed: PHASE_TRAIN, PHASE_VALIDATION, PHASE_TEST"}));
  EXPECT_EQ(After(RankStream::EndPhase(1, v1::PHASE_TRAIN, 7, -1)),
            Invalid({"endPhase.epoch: 7 is not between 0 and 1", "endPhase.records: -1 is below 0"}));
}

TEST_F(TrainFields, Replay) {
  v1::Record record;
  record.set_seq(1);
  record.set_digest("x");
  record.set_metrics("123");
  record.mutable_key()->set_head("box");
  EXPECT_EQ(After(RankStream::Replay(record)),
            Invalid({"replay.record.key.phase: 0 is no phase; allowed: PHASE_TRAIN, PHASE_VALIDATION, PHASE_TEST",
                     "replay.record.key.head: \"box\" is no head of the experiment; allowed: classification",
                     "replay.record.digest: has 1 bytes; allowed: 16"}));
  record.set_digest(std::string(16, 'd'));
  record.clear_metrics();
  record.set_code(77);
  record.set_items(-1);
  record.add_values()->set_numerator(1);
  record.mutable_key()->set_head("classification");
  record.mutable_key()->set_phase(v1::PHASE_TRAIN);
  EXPECT_EQ(After(RankStream::Replay(record)),
            Invalid({"replay.record.code: 77 is not a status code, 0 to 16",
                     "replay.record.items: -1; allowed: 0 to 2147483647",
                     "replay.record.values: has 1 entries, a refused record has 0"}));
  record.set_items(0);
  record.set_code(3);
  record.clear_values();
  record.mutable_refusal()->set_reason(std::string(64, 'R'));
  record.mutable_refusal()->set_component(std::string(64, 'c'));
  record.mutable_refusal()->set_item(-1);
  EXPECT_EQ(After(RankStream::Replay(record)),
            Invalid({"replay.record.refusal.reason: has 64 bytes; allowed: at most 63",
                     "replay.record.refusal.component: has 64 bytes; allowed: at most 63",
                     "replay.record.refusal.item: -1; allowed: 0 and above"}));
  record.set_code(0);
  record.clear_refusal();
  record.add_values()->set_numerator(1);
  record.mutable_refusal()->set_reason("NOT_FINITE");
  record.set_metrics(std::string(16, '\0'));
  EXPECT_EQ(
      After(RankStream::Replay(record)),
      Invalid({"replay.record.refusal: is given for a batch that was not refused; allowed: with a code other than 0"}));
  record.clear_refusal();
  record.set_items(int64_t{1} << 31);
  record.mutable_values(0)->set_numerator(std::numeric_limits<double>::quiet_NaN());
  record.mutable_values(0)->set_denominator(-1);
  record.set_metrics(std::string(1025, '\0'));
  EXPECT_EQ(After(RankStream::Replay(record)),
            Invalid({"replay.record.items: 2147483648; allowed: 0 to 2147483647",
                     "replay.record.values[0].numerator: nan; allowed: -1e+298 to 1e+298",
                     "replay.record.values[0].denominator: -1; allowed: 0 to 1e+298",
                     "replay.record.metrics: has 1025 bytes; allowed: at most 1024"}));
  record.set_items(1);
  record.mutable_values(0)->set_numerator(1);
  record.mutable_values(0)->set_denominator(1);
  record.set_metrics("123");
  EXPECT_EQ(After(RankStream::Replay(record)),
            Invalid({"replay.record.metrics: is no count of metrics; allowed: what the Result had"}));
  record.set_seq(2);
  record.set_metrics(std::string(16, '\0'));
  EXPECT_EQ(After(RankStream::Replay(record)),
            Precondition("seq 2 is out of order: 1 is next, everything up to 0 is committed"));
}

// The loss alone would take both: it computes pixels as well, of any number of classes.
TEST_F(TrainFields, PredictionsAreThoseOfTheHead) {
  RankStream stream(training_.get(), Started("axes"), 0, 1);
  EXPECT_EQ(stream.welcome().heads(0).head().classes(), 3);
  const auto refusal = [&](int64_t seq, const v1::Tensor& prediction, const v1::Tensor& target) {
    v1::TrainRequest request = RankStream::Batch(seq, v1::PHASE_TRAIN, 0, seq);
    *request.mutable_batch()->mutable_inputs(0) = prediction;
    *request.mutable_batch()->mutable_inputs(1) = target;
    stream.Send(request);
    return stream.NextOf(TrainResponse::kRefused).refused().status().message();
  };
  EXPECT_THAT(
      refusal(1, F32("prediction", {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}), I64("target", {2}, {0, 1})),
      testing::HasSubstr("inputs.prediction: has shape [2, 4]; a head of signal multiclass needs N c, c = 3 classes"));
  EXPECT_THAT(refusal(2, F32("prediction", {1, 3, 2}, {1, 2, 3, 4, 5, 6}), I64("target", {1, 2}, {0, 1})),
              testing::HasSubstr("inputs.prediction: has shape [1, 3, 2]; a head of signal multiclass needs N c"));
}

TEST_F(TrainFields, BatchKeysAreCheckedAgainstTheAttempt) {
  const auto started = Started("keys");
  RankStream stream(training_.get(), started, 0, 1);
  const auto refused = [&](const std::function<void(v1::RecordKey&)>& change) {
    v1::TrainRequest request = RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0);
    change(*request.mutable_batch()->mutable_key());
    EXPECT_TRUE(stream.Send(request));
    const v1::Refused answer = stream.NextOf(TrainResponse::kRefused).refused();
    EXPECT_FALSE(answer.has_record());
    return answer.status().message();
  };
  EXPECT_EQ(refused([](v1::RecordKey& key) { key.set_epoch(2); }), "key.epoch: 2 is not between 0 and 1");
  EXPECT_EQ(refused([](v1::RecordKey& key) { key.set_epoch(-1), key.set_part(-1); }),
            "key.epoch: -1 is negative; allowed: 0 and above; key.part: -1 is negative; allowed: 0 and above");
  EXPECT_EQ(refused([](v1::RecordKey& key) { key.clear_phase(); }),
            "key.phase: 0 is no phase; allowed: PHASE_TRAIN, PHASE_VALIDATION, PHASE_TEST");
  ASSERT_TRUE(stream.Send(RankStream::EndPhase(1, v1::PHASE_TRAIN, 0, 0)));
  stream.NextOf(TrainResponse::kSealed);
  v1::TrainRequest late = RankStream::Batch(2, v1::PHASE_TRAIN, 0, 5);
  ASSERT_TRUE(stream.Send(late));
  EXPECT_EQ(stream.NextOf(TrainResponse::kRefused).refused().status().message(),
            "train of epoch 0 is sealed: nothing can be added");
}

}  // namespace
}  // namespace gradeline

// The training stream when all goes well, and batches that do not.
#include <cmath>
#include <future>
#include <thread>

#include "tests/integration/held_commits.h"
#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using v1::TrainResponse;

class Train : public ServerTest {};

TEST_F(Train, TwoRanksTrainToTheEnd) {
  const auto started = Started("two", 2, 2);
  EXPECT_EQ(Get("two").state(), v1::EXPERIMENT_STATE_QUEUED);
  const auto run = [&](int rank) {
    RankStream stream(training_.get(), started, rank, 2);
    ASSERT_EQ(stream.welcome().attempt(), 1);
    ASSERT_EQ(stream.welcome().credits(), 4);
    int64_t seq = 0;
    for (int epoch = 0; epoch < 2; ++epoch) {
      for (const v1::Phase phase : {v1::PHASE_TRAIN, v1::PHASE_VALIDATION}) {
        for (int step = 0; step < 3; ++step) {
          ASSERT_TRUE(stream.Send(RankStream::Batch(++seq, phase, epoch, step)));
          const v1::Result result = stream.NextOf(TrainResponse::kResult).result();
          EXPECT_EQ(result.seq(), seq);
          EXPECT_EQ(result.record().digest().size(), 16u);
          EXPECT_EQ(result.gradients_size(), phase == v1::PHASE_TRAIN ? 1 : 0);
        }
        ASSERT_TRUE(stream.Send(RankStream::EndPhase(++seq, phase, epoch, 3)));
        const v1::Epoch sealed = stream.NextOf(TrainResponse::kSealed).sealed().epoch();
        EXPECT_EQ(sealed.phase(), phase);
        EXPECT_EQ(sealed.epoch(), epoch);
      }
    }
    ASSERT_TRUE(stream.Send(RankStream::Bye(++seq)));
    stream.NextCommitted(seq);
    EXPECT_TRUE(stream.Finish().ok());
  };
  std::thread other([&] { run(1); });
  run(0);
  other.join();
  EXPECT_EQ(Get("two").state(), v1::EXPERIMENT_STATE_SUCCEEDED);
  const std::vector<v1::Epoch> epochs = Epochs("two");
  ASSERT_EQ(epochs.size(), 4u);
  for (const v1::Epoch& epoch : epochs) {
    EXPECT_EQ(epoch.verdict(), v1::SEAL_VERDICT_COMPLETE);
    EXPECT_EQ(epoch.batches(), 6);
    EXPECT_EQ(epoch.items(), 12);
    EXPECT_EQ(epoch.components(0).denominator(), 12);
    EXPECT_EQ(epoch.metrics(0).metric(), "accuracy");
    EXPECT_EQ(epoch.metrics(0).count(), 12);
  }
}

TEST_F(Train, GivenNormalisersDivideValueAndGradientAndTheRecordKeepsItsOwn) {
  const auto started = Started("given");
  RankStream stream(training_.get(), started, 0, 1);
  ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
  const v1::Result own = stream.NextOf(TrainResponse::kResult).result();
  v1::TrainRequest request = RankStream::Batch(2, v1::PHASE_TRAIN, 0, 1);
  *request.mutable_batch()->mutable_inputs() = RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0).batch().inputs();
  request.mutable_batch()->add_normalisers(8);
  request.mutable_batch()->set_gradient_scale(4);
  ASSERT_TRUE(stream.Send(request));
  const v1::Result given = stream.NextOf(TrainResponse::kResult).result();
  EXPECT_DOUBLE_EQ(given.value().loss(), own.value().loss() * 2 / 8);
  EXPECT_EQ(given.record().values(0).denominator(), 2);
  EXPECT_EQ(given.record().values(0).numerator(), own.record().values(0).numerator());
  EXPECT_EQ(given.gradients(0).data(), own.gradients(0).data()) << "scale 4 over 8 is 1 over 2";
}

// The wire's order: a training result comes before its commit, a validation result after it.
TEST_F(Train, AValidationResultWaitsForTheCommitAndATrainingResultDoesNot) {
  const auto started = Started("held", 2);
  RankStream validating(training_.get(), started, 0, 2);
  RankStream training(training_.get(), started, 1, 2);
  std::future<v1::TrainResponse> validated;
  {
    const HeldCommits held(server_.folder() + "/g.db");
    ASSERT_TRUE(validating.Send(RankStream::Batch(1, v1::PHASE_VALIDATION, 0, 0)));
    validated = std::async(std::launch::async, [&] { return validating.Next(); });
    for (int64_t seq = 1; seq <= 100; ++seq) {
      ASSERT_TRUE(training.Send(RankStream::Batch(seq, v1::PHASE_TRAIN, 0, seq)));
      const TrainResponse response = training.Next();
      ASSERT_EQ(response.result().seq(), seq) << response.ShortDebugString();
    }
    EXPECT_EQ(validated.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  }
  EXPECT_EQ(validated.get().result().seq(), 1);
}

TEST_F(Train, ValidationResultsComeInOrderAndCommittedNeverOvertakesThem) {
  const auto started = Started("order");
  RankStream stream(training_.get(), started, 0, 1);
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(stream.Send(RankStream::Batch(i + 1, i < 20 ? v1::PHASE_TRAIN : v1::PHASE_VALIDATION, 0, i)));
  }
  ASSERT_TRUE(stream.Send(RankStream::EndPhase(41, v1::PHASE_TRAIN, 0, 20)));
  int64_t answered = 0, committed = 0;
  while (committed < 41) {
    const TrainResponse response = stream.Next();
    ASSERT_NE(response.message_case(), TrainResponse::MESSAGE_NOT_SET)
        << "ended after " << committed << ": " << stream.Finish();
    if (response.has_result()) {
      EXPECT_EQ(response.result().seq(), ++answered);
    }
    if (!response.has_committed()) continue;
    committed = response.committed().seq();
    EXPECT_LE(std::min<int64_t>(committed, 40), answered);
  }
  EXPECT_EQ(answered, 40);
}

TEST_F(Train, BadBatchesAreRecordedAndTheStreamLivesOn) {
  const auto started = Started("bad");
  RankStream stream(training_.get(), started, 0, 1);
  int64_t seq = 0;
  const auto refused = [&](auto change) {
    ++seq;
    v1::TrainRequest request = RankStream::Batch(seq, v1::PHASE_TRAIN, 0, seq);
    change(*request.mutable_batch());
    EXPECT_TRUE(stream.Send(request));
    const v1::Refused answer = stream.NextOf(TrainResponse::kRefused).refused();
    EXPECT_EQ(answer.seq(), seq);
    EXPECT_TRUE(answer.has_record());
    EXPECT_TRUE(answer.seq_taken());
    EXPECT_EQ(answer.record().code(), answer.status().code());
    EXPECT_EQ(answer.record().digest().size(), 16u);
    return answer.status().message();
  };
  EXPECT_EQ(refused([](auto& b) {
              *b.mutable_inputs(1) = I64("target", {2}, {0, 9});
            }),
            "inputs.target[1]: is 9; labels lie in [0, 3) or are -100 (ignored)");
  EXPECT_EQ(refused([](auto& b) {
              *b.mutable_inputs(0) = F32("prediction", {2, 3}, {1, 2, NAN, 1, 2, 3});
            }),
            "inputs.prediction[0, 2]: is NaN; allowed are finite numbers");
  EXPECT_EQ(refused([](auto& b) { b.mutable_inputs(0)->set_shape(0, 3); }),
            "inputs.prediction.data: has 24 bytes; shape [3, 3] of f32 needs 36");
  EXPECT_EQ(refused([](auto& b) { b.mutable_inputs(0)->set_data_type(v1::DATA_TYPE_I64); }),
            "inputs.prediction.data: has 24 bytes; shape [2, 3] of i64 needs 48");
  EXPECT_EQ(refused([](auto& b) { b.mutable_inputs(0)->set_name("logits"); }),
            "inputs[0].name: \"logits\" is no input of cross_entropy; allowed: prediction, target, weight");
  EXPECT_EQ(refused([](auto& b) { b.clear_inputs(); }),
            "inputs.prediction: is missing; dims N c *; inputs.target: is missing; exactly one of target of labels, "
            "target of reals must come");
  EXPECT_EQ(refused([](auto& b) { b.add_normalisers(-1); }), "normalisers[0]: -1; allowed: finite and above 0");
  EXPECT_EQ(refused([](auto& b) { b.set_gradient_scale(NAN); }), "gradientScale: nan; allowed: finite numbers");
  EXPECT_EQ(seq, 8);
  ++seq;
  ASSERT_TRUE(stream.Send(RankStream::Batch(seq, v1::PHASE_TRAIN, 0, seq)));
  EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), seq);
  ASSERT_TRUE(stream.Send(RankStream::EndPhase(++seq, v1::PHASE_TRAIN, 0, 9)));
  const v1::Epoch sealed = stream.NextOf(TrainResponse::kSealed).sealed().epoch();
  EXPECT_EQ(sealed.verdict(), v1::SEAL_VERDICT_COMPLETE);
  EXPECT_EQ(sealed.items(), 2);
  ASSERT_EQ(sealed.refused_size(), 1);
  EXPECT_EQ(sealed.refused(0).code(), 3);
  EXPECT_EQ(sealed.refused(0).count(), 8);
}

TEST_F(Train, NormalisersFollowTheReductionOfTheHead) {
  MakeSplit();
  const auto refused = [&](const std::string& id, v1::Reduction reduction, bool given) {
    v1::CreateExperimentRequest create;
    *create.mutable_experiment() = ExperimentNamed(id, 1, 1);
    v1::HeadLoss* loss = create.mutable_experiment()->add_losses();
    loss->set_head("classification");
    loss->set_reduction(reduction);
    v1::Experiment experiment;
    EXPECT_TRUE(Call(&v1::ExperimentService::Stub::CreateExperiment, experiment_, create, &experiment).ok());
    v1::StartExperimentRequest start;
    start.set_name(experiment.name());
    v1::StartExperimentResponse started;
    EXPECT_TRUE(Call(&v1::ExperimentService::Stub::StartExperiment, experiment_, start, &started).ok());
    RankStream stream(training_.get(), started, 0, 1);
    v1::TrainRequest request = RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0);
    if (given) request.mutable_batch()->add_normalisers(2);
    EXPECT_TRUE(stream.Send(request));
    return stream.NextOf(TrainResponse::kRefused).refused().status().message();
  };
  EXPECT_EQ(refused("given", v1::REDUCTION_GIVEN, false),
            "normalisers: is missing: head classification divides by what is given");
  EXPECT_EQ(refused("sum", v1::REDUCTION_SUM, true),
            "normalisers: is not taken: head classification is not divided (reduction sum)");
}

TEST_F(Train, AWrongKeyIsRefusedWithoutARecordAndItsSeqComesAgain) {
  const auto started = Started("key");
  RankStream stream(training_.get(), started, 0, 1);
  v1::TrainRequest wrong = RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0);
  wrong.mutable_batch()->mutable_key()->set_head("box");
  wrong.mutable_batch()->mutable_key()->set_step(-1);
  ASSERT_TRUE(stream.Send(wrong));
  // Sent before the worker could see the refusal.
  ASSERT_TRUE(stream.Send(RankStream::Batch(2, v1::PHASE_TRAIN, 0, 1)));
  ASSERT_TRUE(stream.Send(RankStream::EndPhase(3, v1::PHASE_TRAIN, 0, 2)));
  v1::Record replayed;
  replayed.set_seq(4);
  ASSERT_TRUE(stream.Send(RankStream::Replay(replayed)));
  ASSERT_TRUE(stream.Send(RankStream::Bye(5)));
  const v1::Refused first = stream.NextOf(TrainResponse::kRefused).refused();
  EXPECT_EQ(first.seq(), 1);
  EXPECT_FALSE(first.has_record());
  EXPECT_FALSE(first.seq_taken());
  EXPECT_EQ(first.status().message(),
            "key.step: -1 is negative; allowed: 0 and above; key.head: \"box\" is no head of the experiment; allowed: "
            "classification");
  for (int64_t seq = 2; seq <= 5; ++seq) {
    const v1::Refused later = stream.NextOf(TrainResponse::kRefused).refused();
    EXPECT_EQ(later.seq(), seq);
    EXPECT_FALSE(later.has_record());
    EXPECT_FALSE(later.seq_taken());
    EXPECT_EQ(later.status().message(), "seq 1 was refused without a record and is still the next one");
  }
  ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
  EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), 1);
}

TEST_F(Train, AGoodbyeBeforeThePhaseIsEndedIsRefusedAndTheRankStaysHeld) {
  const auto started = Started("early");
  {
    RankStream stream(training_.get(), started, 0, 1);
    ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
    ASSERT_TRUE(stream.Send(RankStream::Bye(2)));
    const absl::Status status = stream.Finish();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.message(), "rank 0 cannot finish: it has 1 records in train of epoch 0, which it has not ended");
  }
  RankStream stream(training_.get(), started, 0, 1);
  EXPECT_EQ(stream.welcome().committed_seq(), 1);
  ASSERT_TRUE(stream.Send(RankStream::EndPhase(2, v1::PHASE_TRAIN, 0, 1)));
  EXPECT_EQ(stream.NextOf(TrainResponse::kSealed).sealed().epoch().verdict(), v1::SEAL_VERDICT_COMPLETE);
  ASSERT_TRUE(stream.Send(RankStream::Bye(3)));
  stream.NextCommitted(3);
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(Get("early").state(), v1::EXPERIMENT_STATE_SUCCEEDED);
}

TEST_F(Train, ALongReasonOfAGoodbyeIsCut) {
  const auto started = Started("long");
  RankStream stream(training_.get(), started, 0, 1);
  v1::TrainRequest bye = RankStream::Bye(1);
  std::string reason = "x";
  while (reason.size() < 6'000'000) reason += "\u00e9";  // two bytes: the limit lies within one
  bye.mutable_bye()->set_reason(reason);
  ASSERT_TRUE(stream.Send(bye));
  stream.NextCommitted(1);
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(Get("long").state_reason(), "rank 0: " + reason.substr(0, 4095));
}

TEST_F(Train, FlushIsAnsweredByCommitted) {
  const auto started = Started("flush");
  RankStream stream(training_.get(), started, 0, 1);
  v1::TrainRequest flush;
  flush.mutable_flush();
  ASSERT_TRUE(stream.Send(flush));
  EXPECT_EQ(stream.NextOf(TrainResponse::kCommitted).committed().seq(), 0);
  ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
  ASSERT_TRUE(stream.Send(flush));
  EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), 1);
  EXPECT_EQ(stream.NextOf(TrainResponse::kCommitted).committed().seq(), 1);
  v1::TrainRequest heartbeat;
  heartbeat.mutable_heartbeat()->set_paused(true);
  ASSERT_TRUE(stream.Send(heartbeat));
  ASSERT_TRUE(stream.Send(RankStream::Batch(2, v1::PHASE_TRAIN, 0, 1)));
  EXPECT_EQ(stream.NextOf(TrainResponse::kResult).result().seq(), 2);
}

TEST_F(Train, CancelStopsTheStreamAndSealsPartially) {
  const auto started = Started("cancel");
  RankStream stream(training_.get(), started, 0, 1);
  ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
  stream.NextCommitted(1);
  v1::CancelExperimentRequest request;
  request.set_name("experiments/cancel");
  v1::Experiment experiment;
  ASSERT_TRUE(Call(&v1::ExperimentService::Stub::CancelExperiment, experiment_, request, &experiment).ok());
  EXPECT_EQ(stream.NextOf(TrainResponse::kSealed).sealed().epoch().verdict(), v1::SEAL_VERDICT_PARTIAL);
  const v1::Stop stop = stream.NextOf(TrainResponse::kStop).stop();
  EXPECT_EQ(stop.state(), v1::EXPERIMENT_STATE_CANCELLED);
  EXPECT_TRUE(stream.Finish().ok());
  const auto epochs = Epochs("cancel");
  ASSERT_EQ(epochs.size(), 1u);
  EXPECT_EQ(epochs[0].verdict(), v1::SEAL_VERDICT_PARTIAL);
  EXPECT_EQ(epochs[0].batches(), 1);
}

TEST_F(Train, AByeWithAReasonFailsTheExperiment) {
  const auto started = Started("fail");
  RankStream stream(training_.get(), started, 0, 1);
  v1::TrainRequest bye = RankStream::Bye(1);
  bye.mutable_bye()->set_reason("out of memory");
  ASSERT_TRUE(stream.Send(bye));
  stream.NextCommitted(1);
  stream.Finish().IgnoreError();
  const v1::Experiment experiment = Get("fail");
  EXPECT_EQ(experiment.state(), v1::EXPERIMENT_STATE_FAILED);
  EXPECT_NE(experiment.state_reason().find("out of memory"), std::string::npos) << experiment.state_reason();
}

}  // namespace
}  // namespace gradeline

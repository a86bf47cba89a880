#include "server/rpc/train_stream.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/rpc/raw_bytes.h"
#include "server/wire/experiment.h"
#include "server/wire/status.h"
#include "server/wire/training.h"

namespace gradeline {

TrainStream::TrainStream(Experiments* experiments, Engine* engine, Calls* calls)
    : experiments_(experiments), engine_(engine), calls_(calls), lane_(engine->OpenLane()) {}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* TrainStream::Open(Experiments* experiments, Engine* engine,
                                                                               Calls* calls,
                                                                               grpc::CallbackServerContext* context) {
  auto stream = std::make_shared<TrainStream>(experiments, engine, calls);
  StreamPipe::Handlers handlers;
  handlers.message = [stream](grpc::ByteBuffer bytes, StreamPipe::SlotRef slot) {
    stream->lane_->Post([stream, bytes = std::move(bytes), slot = std::move(slot)]() mutable {
      if (!stream->cut_) stream->Handle(std::move(bytes), std::move(slot));
    });
  };
  handlers.cut = [stream] { stream->cut_ = true; };
  handlers.done = [stream] { stream->Done(); };
  handlers.committed = [](int64_t seq) {
    v1::TrainResponse response;
    response.mutable_committed()->set_seq(seq);
    return RawBytes(response);
  };
  auto [pipe, reactor] = StreamPipe::Open(engine, context, calls->Timer("TrainingService/Train"), std::move(handlers));
  stream->pipe_ = std::move(pipe);
  calls->Register(stream);
  return reactor;
}

// Not on gRPC's thread: closing a lane waits for what runs, and the session's end may wait too.
void TrainStream::Done() {
  calls_->pool().Post([self = shared_from_this()] {
    self->lane_->Close();  // the lane stays: what runs on it may still use it
    self->session_.reset();
  });
}

void TrainStream::Handle(grpc::ByteBuffer bytes, StreamPipe::SlotRef slot) {
  const auto size = static_cast<int64_t>(bytes.Length());
  if (size > calls_->max_message_bytes()) {
    return HandleUnread(std::move(bytes), MessageTooLarge("the batch", size, calls_->max_message_bytes()),
                        std::move(slot));
  }
  absl::Status parsed;
  {
    grpc::ProtoBufferReader in(&bytes);
    parsed = reader_.Read(&in, size);
  }
  if (!parsed.ok()) return HandleUnread(std::move(bytes), parsed, std::move(slot));
  bytes.Clear();
  const bool hello = reader_.kind() == TrainRequestReader::Kind::kHello;
  if (hello == std::exchange(hello_seen_, true)) {
    return pipe_->Close(absl::FailedPreconditionError(hello ? "hello came twice: it is the first message of a stream"
                                                            : "the first message of a stream is a hello"));
  }
  if (reader_.kind() == TrainRequestReader::Kind::kBatch) {
    calls_->metrics().AddBatchBytes(size);
    HandleBatch(std::move(slot));
  } else {
    HandleOther(reader_.other(), std::move(slot));
  }
}

void TrainStream::HandleOther(const v1::TrainRequest& request, StreamPipe::SlotRef slot) {
  switch (request.message_case()) {
    case v1::TrainRequest::kHello:
      return HandleHello(request.hello(), std::move(slot));
    case v1::TrainRequest::kReplay:
      return HandleReplay(request.replay(), slot);
    case v1::TrainRequest::kEndPhase:
      return HandleEndPhase(request.end_phase(), slot);
    case v1::TrainRequest::kFlush:
      return session_->Flush();
    case v1::TrainRequest::kHeartbeat:
      return session_->Heartbeat(request.heartbeat().paused());
    case v1::TrainRequest::kBye:
      return HandleBye(request.bye(), slot);
    default:
      return pipe_->Close(absl::InvalidArgumentError(
          "the message is empty or unknown; allowed: hello, batch, replay, endPhase, flush, heartbeat, bye"));
  }
}

void TrainStream::HandleHello(const v1::Hello& hello, StreamPipe::SlotRef slot) {
  absl::StatusOr<JoinRequest> request = JoinFromProto(hello);
  if (!request.ok()) return pipe_->Close(BelowField("hello", request.status()));
  calls_->pool().Post([self = shared_from_this(), request = *std::move(request), slot = std::move(slot)] {
    self->Join(request, slot);
  });
}

void TrainStream::Join(const JoinRequest& request, StreamPipe::SlotRef slot) {
  if (cut_) return;
  const absl::StatusOr<std::shared_ptr<RankSession>> session = experiments_->Join(request, shared_from_this());
  if (!session.ok()) return pipe_->Close(BelowField("hello", session.status()));
  const WelcomeInfo& info = (*session)->welcome();
  v1::TrainResponse response;
  *response.mutable_welcome() = WelcomeToProto(info, (*session)->heads(), calls_->max_message_bytes());
  resolved_heads_ = info.experiment.heads;
  lane_->Post([self = shared_from_this(), joined = *session] { self->session_ = joined; });
  committed_ = std::max<int64_t>(committed_, info.committed_seq);
  pipe_->Send(RawBytes(response));
  slot.reset();
  pipe_->SetWindow(info.credits, info.max_uncommitted, info.committed_seq);
  const std::lock_guard lock(welcome_mutex_);
  welcomed_ = true;
  for (const std::function<void()>& event : waiting_) event();
  waiting_.clear();
}

void TrainStream::AfterWelcome(std::function<void()> event) {
  const std::lock_guard lock(welcome_mutex_);
  if (welcomed_) return event();
  waiting_.push_back(std::move(event));
}

bool TrainStream::IsNext(int64_t seq, const StreamPipe::SlotRef& slot) {
  if (unrecorded_ > 0 && seq > unrecorded_) {
    // What the worker sent before it saw the refusal of a batch that has no record.
    RefuseUnrecorded(seq,
                     absl::FailedPreconditionError(
                         absl::StrCat("seq ", unrecorded_, " was refused without a record and is still the next one")),
                     slot);
    return false;
  }
  const absl::StatusOr<SeqVerdict> verdict = session_->CheckSeq(seq);
  if (!verdict.ok()) {
    pipe_->Close(verdict.status());
    return false;
  }
  if (*verdict == SeqVerdict::kCommitted) {
    pipe_->Committed(committed_, true);
    return false;
  }
  return true;
}

void TrainStream::Begin(int64_t seq) {
  session_->Begin(seq).IgnoreError();  // a session that broke meanwhile tells when the message is reported
  unrecorded_ = 0;
  pipe_->Begun(seq);
}

void TrainStream::HandleReplay(const v1::Replay& replay, const StreamPipe::SlotRef& slot) {
  const int64_t seq = replay.record().seq();
  if (!IsNext(seq, slot)) return;
  absl::StatusOr<Record> record = RecordFromProto(replay.record(), session_->heads());
  absl::Status status = record.status();
  if (status.ok()) status = session_->CheckRecord(*record);
  if (!status.ok()) return pipe_->Close(BelowField("replay.record", status));
  Begin(seq);
  session_->Report(*std::move(record), [self = shared_from_this(), seq](RecordFate fate, const absl::Status& why) {
    self->Settled(seq, fate, why);
  });
}

void TrainStream::HandleEndPhase(const v1::EndPhase& end, const StreamPipe::SlotRef& slot) {
  const int64_t seq = end.seq();
  if (!IsNext(seq, slot)) return;
  const absl::StatusOr<Phase> phase = PhaseFromProto(end.phase());
  if (!phase.ok()) return pipe_->Close(BelowField("endPhase", phase.status()));
  Begin(seq);
  const absl::Status status = session_->EndPhase(
      seq, *phase, end.epoch(), end.records(),
      [self = shared_from_this(), seq](RecordFate fate, const absl::Status& why) { self->Settled(seq, fate, why); });
  if (!status.ok()) pipe_->Close(BelowField("endPhase", status));
}

void TrainStream::HandleBye(const v1::Bye& bye, const StreamPipe::SlotRef& slot) {
  const int64_t seq = bye.seq();
  if (!IsNext(seq, slot)) return;
  Begin(seq);
  // The slot is kept until then, so that a client that sends no more waits for the answer.
  session_->Bye(seq, bye.reason(), [self = shared_from_this(), seq, slot](RecordFate fate, const absl::Status& why) {
    if (!self->Settled(seq, fate, why)) return;
    self->pipe_->Committed(seq, true);
    self->pipe_->End(absl::OkStatus());
  });
}

bool TrainStream::Settled(int64_t seq, RecordFate fate, const absl::Status& status, StreamPipe::ReplyRef reply) {
  switch (fate) {
    case RecordFate::kCommitted:
    case RecordFate::kDuplicate:
      return true;
    case RecordFate::kConflict: {
      v1::TrainResponse response;
      response.mutable_refused()->set_seq(seq);
      response.mutable_refused()->set_seq_taken(true);
      *response.mutable_refused()->mutable_status() =
          StatusToProto(WithReason(absl::AlreadyExistsError(status.message()), "CONFLICT"));
      if (reply == nullptr) reply = pipe_->Promise(0, nullptr);
      pipe_->Fulfil(reply, RawBytes(response));
      return false;
    }
    case RecordFate::kClosed:
      return false;  // OnStop ends the stream
    case RecordFate::kFenced:
      pipe_->Close(WithReason(absl::AbortedError(status.message()), "FENCED"));
      return false;
    case RecordFate::kFailed:
      pipe_->Close(status);
      return false;
  }
  return false;
}

void TrainStream::OnCommitted(int64_t seq) {
  AfterWelcome([this, seq] {
    const bool asked = committed_.exchange(seq) == seq;  // nothing new: the answer to a Flush
    pipe_->Committed(seq, asked);
  });
}

void TrainStream::OnSealed(const Seal& seal) {
  AfterWelcome([this, seal] {
    v1::TrainResponse response;
    *response.mutable_sealed()->mutable_epoch() = ToProto(seal, resolved_heads_);
    pipe_->Send(RawBytes(response));
  });
}

void TrainStream::OnRanks(const std::vector<LateRank>& suspect, const std::vector<LateRank>& gone) {
  v1::TrainResponse response;
  response.mutable_ranks();
  for (const LateRank& late : suspect) *response.mutable_ranks()->add_suspect() = ToProto(late);
  for (const LateRank& late : gone) *response.mutable_ranks()->add_gone() = ToProto(late);
  AfterWelcome([this, response] { pipe_->Send(RawBytes(response)); });
}

void TrainStream::OnStop(ExperimentState state, const std::string& reason) {
  v1::TrainResponse response;
  response.mutable_stop()->set_state(static_cast<v1::ExperimentState>(state));
  response.mutable_stop()->set_reason(reason);
  AfterWelcome([this, response] { pipe_->Close(absl::OkStatus(), RawBytes(response)); });
}

void TrainStream::OnSuperseded() {
  pipe_->Close(WithReason(absl::AbortedError("the rank joined again on another stream"), "SUPERSEDED"));
}

void TrainStream::CutIfStalled(std::chrono::milliseconds limit) { pipe_->CutIfStalled(limit); }

void TrainStream::Drain() {
  pipe_->End(WithReason(absl::UnavailableError("the server is stopping; connect again and replay"), "DRAINING"));
}

}  // namespace gradeline

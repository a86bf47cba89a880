// See worker.h. The reading thread owns the connection: it opens, reads, and replaces it. The writing thread alone
// writes, heartbeats included, so that neither a slow trainer nor a slow answer delays them.
#include "client/cpp/worker.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/status.h"

namespace gradeline::client {

struct Worker::Call {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::TrainRequest, v1::TrainResponse>> stream;
};

namespace {

// How long one try to connect may take before the next pause; the destructor waits for it too.
constexpr absl::Duration kConnectPatience = absl::Seconds(1);

std::string RandomBytes(size_t count) {
  std::random_device source;
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    out.push_back(static_cast<char>(source()));
  }
  return out;
}

// Whether joining again may help: the connection or the server failed, not what was asked.
bool MayRejoin(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kOk:  // the server closed the stream without saying why
      return true;
    case absl::StatusCode::kAborted:  // FENCED: joining again tells why
      return ReasonOf(status) != "SUPERSEDED";
    default:
      return false;
  }
}

absl::Status Annotated(const absl::Status& status, const std::string& what) {
  absl::Status out(status.code(), absl::StrCat(what, ": ", status.message()));
  status.ForEachPayload([&out](absl::string_view url, const absl::Cord& payload) { out.SetPayload(url, payload); });
  return out;
}

}  // namespace

Worker::Worker(std::shared_ptr<Connection> connection, WorkerOptions options)
    : route_(std::move(connection)), options_(std::move(options)), instance_(RandomBytes(16)) {}

absl::StatusOr<std::unique_ptr<Worker>> Worker::Join(std::shared_ptr<Connection> connection, WorkerOptions options) {
  std::unique_ptr<Worker> worker(new Worker(std::move(connection), std::move(options)));
  std::vector<RecordWindow::Lost> lost;
  // Without its Welcome the Hello may be committed all the same: only this instance can then have the rank.
  const absl::Status status = worker->Open(&lost);
  if (!status.ok() && !worker->Rejoin(status, &lost)) {
    return Annotated(worker->end_, absl::StrCat("cannot join ", worker->options_.experiment));
  }
  worker->reader_ = std::thread([self = worker.get(), lost] { self->ReadThread(lost); });
  worker->writer_ = std::thread([self = worker.get()] { self->WriteThread(); });
  return worker;
}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    if (!over_) {
      over_ = true;
      end_ = absl::CancelledError("the worker was destroyed");
    }
    if (call_ != nullptr) call_->context.TryCancel();
    changed_.notify_all();
  }
  if (reader_.joinable()) reader_.join();
  if (writer_.joinable()) writer_.join();
}

absl::Status Worker::Open(std::vector<RecordWindow::Lost>* lost) {
  const auto call = std::make_shared<Call>();
  call->stream = route_.connection()->training().Train(&call->context);
  {
    const std::lock_guard lock(mutex_);
    if (over_) call->context.TryCancel();
    call_ = call;
  }
  v1::TrainRequest request;
  v1::Hello& hello = *request.mutable_hello();
  hello.set_experiment(absl::StrContains(options_.experiment, '/') ? options_.experiment
                                                                   : absl::StrCat("experiments/", options_.experiment));
  hello.set_attempt_token(options_.attempt_token);
  hello.set_rank(options_.rank);
  hello.set_world_size(options_.world_size);
  hello.set_instance(instance_);
  v1::TrainResponse response;
  absl::Status status;
  if (call->stream->Write(request) && call->stream->Read(&response)) {
    status = response.has_welcome() ? Adopt(response.welcome(), lost)
                                    : absl::InternalError("the server's first message is not a Welcome");
    if (status.ok()) {
      route_.Reached();
      return status;
    }
    call->context.TryCancel();
    call->stream->Finish();
    return status;
  }
  status = StatusFromGrpc(call->stream->Finish());
  return status.ok() ? absl::UnavailableError("the server ended the stream before its Welcome") : status;
}

absl::Status Worker::Adopt(const v1::Welcome& welcome, std::vector<RecordWindow::Lost>* lost) {
  const std::lock_guard lock(mutex_);
  auto reconnected = window_.Reconnected(welcome.committed_seq(), std::max(1, welcome.credits()),
                                         std::max(1, welcome.max_uncommitted()));
  if (!reconnected.ok()) return reconnected.status();
  *lost = *std::move(reconnected);
  welcome_ = welcome;
  for (const v1::Epoch& seal : welcome.last_seals()) {
    if (seal.attempt() != welcome.attempt()) continue;
    Heed(seal);
    const auto awaited = awaited_seals_.find({seal.phase(), seal.epoch()});
    if (awaited != awaited_seals_.end()) awaited->second = seal;
  }
  live_ = true;
  heartbeat_due_ = absl::Now() + HeartbeatPeriod();
  changed_.notify_all();
  return absl::OkStatus();
}

absl::Duration Worker::HeartbeatPeriod() const {
  const absl::Duration third = absl::Milliseconds(welcome_.lease_ms()) / 3;
  return third > absl::ZeroDuration() ? std::min(options_.heartbeat_period, third) : options_.heartbeat_period;
}

void Worker::ReadThread(std::vector<RecordWindow::Lost> lost) {
  do {
    const absl::Status why = Serve(lost);
    if (!Rejoin(why, &lost)) return;
    const std::lock_guard lock(mutex_);
    ++reconnections_;
  } while (true);
}

absl::Status Worker::Serve(const std::vector<RecordWindow::Lost>& lost) {
  const std::shared_ptr<Call> call = call_;
  absl::Status status;
  for (const RecordWindow::Lost& batch : lost) {
    status = AnswerLost(batch);
    if (!status.ok()) call->context.TryCancel();
  }
  v1::TrainResponse response;
  while (call->stream->Read(&response)) {
    Handle(std::move(response));
    response.Clear();
  }
  {
    std::unique_lock lock(mutex_);
    live_ = false;
    changed_.wait(lock, [this] { return !writing_; });
  }
  const absl::Status finished = StatusFromGrpc(call->stream->Finish());
  return status.ok() ? finished : status;
}

// The server keeps the record of a committed batch but not its gradient: the same call outside the ledger gives the
// same. An evaluation has neither loss nor gradient: there is nothing to ask for.
absl::Status Worker::AnswerLost(const RecordWindow::Lost& lost) {
  const v1::Batch& batch = lost.request->batch();
  v1::EvaluateLossRequest request;
  bool has_loss = true;
  const v1::Welcome current = welcome();
  for (const v1::HeadInputs& inputs : current.heads()) {
    if (inputs.head().head() != batch.key().head()) continue;
    has_loss = !inputs.head().loss().empty();
    request.set_loss(inputs.head().loss());
    *request.mutable_params() = inputs.head().params();
    request.set_reduction(batch.normalisers().empty() ? inputs.head().reduction() : v1::REDUCTION_GIVEN);
  }
  *request.mutable_inputs() = batch.inputs();
  *request.mutable_normalisers() = batch.normalisers();
  request.set_gradient(batch.gradient());
  if (batch.has_gradient_scale()) request.set_gradient_scale(batch.gradient_scale());
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + options_.reconnect_limit));
  v1::EvaluateLossResponse response;
  absl::Status status;
  if (has_loss) status = StatusFromGrpc(route_.connection()->training().EvaluateLoss(&context, request, &response));
  if (!status.ok() && MayRejoin(status)) return status;
  Answer answer;
  {
    const std::lock_guard lock(mutex_);
    answer = window_.TakeLost(lost.seq);
    changed_.notify_all();
  }
  if (answer == nullptr) return absl::OkStatus();
  if (!status.ok()) {
    answer(status);
    return absl::OkStatus();
  }
  v1::Result result;
  result.set_seq(lost.seq);
  *result.mutable_value() = std::move(*response.mutable_value());
  *result.mutable_gradients() = std::move(*response.mutable_gradients());
  result.mutable_record()->set_seq(lost.seq);
  *result.mutable_record()->mutable_key() = batch.key();
  answer(std::move(result));
  return absl::OkStatus();
}

void Worker::Handle(v1::TrainResponse response) {
  Answer answer;
  absl::StatusOr<v1::Result> outcome = absl::UnknownError("");
  std::unique_lock lock(mutex_);
  switch (response.message_case()) {
    case v1::TrainResponse::kResult:
      answer = window_.TakeResult(response.result());
      outcome = std::move(*response.mutable_result());
      break;
    case v1::TrainResponse::kRefused:
      answer = window_.TakeRefused(response.refused());
      outcome = StatusFromProto(response.refused().status());
      break;
    case v1::TrainResponse::kCommitted:
      window_.Commit(response.committed().seq());
      break;
    case v1::TrainResponse::kSealed: {
      v1::Epoch& epoch = *response.mutable_sealed()->mutable_epoch();
      const auto awaited = awaited_seals_.find({epoch.phase(), epoch.epoch()});
      // A partial seal ends the attempt: Stop follows and says why.
      const bool complete = epoch.verdict() == v1::SEAL_VERDICT_COMPLETE;
      Heed(epoch);
      if (complete && awaited != awaited_seals_.end()) awaited->second = std::move(epoch);
      break;
    }
    case v1::TrainResponse::kRanks:
      lock.unlock();
      if (options_.on_ranks) options_.on_ranks(response.ranks());
      return;
    case v1::TrainResponse::kStop: {
      const v1::Stop& stop = response.stop();
      // An end that this rank's goodbye brought about says that the goodbye is durable.
      if (EndsAsSaid(v1::ExperimentState_Name(stop.state()).substr(17))) window_.Commit(bye_seq_);
      lock.unlock();
      End(absl::FailedPreconditionError(
          absl::StrCat("the attempt is over: ", v1::ExperimentState_Name(stop.state()).substr(17),
                       stop.reason().empty() ? "" : ", ", stop.reason())));
      return;
    }
    default:
      break;
  }
  changed_.notify_all();
  lock.unlock();
  if (answer != nullptr) answer(std::move(outcome));
}

void Worker::Heed(const v1::Epoch& seal) {
  const bool own = seal.attempt() == welcome_.attempt() && seal.epoch() >= welcome_.first_epoch();
  if (!own || seal.verdict() != v1::SEAL_VERDICT_COMPLETE) return;
  should_stop_ |= seal.directive().stop();
  if (!seal.directive().has_learning_rate()) return;
  if (!newest_rate_ || seal.epoch() >= newest_rate_->epoch()) newest_rate_ = seal;
}

// Needs the lock. Whether this is how an attempt ends by this rank's goodbye.
bool Worker::EndsAsSaid(const std::string& state) const {
  if (bye_seq_ == 0) return false;
  return bye_fails_ ? state == "FAILED" : state == "SUCCEEDED" || state == "EARLY_STOPPED";
}

bool Worker::Rejoin(absl::Status why, std::vector<RecordWindow::Lost>* lost) {
  const absl::Time give_up = absl::Now() + options_.reconnect_limit;
  for (int failed = 0;;) {
    {
      std::unique_lock lock(mutex_);
      if (Final(why)) {
        lock.unlock();
        End(why);
        return false;
      }
      if (!route_.Failed(why)) {
        const absl::Duration pause = Pause(failed++, options_.first_backoff, options_.max_backoff);
        changed_.wait_for(lock, absl::ToChronoMilliseconds(pause), [this] { return over_; });
        if (over_) continue;
      }
    }
    // gRPC connects only while somebody waits for the channel.
    route_.connection()->channel()->WaitForConnected(
        absl::ToChronoTime(std::min(give_up, absl::Now() + kConnectPatience)));
    why = Open(lost);
    if (why.ok()) return true;
    {
      // The goodbye was durable, and only its answer was lost.
      const std::lock_guard lock(mutex_);
      const bool ended = ReasonOf(why) == "EXPERIMENT_ENDED" && EndsAsSaid(MetadataOf(why, "state"));
      if (ReasonOf(why) == "RANK_DONE" || ended) window_.Commit(bye_seq_);
    }
    if (absl::Now() >= give_up && MayRejoin(why)) {
      End(Annotated(absl::UnavailableError(why.message()),
                    absl::StrCat("the server was out of reach for ", absl::FormatDuration(options_.reconnect_limit))));
      return false;
    }
  }
}

// Needs the lock. Over, said goodbye, or an error that joining again cannot mend.
bool Worker::Final(const absl::Status& status) const {
  return over_ || (bye_seq_ > 0 && window_.committed() >= bye_seq_) || !MayRejoin(status);
}

void Worker::End(absl::Status why) {
  std::vector<Answer> owed;
  {
    const std::lock_guard lock(mutex_);
    if (!over_) {
      over_ = true;
      end_ = why.ok() ? absl::FailedPreconditionError("the worker has said goodbye") : std::move(why);
    }
    owed = window_.TakeAll();
    why = end_;
    changed_.notify_all();
  }
  for (const Answer& answer : owed) {
    answer(why);
  }
}

std::shared_ptr<const v1::TrainRequest> Worker::NextMessage() {
  if (!live_ || over_) return nullptr;
  if (auto next = window_.Next()) return next;
  const auto message = std::make_shared<v1::TrainRequest>();
  if (std::exchange(flush_wanted_, false)) {
    message->mutable_flush();
    return message;
  }
  if (absl::Now() >= heartbeat_due_) {
    message->mutable_heartbeat()->set_paused(paused_);
    heartbeat_due_ = absl::Now() + HeartbeatPeriod();
    return message;
  }
  return nullptr;
}

void Worker::WriteThread() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    std::shared_ptr<const v1::TrainRequest> message = NextMessage();
    if (message == nullptr) {
      if (live_) {
        changed_.wait_until(lock, absl::ToChronoTime(heartbeat_due_));
      } else {
        changed_.wait(lock);
      }
      continue;
    }
    const std::shared_ptr<Call> call = call_;
    writing_ = true;
    lock.unlock();
    const bool written = call->stream->Write(*message);
    lock.lock();
    message.reset();
    writing_ = false;
    if (!written) live_ = false;  // the reading thread learns it too, and joins again
    changed_.notify_all();
  }
}

v1::Welcome Worker::welcome() const {
  const std::lock_guard lock(mutex_);
  return welcome_;
}

absl::Status Worker::Submit(v1::Batch batch, Answer answer) {
  std::unique_lock lock(mutex_);
  const auto size = static_cast<int64_t>(batch.ByteSizeLong()) + 64;
  if (!over_ && size > welcome_.max_message_bytes() && welcome_.max_message_bytes() > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the batch has ", size, " bytes, the server takes at most ", welcome_.max_message_bytes()));
  }
  changed_.wait(lock, [this] { return over_ || window_.HasRoomForBatch(); });
  if (over_) return end_;
  if (bye_seq_ > 0) return absl::FailedPreconditionError("the worker has said goodbye");
  const absl::Status status = window_.AddBatch(std::move(batch), std::move(answer));
  changed_.notify_all();
  return status;
}

std::future<absl::StatusOr<v1::Result>> Worker::Submit(v1::Batch batch) {
  const auto promise = std::make_shared<std::promise<absl::StatusOr<v1::Result>>>();
  const absl::Status status =
      Submit(std::move(batch), [promise](absl::StatusOr<v1::Result> result) { promise->set_value(std::move(result)); });
  if (!status.ok()) promise->set_value(status);
  return promise->get_future();
}

absl::StatusOr<v1::Epoch> Worker::EndPhase(v1::Phase phase, int64_t epoch) {
  const std::pair<int, int64_t> key(phase, epoch);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_ || window_.HasRoomForEnd(); });
  if (over_) return end_;
  if (!ended_.insert(key).second) {
    return absl::FailedPreconditionError(absl::StrCat(v1::Phase_Name(phase), " of epoch ", epoch, " was ended before"));
  }
  awaited_seals_.emplace(key, absl::UnavailableError("not sealed yet"));
  window_.AddEndPhase(phase, epoch);
  changed_.notify_all();
  changed_.wait(lock, [this, &key] { return over_ || awaited_seals_.at(key).ok(); });
  absl::StatusOr<v1::Epoch> seal = std::move(awaited_seals_.at(key));
  awaited_seals_.erase(key);
  if (!seal.ok()) return end_;
  window_.Sealed(phase, epoch);
  return seal;
}

absl::Status Worker::Flush() {
  std::unique_lock lock(mutex_);
  // Seqs that are given back lower the last one.
  const auto durable = [this, last = window_.last_seq()] {
    return window_.committed() >= std::min(last, window_.last_seq());
  };
  flush_wanted_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return over_ || durable(); });
  return durable() ? absl::OkStatus() : end_;
}

void Worker::SetPaused(bool paused) {
  const std::lock_guard lock(mutex_);
  paused_ = paused;
  heartbeat_due_ = absl::Now();
  changed_.notify_all();
}

absl::Status Worker::Bye(const std::string& reason) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_ || window_.HasRoomForEnd(); });
  if (over_) return end_;
  if (bye_seq_ > 0) return absl::FailedPreconditionError("the worker has said goodbye");
  bye_seq_ = window_.AddBye(reason);
  bye_fails_ = !reason.empty();
  changed_.notify_all();
  changed_.wait(lock, [this] { return over_ || window_.committed() >= bye_seq_; });
  return window_.committed() >= bye_seq_ ? absl::OkStatus() : end_;
}

bool Worker::should_stop() const {
  const std::lock_guard lock(mutex_);
  return should_stop_;
}

double Worker::learning_rate() const {
  const std::lock_guard lock(mutex_);
  return newest_rate_ ? newest_rate_->directive().learning_rate() : welcome_.learning_rate();
}

std::optional<double> Worker::momentum() const {
  const std::lock_guard lock(mutex_);
  const auto of = [](const auto& rate) { return rate.has_momentum() ? std::optional(rate.momentum()) : std::nullopt; };
  return newest_rate_ ? of(newest_rate_->directive()) : of(welcome_);
}

int64_t Worker::committed_seq() const {
  const std::lock_guard lock(mutex_);
  return window_.committed();
}

int Worker::reconnections() const {
  const std::lock_guard lock(mutex_);
  return reconnections_;
}

}  // namespace gradeline::client

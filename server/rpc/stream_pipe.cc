#include "server/rpc/stream_pipe.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

using RawReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

// While answers are ready without a pause, Committed is sent at least this often.
constexpr int64_t kMostUnsentCommits = 64;

// A stream whose answers nobody reads keeps no more than this part of the budget from others.
constexpr int64_t kSharesOfBudget = 4;

}  // namespace

// Reads, writes and finishes are started under the mutex. That is safe: gRPC never runs a reaction within the call that
// starts the operation. Destroyed after the mutex was left: slots, whose release takes it again.
class StreamPipe::Locked {
 public:
  explicit Locked(StreamPipe* pipe) : lock_(pipe->mutex_) {}
  void Drop(SlotRef slot) { garbage_.push_back(std::move(slot)); }

 private:
  std::deque<SlotRef> garbage_;
  std::unique_lock<std::mutex> lock_;
};

class StreamPipe::Reactor final : public RawReactor {
 public:
  explicit Reactor(std::shared_ptr<StreamPipe> pipe) : pipe_(std::move(pipe)) {}
  void OnReadDone(bool ok) override { pipe_->OnRead(ok); }
  void OnWriteDone(bool ok) override { pipe_->OnWritten(ok); }
  void OnCancel() override { pipe_->OnCancelled(); }
  void OnDone() override {
    pipe_->OnDone();
    delete this;
  }

 private:
  std::shared_ptr<StreamPipe> pipe_;
};

StreamPipe::StreamPipe(Engine* engine, grpc::CallbackServerContext* context, CallTimer timer, Handlers handlers)
    : engine_(engine),
      context_(context),
      timer_(timer),
      handlers_(std::make_shared<const Handlers>(std::move(handlers))) {}

std::pair<std::shared_ptr<StreamPipe>, RawReactor*> StreamPipe::Open(Engine* engine,
                                                                     grpc::CallbackServerContext* context,
                                                                     CallTimer timer, Handlers handlers) {
  std::shared_ptr<StreamPipe> pipe(new StreamPipe(engine, context, timer, std::move(handlers)));
  const Locked locked(pipe.get());
  pipe->reactor_ = new Reactor(pipe);
  pipe->ReadMore();
  return {pipe, pipe->reactor_};
}

void StreamPipe::SetWindow(int credits, int32_t max_uncommitted, int64_t committed) {
  const Locked locked(this);
  credits_ = credits;
  max_uncommitted_ = max_uncommitted;
  begun_ = committed_ = committed_sent_ = committed;
  ReadMore();
}

void StreamPipe::Begun(int64_t seq) {
  const Locked locked(this);
  begun_ = std::max(begun_, seq);
}

bool StreamPipe::Listens() const {
  const std::lock_guard lock(mutex_);
  return reading_;
}

StreamPipe::ReplyRef StreamPipe::Promise(int64_t seq, SlotRef slot) {
  auto reply = std::make_shared<Reply>();
  reply->seq = seq;
  Locked locked(this);
  if (cut_) {
    locked.Drop(std::move(slot));
    return reply;
  }
  reply->slot = std::move(slot);
  replies_.push_back(reply);
  return reply;
}

void StreamPipe::Fulfil(const ReplyRef& reply, grpc::ByteBuffer bytes) {
  const Locked locked(this);
  reply->bytes.Swap(&bytes);
  reply->ready = true;
  WriteMore();
}

void StreamPipe::Send(grpc::ByteBuffer bytes) { Fulfil(Promise(0, nullptr), std::move(bytes)); }

void StreamPipe::Committed(int64_t seq, bool answer) {
  const Locked locked(this);
  committed_ = std::max(committed_, seq);
  committed_wanted_ |= answer;
  WriteMore();
  ReadMore();
}

void StreamPipe::End(absl::Status status) {
  const Locked locked(this);
  if (ending_) return;
  ending_ = true;
  final_ = std::move(status);
  WriteMore();
}

void StreamPipe::Close(absl::Status status, grpc::ByteBuffer last) {
  Locked locked(this);
  if (cut_) return;
  ending_ = true;
  final_ = std::move(status);
  for (const ReplyRef& reply : replies_) {
    if (!reply->ready) locked.Drop(std::move(reply->slot));
  }
  std::erase_if(replies_, [](const ReplyRef& reply) { return !reply->ready; });
  last_.Swap(&last);
  CutNow();
  WriteMore();
}

void StreamPipe::CutNow() {
  if (!std::exchange(cut_, true)) handlers_->cut();
}

void StreamPipe::CutIfStalled(std::chrono::milliseconds limit) {
  Locked locked(this);
  if (reactor_ == nullptr || !write_outstanding_ || std::chrono::steady_clock::now() - write_began_ < limit) return;
  ending_ = true;
  final_ = WithReason(absl::AbortedError(absl::StrCat("the client has taken no answer for ", limit.count(), " ms")),
                      "STALLED", {{"limitMs", absl::StrCat(limit.count())}, {"key", "grpc.stall_limit_ms"}});
  for (const ReplyRef& reply : replies_) locked.Drop(std::move(reply->slot));
  replies_.clear();
  last_.Clear();
  CutNow();
  context_->TryCancel();  // the write ends, and with it the call
}

void StreamPipe::OnRead(bool ok) {
  {
    const Locked locked(this);
    reading_ = false;
    if (!ok) {
      // The client sends no more; what it sent is still answered.
      if (!std::exchange(ending_, true)) final_ = absl::OkStatus();
      WriteMore();
      return;
    }
    ++used_;
    admitting_ = true;
    read_ = 2 * static_cast<int64_t>(incoming_.Length());  // the parsed message, and a gradient of its size at most
  }
  AdmitRead();
}

// Asks for what the message that was read needs, once the stream holds little enough of the budget.
void StreamPipe::AdmitRead() {
  int64_t bytes = 0;
  {
    const Locked locked(this);
    if (!read_ || (held_ > 0 && held_ + *read_ > engine_->memory_budget_bytes() / kSharesOfBudget)) return;
    bytes = *std::exchange(read_, std::nullopt);
    held_ += bytes;
  }
  // Outside the mutex: it may run the grants of other streams.
  engine_->Admit(bytes, [self = shared_from_this(), bytes] { self->Admitted(bytes); });
}

void StreamPipe::Admitted(int64_t bytes) {
  auto slot = std::make_shared<Slot>(shared_from_this(), bytes);
  grpc::ByteBuffer message;
  std::shared_ptr<const Handlers> handlers;
  {
    const Locked locked(this);
    message.Swap(&incoming_);
    if (cut_) return;
    handlers = handlers_;
  }
  handlers->message(std::move(message), std::move(slot));
  // Not before: a message that is read meanwhile must not overtake this one.
  const Locked locked(this);
  admitting_ = false;
  ReadMore();
}

void StreamPipe::Free(int64_t bytes) {
  engine_->Release(bytes);
  {
    const Locked locked(this);
    --used_;
    held_ -= bytes;
    ReadMore();
    WriteMore();
  }
  AdmitRead();
}

void StreamPipe::ReadMore() {
  if (reactor_ == nullptr || reading_ || admitting_ || ending_ || finished_) return;
  if (used_ >= credits_ || begun_ - committed_ + used_ >= max_uncommitted_) return;
  reading_ = true;
  reactor_->StartRead(&incoming_);
}

int64_t StreamPipe::SendableCommit() const {
  const bool blocked = !replies_.empty() && replies_.front()->seq > 0;
  return blocked ? std::min(committed_, replies_.front()->seq - 1) : committed_;
}

void StreamPipe::Write(grpc::ByteBuffer bytes) {
  outgoing_.Swap(&bytes);
  write_outstanding_ = true;
  write_began_ = std::chrono::steady_clock::now();
  reactor_->StartWrite(&outgoing_);
}

void StreamPipe::WriteMore() {
  if (reactor_ == nullptr || write_outstanding_ || finished_) return;
  const bool ready = !replies_.empty() && replies_.front()->ready;
  const int64_t commit = SendableCommit();
  const bool answer = committed_wanted_ && commit == committed_;
  if (commit - committed_sent_ >= (ready ? kMostUnsentCommits : 1) || (answer && !ready)) {
    committed_sent_ = std::max(committed_sent_, commit);
    if (answer) committed_wanted_ = false;
    Write(handlers_->committed(committed_sent_));
  } else if (ready) {
    const ReplyRef reply = std::move(replies_.front());
    replies_.pop_front();
    writing_ = std::move(reply->slot);
    Write(std::move(reply->bytes));
  } else if (last_.Length() > 0) {
    Write(std::exchange(last_, {}));
  } else if (ending_ && replies_.empty() && (cut_ || used_ == 0)) {
    finished_ = true;
    CutNow();
    reactor_->Finish(timer_.End(final_));
  }
}

void StreamPipe::OnWritten(bool ok) {
  Locked locked(this);
  write_outstanding_ = false;
  outgoing_.Clear();
  locked.Drop(std::move(writing_));
  if (!ok) {
    for (const ReplyRef& reply : replies_) locked.Drop(std::move(reply->slot));
    replies_.clear();
    last_.Clear();
    if (!std::exchange(ending_, true)) final_ = absl::CancelledError("the client is gone");
    CutNow();
  }
  WriteMore();
}

void StreamPipe::OnCancelled() {
  Locked locked(this);
  for (const ReplyRef& reply : replies_) locked.Drop(std::move(reply->slot));
  replies_.clear();
  last_.Clear();
  committed_ = committed_sent_;
  committed_wanted_ = false;
  if (!std::exchange(ending_, true)) final_ = absl::CancelledError("the client is gone");
  CutNow();
  WriteMore();
}

void StreamPipe::OnDone() {
  std::shared_ptr<const Handlers> handlers;
  {
    const Locked locked(this);
    reactor_ = nullptr;
    finished_ = true;
    CutNow();
    handlers = std::move(handlers_);
  }
  handlers->done();
}

}  // namespace gradeline

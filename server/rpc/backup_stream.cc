#include "server/rpc/backup_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

}  // namespace

class BackupStream::Reactor final : public grpc::ServerWriteReactor<v1::BackupDatabaseResponse> {
 public:
  explicit Reactor(std::shared_ptr<BackupStream> stream) : stream_(std::move(stream)) {}
  void OnWriteDone(bool ok) override { stream_->OnWritten(ok); }
  void OnCancel() override { stream_->End(absl::CancelledError("the client is gone")); }
  void OnDone() override {
    stream_->OnDone();
    delete this;
  }

 private:
  std::shared_ptr<BackupStream> stream_;
};

BackupStream::BackupStream(Experiments* experiments, Calls* calls, grpc::CallbackServerContext* context)
    : experiments_(experiments),
      calls_(calls),
      timer_(calls->Timer("AdminService/BackupDatabase")),
      context_(context) {}

grpc::ServerWriteReactor<v1::BackupDatabaseResponse>* BackupStream::Open(Experiments* experiments, Calls* calls,
                                                                         grpc::CallbackServerContext* context) {
  auto stream = std::make_shared<BackupStream>(experiments, calls, context);
  auto* reactor = stream->reactor_ = new Reactor(stream);
  calls->pool().Post([stream] { stream->Begin(); });
  calls->Register(stream);
  return reactor;
}

void BackupStream::Begin() {
  auto snapshot = experiments_->TakeSnapshot([this] { return !ending_; });
  if (snapshot.ok()) {
    snapshot_ = *std::move(snapshot);
  } else {
    End(snapshot.status());
  }
  Fetch();
}

void BackupStream::Fetch() {
  bool last = false;
  if (!ending_) {
    absl::StatusOr<std::string> chunk = snapshot_->Read(sent_, kChunkBytes);
    if (!chunk.ok()) {
      End(chunk.status());
    } else if (chunk->empty()) {
      last = true;
      writing_.mutable_end()->set_size(sent_);
      writing_.mutable_end()->set_sha256(digest_.Finish());
    } else {
      sent_ += static_cast<int64_t>(chunk->size());
      digest_.Add(*chunk);
      writing_.set_chunk(*std::move(chunk));
    }
  }
  const std::lock_guard lock(mutex_);
  if (ending_) {
    working_ = false;
    return FinishLocked();
  }
  if (last) ending_ = true;
  write_outstanding_ = true;
  write_began_ = std::chrono::steady_clock::now();
  reactor_->StartWrite(&writing_);
}

void BackupStream::OnWritten(bool ok) {
  if (!ok) End(absl::CancelledError("the client is gone"));
  const std::lock_guard lock(mutex_);
  write_outstanding_ = false;
  if (ending_) {
    working_ = false;
    return FinishLocked();
  }
  calls_->pool().Post([self = shared_from_this()] { self->Fetch(); });
}

void BackupStream::End(absl::Status status) {
  const std::lock_guard lock(mutex_);
  if (ending_) return;
  ending_ = true;
  final_ = std::move(status);
  FinishLocked();
}

void BackupStream::FinishLocked() {
  if (working_ || finished_) return;
  finished_ = true;
  reactor_->Finish(timer_.End(final_));
}

void BackupStream::Drain() {
  End(WithReason(absl::UnavailableError("the server is stopping; back up again when it is back"), "DRAINING"));
}

void BackupStream::CutIfStalled(std::chrono::milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    if (context_ == nullptr || !write_outstanding_ || std::chrono::steady_clock::now() - write_began_ < limit) return;
  }
  End(WithReason(absl::AbortedError(absl::StrCat("the client has taken nothing for ", limit.count(), " ms")), "STALLED",
                 {{"limitMs", absl::StrCat(limit.count())}, {"key", "grpc.stall_limit_ms"}}));
  const std::lock_guard lock(mutex_);
  if (context_ != nullptr) context_->TryCancel();  // the write ends, and with it the call
}

// Removing a large file takes a while: not here.
void BackupStream::OnDone() {
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  reactor_ = nullptr;
  calls_->pool().Post([gone = std::shared_ptr<Snapshot>(std::move(snapshot_))] {});
}

}  // namespace gradeline

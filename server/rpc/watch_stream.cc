#include "server/rpc/watch_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/wire/dataset.h"
#include "server/wire/experiment.h"

namespace gradeline {
namespace {

constexpr size_t kMostWaiting = 1024;

}  // namespace

class WatchStream::Reactor final : public grpc::ServerWriteReactor<v1::WatchExperimentResponse> {
 public:
  explicit Reactor(std::shared_ptr<WatchStream> stream) : stream_(std::move(stream)) {}
  void OnWriteDone(bool ok) override { stream_->OnWritten(ok); }
  void OnCancel() override { stream_->End(absl::CancelledError("the client is gone")); }
  void OnDone() override {
    stream_->OnDone();
    delete this;
  }

 private:
  std::shared_ptr<WatchStream> stream_;
};

WatchStream::WatchStream(Experiments* experiments, Calls* calls)
    : experiments_(experiments), calls_(calls), timer_(calls->Timer("ExperimentService/WatchExperiment")) {}

grpc::ServerWriteReactor<v1::WatchExperimentResponse>* WatchStream::Open(Experiments* experiments, Calls* calls,
                                                                         const v1::WatchExperimentRequest& request) {
  auto stream = std::make_shared<WatchStream>(experiments, calls);
  auto* reactor = stream->reactor_ = new Reactor(stream);
  calls->pool().Post([stream, request] { stream->Subscribe(request); });
  calls->Register(stream);
  return reactor;
}

void WatchStream::Subscribe(const v1::WatchExperimentRequest& request) {
  Violations violations;
  const absl::StatusOr<std::string> id = IdFromName("name", "experiments", request.name());
  violations.Merge("", id.status());
  if (request.from_revision() < 0) {
    violations.Add("fromRevision", absl::StrCat(request.from_revision(), " is negative; allowed: 0 and above"));
  }
  if (!violations.empty()) return End(violations.ToStatus());
  const absl::StatusOr<Experiment> experiment = experiments_->GetExperiment(*id);
  if (!experiment.ok()) return End(experiment.status());
  {
    const std::lock_guard lock(mutex_);
    heads_ = experiment->heads;
    revision_ = request.from_revision();
  }
  auto subscription = experiments_->Watch(
      *id, request.from_revision(), [self = shared_from_this()](const Event& event) { return self->Queue(event); },
      [self = shared_from_this()] { self->End(absl::OkStatus()); });
  if (!subscription.ok()) return End(subscription.status());
  const std::lock_guard lock(mutex_);
  if (reactor_ != nullptr) {
    subscription_ = *std::move(subscription);
  } else {
    calls_->pool().Post([gone = std::shared_ptr<Subscription>(*std::move(subscription))] {});
  }
}

bool WatchStream::Queue(const Event& event) {
  v1::WatchExperimentResponse response;
  response.set_revision(event.revision);
  const std::lock_guard lock(mutex_);
  if (ending_) return false;
  if (const auto* experiment = std::get_if<Experiment>(&event.body)) {
    *response.mutable_experiment() = ToProto(*experiment);
  } else if (const auto* seal = std::get_if<Seal>(&event.body)) {
    *response.mutable_sealed() = ToProto(*seal, heads_);
  } else {
    *response.mutable_progress() = ToProto(std::get<Progress>(event.body));
    if (!queue_.empty() && queue_.back().has_progress()) queue_.pop_back();
  }
  if (queue_.size() >= kMostWaiting) {
    queue_.clear();
    ending_ = true;
    final_ =
        WithReason(absl::ResourceExhaustedError(absl::StrCat("the watcher is too slow: ", kMostWaiting,
                                                             " events wait; watch again from revision ", revision_)),
                   "SLOW_WATCHER", {{"from_revision", absl::StrCat(revision_)}});
  } else {
    queue_.push_back(std::move(response));
  }
  WriteMore();
  return !ending_;
}

void WatchStream::End(absl::Status status) {
  const std::lock_guard lock(mutex_);
  if (ending_) return;
  ending_ = true;
  if (!status.ok()) queue_.clear();
  final_ = std::move(status);
  WriteMore();
}

void WatchStream::Drain() {
  End(WithReason(absl::UnavailableError("the server is stopping; watch again from the last revision"), "DRAINING"));
}

void WatchStream::WriteMore() {
  if (reactor_ == nullptr || write_outstanding_ || finished_) return;
  if (!queue_.empty()) {
    writing_ = std::move(queue_.front());
    queue_.pop_front();
    write_outstanding_ = true;
    revision_ = writing_.revision();
    reactor_->StartWrite(&writing_);
  } else if (ending_) {
    finished_ = true;
    reactor_->Finish(timer_.End(final_));
  }
}

void WatchStream::OnWritten(bool ok) {
  const std::lock_guard lock(mutex_);
  write_outstanding_ = false;
  if (!ok) {
    queue_.clear();
    if (!std::exchange(ending_, true)) final_ = absl::CancelledError("the client is gone");
  }
  WriteMore();
}

// The subscription's end waits for its sink, which takes the mutex: neither here nor under it.
void WatchStream::OnDone() {
  const std::lock_guard lock(mutex_);
  reactor_ = nullptr;
  finished_ = true;
  calls_->pool().Post([gone = std::shared_ptr<Subscription>(std::move(subscription_))] {});
}

}  // namespace gradeline

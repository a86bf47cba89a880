#include "server/rpc/watch_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/wire/dataset.h"
#include "server/wire/experiment.h"

namespace gradeline {
namespace {

constexpr int kPageEvents = 64;

v1::WatchExperimentResponse ToResponse(const Event& event, const std::vector<ResolvedHead>& heads) {
  v1::WatchExperimentResponse response;
  response.set_revision(event.revision);
  if (const auto* experiment = std::get_if<Experiment>(&event.body)) {
    *response.mutable_experiment() = ToProto(*experiment);
  } else if (const auto* seal = std::get_if<Seal>(&event.body)) {
    *response.mutable_sealed() = ToProto(*seal, heads);
  } else {
    *response.mutable_progress() = ToProto(std::get<Progress>(event.body));
  }
  return response;
}

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
  auto subscription = experiments_->Watch(*id, request.from_revision(), [self = shared_from_this()] { self->Wake(); });
  if (!subscription.ok()) return End(subscription.status());
  const std::shared_ptr<Subscription> shared = *std::move(subscription);  // its last owner lets go outside the mutex
  const std::lock_guard lock(mutex_);
  if (reactor_ == nullptr) return;
  heads_ = experiment->heads;
  subscription_ = shared;
  stirred_ = true;
  FetchMore();
}

void WatchStream::Wake() {
  const std::lock_guard lock(mutex_);
  stirred_ = true;
  FetchMore();
}

void WatchStream::FetchMore() {
  if (reactor_ == nullptr || subscription_ == nullptr || ending_ || fetching_ || !stirred_ || !page_.empty()) return;
  fetching_ = true;
  stirred_ = false;
  calls_->pool().Post([self = shared_from_this()] { self->Fetch(); });
}

void WatchStream::Fetch() {
  std::shared_ptr<Subscription> subscription;
  {
    const std::lock_guard lock(mutex_);
    subscription = subscription_;
  }
  if (subscription == nullptr) return;
  absl::StatusOr<Subscription::News> news = subscription->Next(kPageEvents);
  const std::lock_guard lock(mutex_);
  fetching_ = false;
  if (news.ok()) {
    Take(*news);
  } else {
    EndWith(news.status());
  }
}

void WatchStream::Take(const Subscription::News& news) {
  if (ending_) return;
  for (const Event& event : news.events) {
    // Until it starts, an experiment may get other heads; seals come after that.
    if (const auto* experiment = std::get_if<Experiment>(&event.body)) heads_ = experiment->heads;
    page_.push_back(ToResponse(event, heads_));
  }
  stirred_ |= !news.events.empty();
  if (news.ended) EndWith(absl::OkStatus());
  WriteMore();
  FetchMore();
}

void WatchStream::End(absl::Status status) {
  const std::lock_guard lock(mutex_);
  EndWith(std::move(status));
}

void WatchStream::EndWith(absl::Status status) {
  if (ending_) return;
  ending_ = true;
  if (!status.ok()) page_.clear();
  final_ = std::move(status);
  WriteMore();
}

void WatchStream::Drain() {
  End(WithReason(absl::UnavailableError("the server is stopping; watch again from the last revision"), "DRAINING"));
}

void WatchStream::WriteMore() {
  if (reactor_ == nullptr || write_outstanding_ || finished_) return;
  if (!page_.empty()) {
    writing_ = std::move(page_.front());
    page_.pop_front();
    write_outstanding_ = true;
    reactor_->StartWrite(&writing_);
  } else if (ending_) {
    finished_ = true;
    reactor_->Finish(timer_.End(final_));
  }
}

void WatchStream::OnWritten(bool ok) {
  const std::lock_guard lock(mutex_);
  write_outstanding_ = false;
  if (!ok) EndWith(absl::CancelledError("the client is gone"));
  WriteMore();
  FetchMore();
}

// The subscription's end waits for its wake, which takes the mutex: neither here nor under it.
void WatchStream::OnDone() {
  const std::lock_guard lock(mutex_);
  reactor_ = nullptr;
  finished_ = true;
  calls_->pool().Post([gone = std::move(subscription_)] {});
}

}  // namespace gradeline

#include "server/core/experiment/watch.h"

#include <algorithm>

#include "server/core/base/status.h"
#include "server/core/experiment/names.h"

namespace gradeline {
namespace {

Event ToEvent(StoredEvent stored) {
  Event event;
  event.revision = stored.revision;
  std::visit([&event](auto& body) { event.body = std::move(body); }, stored.body);
  return event;
}

}  // namespace

void Watcher::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool Watcher::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

void Watcher::Give(const Event& event) {
  if (!closed_ && !sink_(event)) closed_ = true;
}

void Watcher::End() {
  if (closed_) return;
  closed_ = true;
  if (ended_) ended_();
}

absl::Status Watcher::CatchUp(Store& store) {
  constexpr int kPage = 256;
  absl::MutexLock lock(&mutex_);
  while (!closed_) {
    GRADELINE_ASSIGN_OR_RETURN(std::vector<StoredEvent> page, store.ListEvents(no_, kPage, cursor_));
    if (page.empty()) break;
    for (StoredEvent& stored : page) {
      cursor_ = stored.revision;
      Give(ToEvent(std::move(stored)));
    }
  }
  return absl::OkStatus();
}

void Watcher::Finish(Store& store) {
  const absl::Status status = CatchUp(store);
  const absl::StatusOr<Experiment> experiment = store.GetExperiment(no_);
  absl::MutexLock lock(&mutex_);
  // Without the store there is nothing more to tell: the watcher asks again from its cursor.
  if (!status.ok() || !experiment.ok() || IsTerminal(experiment->state)) End();
}

void Watcher::Deliver(const Event& event) {
  absl::MutexLock lock(&mutex_);
  if (event.revision <= cursor_) return;
  cursor_ = event.revision;
  Give(event);
  const Experiment* experiment = std::get_if<Experiment>(&event.body);
  if (experiment != nullptr && IsTerminal(experiment->state)) End();
}

void Watcher::Deliver(const Progress& progress) {
  absl::MutexLock lock(&mutex_);
  Give({cursor_, progress});
}

void WatchHub::Add(std::shared_ptr<Watcher> watcher) {
  if (!watcher->closed()) watchers_[watcher->no()].push_back(std::move(watcher));
}

std::vector<std::shared_ptr<Watcher>>* WatchHub::Living(int64_t no) {
  const auto found = watchers_.find(no);
  if (found == watchers_.end()) return nullptr;
  auto& list = found->second;
  list.erase(std::remove_if(list.begin(), list.end(), [](const auto& watcher) { return watcher->closed(); }),
             list.end());
  if (!list.empty()) return &list;
  watchers_.erase(found);
  told_ms_.erase(no);
  return nullptr;
}

void WatchHub::Deliver(int64_t no, const Event& event) {
  if (auto* watchers = Living(no)) {
    for (const auto& watcher : *watchers) watcher->Deliver(event);
  }
}

bool WatchHub::Tick(const std::function<std::optional<Progress>(int64_t no)>& progress_of) {
  const int64_t now_ms = clock_->MonotonicMillis();
  for (auto it = pending_.begin(); it != pending_.end();) {
    const int64_t no = *it;
    const auto told = told_ms_.find(no);
    auto* watchers = Living(no);
    if (watchers != nullptr && told != told_ms_.end() && now_ms - told->second < period_ms_) {
      ++it;
      continue;
    }
    it = pending_.erase(it);
    if (watchers == nullptr) continue;
    if (const std::optional<Progress> progress = progress_of(no)) {
      told_ms_[no] = now_ms;
      for (const auto& watcher : *watchers) watcher->Deliver(*progress);
    }
  }
  return !pending_.empty();
}

}  // namespace gradeline

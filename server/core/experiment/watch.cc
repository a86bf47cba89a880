#include "server/core/experiment/watch.h"

#include <algorithm>
#include <utility>

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

absl::StatusOr<Subscription::News> Watcher::Next(int most) {
  int64_t after = 0;
  {
    absl::MutexLock lock(&mutex_);
    after = cursor_;
  }
  GRADELINE_ASSIGN_OR_RETURN(std::vector<StoredEvent> stored, store_->ListEvents(no_, most, after));
  Subscription::News news;
  for (StoredEvent& event : stored) news.events.push_back(ToEvent(std::move(event)));
  const int64_t cursor = news.events.empty() ? after : news.events.back().revision;
  if (static_cast<int>(news.events.size()) < most) {
    GRADELINE_ASSIGN_OR_RETURN(const Experiment experiment, store_->GetExperiment(no_));
    news.ended = (IsTerminal(experiment.state) || experiment.delete_ms != 0) && experiment.revision == cursor;
  }
  absl::MutexLock lock(&mutex_);
  cursor_ = cursor;
  if (news.events.empty() && progress_ && !news.ended) {
    news.events.push_back({cursor_, *std::exchange(progress_, std::nullopt)});
  }
  return news;
}

void Watcher::Stir() {
  absl::MutexLock lock(&mutex_);
  progress_.reset();
  if (!closed_) wake_();
}

void Watcher::Stir(const Progress& progress) {
  absl::MutexLock lock(&mutex_);
  progress_ = progress;
  if (!closed_) wake_();
}

void WatchHub::Add(std::shared_ptr<Watcher> watcher) {
  if (watcher->closed()) return;
  auto& list = watchers_[watcher->no()];
  list.push_back(std::move(watcher));
  list.back()->Stir();
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

void WatchHub::Stored(int64_t no) {
  if (auto* watchers = Living(no)) {
    for (const auto& watcher : *watchers) watcher->Stir();
  }
}

void WatchHub::StoredAny(const std::function<bool(int64_t no)>& may) {
  std::vector<int64_t> watched;
  for (const auto& [no, watchers] : watchers_) {
    if (may(no)) watched.push_back(no);
  }
  for (const int64_t no : watched) Stored(no);
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
      for (const auto& watcher : *watchers) watcher->Stir(*progress);
    }
  }
  return !pending_.empty();
}

}  // namespace gradeline

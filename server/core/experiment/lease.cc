#include "server/core/experiment/lease.h"

#include "absl/strings/str_cat.h"

namespace gradeline {
namespace {

std::string Seconds(int64_t ms) { return absl::StrCat(static_cast<double>(ms - ms % 100) / 1000, " s"); }

}  // namespace

Lease::Lease(const Clock* clock)
    : clock_(clock), heard_ms_(clock->MonotonicMillis()), progressed_ms_(clock->MonotonicMillis()) {}

void Lease::Progress() {
  Hear();
  progressed_ms_ = clock_->MonotonicMillis();
}

void Lease::SetPaused(bool paused) {
  if (paused_.exchange(paused) != paused) progressed_ms_ = clock_->MonotonicMillis();
}

int64_t Lease::stuck_ms() const { return paused_ ? 0 : clock_->MonotonicMillis() - progressed_ms_; }

std::shared_ptr<Lease> Leases::Hold(AttemptKey attempt, int32_t rank, int64_t fence) {
  Held& held = ranks_[{attempt, rank}];
  auto lease = std::make_shared<Lease>(clock_);
  // A new stream alone is no progress.
  if (held.lease != nullptr) lease->progressed_ms_ = held.lease->progressed_ms_.load();
  held.suspect_ms = lease->heard_ms_ - 1;  // the next look finds it back
  held.lease = lease;
  held.fence = fence;
  return lease;
}

void Leases::Suspect(Held& held) {
  held.lease = std::make_shared<Lease>(clock_);
  held.suspect = true;
  held.suspect_ms = clock_->MonotonicMillis();
}

void Leases::Restore(AttemptKey attempt, int32_t rank, int64_t fence) {
  const auto [found, added] = ranks_.try_emplace({attempt, rank});
  if (!added) return;
  found->second.fence = fence;
  Suspect(found->second);
}

void Leases::RestoreAll() {
  const int64_t now_ms = clock_->MonotonicMillis();
  for (auto& [key, held] : ranks_) {
    held.lease->heard_ms_ = held.lease->progressed_ms_ = now_ms;
    held.suspect = true;
    held.suspect_ms = now_ms;
  }
}

void Leases::Release(AttemptKey attempt, int32_t rank) { ranks_.erase({attempt, rank}); }

void Leases::Release(AttemptKey attempt) {
  ranks_.erase(ranks_.lower_bound({attempt, 0}), ranks_.lower_bound({{attempt.first, attempt.second + 1}, 0}));
}

Leases::News Leases::Look(const std::function<Excuse(AttemptKey attempt, int32_t rank)>& excuse) {
  News news;
  for (auto& [key, held] : ranks_) {
    const auto [attempt, rank] = key;
    Lease& lease = *held.lease;
    const Excuse excused = excuse(attempt, rank);
    if (excused == Excuse::kDeaf) lease.Hear();
    if (excused != Excuse::kNone) lease.progressed_ms_ = clock_->MonotonicMillis();
    const int64_t silent_ms = lease.silent_ms(), stuck_ms = lease.stuck_ms();
    const bool suspect = silent_ms >= limits_.suspect_ms || (held.suspect && lease.heard_ms_ <= held.suspect_ms);
    if (suspect != held.suspect) {
      held.suspect = suspect;
      held.suspect_ms = lease.heard_ms_;
      news.changed.insert(attempt);
    }
    if (suspect) news.late.insert(attempt);
    if (silent_ms >= limits_.gone_ms) {
      news.expired.push_back({attempt, rank, held.fence, absl::StrCat("was silent for ", Seconds(silent_ms))});
    } else if (stuck_ms >= limits_.progress_ms) {
      news.expired.push_back(
          {attempt, rank, held.fence, absl::StrCat("reported nothing for ", Seconds(stuck_ms), " though it is alive")});
    }
  }
  return news;
}

std::vector<LateRank> Leases::Suspects(AttemptKey attempt) const {
  std::vector<LateRank> suspects;
  for (auto it = ranks_.lower_bound({attempt, 0}); it != ranks_.end() && it->first.first == attempt; ++it) {
    if (it->second.suspect) suspects.push_back({it->first.second, it->second.lease->silent_ms(), std::nullopt});
  }
  return suspects;
}

}  // namespace gradeline

#include "server/core/experiment/lease.h"

#include <utility>

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
  // In this order, so that nobody sees a rank that no longer pauses and has not got on for so long.
  if (paused_ != paused) progressed_ms_ = clock_->MonotonicMillis();
  paused_ = paused;
}

int64_t Lease::stuck_ms() const { return paused_ ? 0 : clock_->MonotonicMillis() - progressed_ms_; }

std::shared_ptr<Lease> Leases::Hold(AttemptKey attempt, int32_t rank, int64_t fence) {
  Held& held = ranks_[{attempt, rank}];
  auto lease = std::make_shared<Lease>(clock_);
  if (held.joined) {  // a new stream alone is no progress
    lease->progressed_ms_ = held.lease->progressed_ms_.load();
    lease->paused_ = held.lease->paused_.load();
  }
  held = {lease, fence, true, held.suspect, -1};  // the next look finds a suspect back
  return lease;
}

void Leases::Expect(AttemptKey attempt, int32_t rank) {
  const auto [found, added] = ranks_.try_emplace({attempt, rank});
  if (added) found->second.lease = std::make_shared<Lease>(clock_);
}

void Leases::Restore(AttemptKey attempt, int32_t rank, int64_t fence) {
  const auto [found, added] = ranks_.try_emplace({attempt, rank});
  if (!added && found->second.fence >= fence) return;
  found->second = {std::make_shared<Lease>(clock_), fence, true, true, clock_->MonotonicMillis()};
}

void Leases::Refresh() {
  for (auto& [key, held] : ranks_) held.lease->Progress();
}

void Leases::Release(AttemptKey attempt, int32_t rank) { ranks_.erase({attempt, rank}); }

void Leases::Release(AttemptKey attempt) {
  ranks_.erase(ranks_.lower_bound({attempt, 0}), ranks_.lower_bound({{attempt.first, attempt.second + 1}, 0}));
}

bool Leases::IsSuspect(const Held& held, const LeaseLimits& limits) {
  return held.lease->silent_ms() >= limits.suspect_ms || held.lease->heard_ms_ <= held.unheard_ms;
}

std::string Leases::WhyExpired(const Held& held) const {
  const int64_t silent_ms = held.lease->silent_ms(), stuck_ms = held.lease->stuck_ms();
  if (!held.joined) {
    return silent_ms < limits_.progress_ms ? "" : absl::StrCat("has not joined for ", Seconds(silent_ms));
  }
  if (silent_ms >= limits_.gone_ms) return absl::StrCat("was silent for ", Seconds(silent_ms));
  if (stuck_ms < limits_.progress_ms) return "";
  return absl::StrCat("reported nothing for ", Seconds(stuck_ms), " though it is alive");
}

Leases::News Leases::Look(const std::function<Excuse(AttemptKey attempt, int32_t rank)>& excuse) {
  News news;
  for (auto& [key, held] : ranks_) {
    const auto [attempt, rank] = key;
    const Excuse excused = excuse(attempt, rank);
    if (excused == Excuse::kDeaf) held.lease->Hear();
    if (excused != Excuse::kNone) held.lease->progressed_ms_ = clock_->MonotonicMillis();
    const bool suspect = IsSuspect(held, limits_);
    if (suspect != held.suspect) news.changed.insert(attempt);
    if (suspect) news.suspect.insert(attempt);
    held.suspect = suspect;
    if (std::string why = WhyExpired(held); !why.empty()) {
      news.expired.push_back({attempt, rank, held.fence, std::move(why)});
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

int64_t Leases::SilentMs(AttemptKey attempt, int32_t rank) const {
  const auto found = ranks_.find({attempt, rank});
  return found == ranks_.end() ? 0 : found->second.lease->silent_ms();
}

}  // namespace gradeline

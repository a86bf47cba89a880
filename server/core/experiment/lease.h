// Who is alive. A rank's lease is renewed by what its stream says; the ledger thread looks at all of them now and then
// and finds who is suspect, who is back and who is gone. Knows time only as a monotonic clock; decides nothing that is
// stored: a rank is gone when the ledger has committed it.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_LEASE_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_LEASE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/core/base/clock.h"
#include "server/core/experiment/group.h"
#include "server/core/experiment/types.h"

namespace gradeline {

/// One rank's signs of life. Thread-safe.
class Lease {
 public:
  explicit Lease(const Clock* clock);
  /// Any message of the rank.
  void Hear() { heard_ms_ = clock_->MonotonicMillis(); }
  /// A message that takes a seq.
  void Progress();
  void SetPaused(bool paused);

  int64_t silent_ms() const { return clock_->MonotonicMillis() - heard_ms_; }
  /// Since the rank last got on; 0 while it pauses.
  int64_t stuck_ms() const;

 private:
  friend class Leases;
  const Clock* const clock_;
  std::atomic<int64_t> heard_ms_, progressed_ms_;
  std::atomic<bool> paused_{false};
};

/// The leases of all held ranks. Ledger thread only.
class Leases {
 public:
  Leases(const Clock* clock, LeaseLimits limits) : clock_(clock), limits_(limits) {}

  /// A stream of the rank joined.
  std::shared_ptr<Lease> Hold(AttemptKey attempt, int32_t rank, int64_t fence);
  /// A rank that has not joined yet, of an attempt that others have joined. Nothing if it is known already.
  void Expect(AttemptKey attempt, int32_t rank);
  /// The rank is held, by a stream that this process did not see join: suspect, with the full time to come back.
  /// Nothing if it is known with this fence already.
  void Restore(AttemptKey attempt, int32_t rank, int64_t fence);
  void Release(AttemptKey attempt, int32_t rank);
  void Release(AttemptKey attempt);
  bool empty() const { return ranks_.empty(); }

  /// A rank that has to go, and why.
  struct Expired {
    AttemptKey attempt;
    int32_t rank = 0;
    int64_t fence = 0;
    std::string reason;
  };
  struct News {
    std::set<AttemptKey> changed;  ///< attempts in which a rank became suspect or came back
    std::set<AttemptKey> suspect;  ///< attempts in which a rank is suspect
    std::vector<Expired> expired;  ///< each again at every look until it is released or holds anew
  };
  enum class Excuse {
    kNone,
    kIdle,  ///< nobody expects the rank to report now
    kDeaf,  ///< the server itself does not listen to it
  };
  /// An excused rank's time does not run.
  News Look(const std::function<Excuse(AttemptKey attempt, int32_t rank)>& excuse);
  /// The ranks of an attempt that are suspect now, without where they are.
  std::vector<LateRank> Suspects(AttemptKey attempt) const;
  /// 0 if it is not known.
  int64_t SilentMs(AttemptKey attempt, int32_t rank) const;
  /// Nobody could be heard for a while: everybody has the full time again.
  void Refresh();

 private:
  struct Held {
    std::shared_ptr<Lease> lease;
    int64_t fence = 0;
    bool joined = false;
    bool suspect = false;     ///< at the last look
    int64_t unheard_ms = -1;  ///< suspect until it is heard of after this
  };
  static bool IsSuspect(const Held& held, const LeaseLimits& limits);
  /// Why the rank has to go; empty if it need not.
  std::string WhyExpired(const Held& held) const;

  const Clock* const clock_;
  const LeaseLimits limits_;
  std::map<std::pair<AttemptKey, int32_t>, Held> ranks_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_LEASE_H_

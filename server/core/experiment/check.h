// What must be true of a store at rest: the invariants of the ledger, each read anew from what is stored. Deliberately
// shares no state with what wrote it, and repairs nothing.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_CHECK_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_CHECK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/experiment/store.h"

namespace gradeline {

/// Something stored that cannot be true.
struct Flaw {
  std::string experiment;  ///< id; empty: of the store as a whole
  int32_t attempt = 0;     ///< 0: of the experiment as a whole
  std::string what;
};

struct CheckReport {
  std::vector<Flaw> flaws;  ///< the first kMostFlaws
  int64_t flaw_count = 0;
  int64_t experiments = 0, records = 0;  ///< looked at
};
inline constexpr size_t kMostFlaws = 1000;

/// Checks a store that nobody writes to (see Snapshot): its integrity, then of each experiment
/// - events are numbered 1 to its revision without a gap, each seal is one of them with the same content, and the
///   newest one of the experiment has its state, etag, labels, notes and deletion;
/// - attempts 1 to the newest are there with all their ranks; the newest is open exactly while the experiment is QUEUED
///   or RUNNING, the others are closed; DRAFT has none; all ranks of SUCCEEDED are DONE;
/// - no phase of a closed attempt is without a seal;
/// - every seal is, bit for bit, the fold of its records; a complete one has an end of every expected rank, which
/// counts
///   as many records as there are;
/// - the seqs of a rank's records and ends are different, between 1 and its committed_seq, those of a phase below the
///   seq of its end; together with its conflicts, each of which kept an incident, and the goodbye of a DONE rank they
///   are at most committed_seq. A duplicate under a new seq leaves no trace, so fewer are no flaw by themselves.
/// What cannot be read is a flaw too. UNAVAILABLE where the store is out of reach. CANCELLED as soon as `go_on`, asked
/// now and then, is false.
absl::StatusOr<CheckReport> CheckStore(Store& store, const std::function<bool()>& go_on);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_CHECK_H_

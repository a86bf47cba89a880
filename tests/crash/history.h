// A scripted history of the real store and ledger, as clients see it: what they say, what they were promised, and what
// must be there afterwards. The same words in every run, so that every run must end with the same seals, bit for bit.
#ifndef GRADELINE_TESTS_CRASH_HISTORY_H_
#define GRADELINE_TESTS_CRASH_HISTORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/sqlite/test_sqlite.h"
#include "tests/crash/promise.h"
#include "tests/crash/scripted_rank.h"

namespace gradeline {

/// What a process has in memory: an open store and its Experiments. Closing it is a clean stop.
struct Server {
  static absl::StatusOr<std::unique_ptr<Server>> Open(const std::string& path);
  std::string path;
  ManualClock clock;
  std::shared_ptr<Store> store;
  std::unique_ptr<Experiments> experiments;  // goes first
};

class History {
 public:
  /// `large`: one import is larger than the log may grow without a checkpoint.
  History(uint64_t seed, bool large);

  /// Clients say what the server does not know yet, up to the end of `epoch`; the last epoch ends with goodbyes. Not
  /// OK: the first failure that a client met.
  absl::Status Tell(Server& server, int64_t epoch, const Witness& witness) const;
  /// Everything, with a clean restart of the server between the epochs.
  absl::Status Run(const std::string& path, const Witness& witness) const;

  /// What is there: the file is sound, every promise is kept, every committed record is there once, and no seal differs
  /// from what an uninterrupted run seals. DATA_LOSS says what is wrong.
  absl::Status Check(Server& server, const Promises& promises) const;
  /// Whether that is a promise of the server, in a file that is sound.
  static bool IsBrokenPromise(const absl::Status& status);
  /// After the run: all seals.
  absl::Status CheckEnd(Server& server) const;

 private:
  static absl::Status Prepare(Server& server, const Witness& witness);
  static absl::Status ImportLarge(Server& server, const Witness& witness);
  static absl::Status CheckMade(Server& server, const Promises& promises);
  absl::Status CheckRecords(Server& server, int32_t rank, int64_t committed) const;
  /// Of each conflict that is committed there is one incident.
  absl::Status CheckConflicts(Server& server, const std::vector<RankRow>& ranks) const;
  /// The seals of the server, as bytes, in order.
  static absl::StatusOr<std::vector<std::string>> SealsOf(Server& server);

  const uint64_t seed_;
  const bool large_;
  std::vector<Plan> plans_;         ///< by rank
  std::vector<std::string> seals_;  ///< of an uninterrupted run
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_CRASH_HISTORY_H_

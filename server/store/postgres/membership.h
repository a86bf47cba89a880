// This server as one of the replicas that use a schema together. Each experiment has one owner among them, and only it
// writes what the experiment reports. Two things make that true, without a clock that is shared:
// - All writes of a replica go through one session, which holds an advisory lock of the replica's number as long as it
//   lives. A replica leaves the table of replicas only by who has that lock, so nothing can be written by it after
//   that.
// - A replica counts its beats in the table. Another that has looked on all the time, and saw none for the takeover
// time
//   by its own monotonic clock, ends the silent one's session and takes over.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_MEMBERSHIP_H_
#define GRADELINE_SERVER_STORE_POSTGRES_MEMBERSHIP_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/store/postgres/connection.h"
#include "server/store/postgres/postgres_store.h"

namespace gradeline {

/// Thread-safe. Beats on a thread and a connection of its own, so that a long transaction does not look like death.
class Membership {
 public:
  /// A new replica of the schema, which has the tables.
  static absl::StatusOr<std::unique_ptr<Membership>> Join(const PostgresOptions& options);
  /// Leaves: the others take over at once.
  ~Membership();

  int64_t no() const { return no_; }
  /// Makes the session of `connection` the one that writes, for as long as it lives; the one before is ended.
  /// DATA_LOSS: another has taken over. UNAVAILABLE: the database still has the one before.
  absl::Status Hold(PostgresConnection& connection) const;
  /// How the others' clients reach this server. Whoever said the same before is dead, and is taken over at once.
  absl::Status Advertise(const std::string& address);
  /// Whether experiments have become this replica's, other than by Transaction::OwnExperiment, since the last call.
  /// DATA_LOSS for good: this one's have become another's.
  absl::StatusOr<bool> TakeNews();

 private:
  using Clock = std::chrono::steady_clock;
  struct Seen {
    int64_t beats = 0;
    Clock::time_point since;
  };
  explicit Membership(PostgresOptions options) : options_(std::move(options)) {}
  absl::Status Register();
  void Loop();
  absl::Status Beat() ABSL_EXCLUSIVE_LOCKS_REQUIRED(beating_);
  /// The others that have not counted for too long.
  absl::StatusOr<std::vector<int64_t>> FindSilent(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(beating_);
  /// Begins a transaction in which the replica is no more: what it wrote is there, and it writes nothing any more.
  /// False if it was none before.
  absl::StatusOr<bool> Remove(int64_t replica) ABSL_EXCLUSIVE_LOCKS_REQUIRED(beating_);
  absl::Status TakeOver(int64_t replica) ABSL_EXCLUSIVE_LOCKS_REQUIRED(beating_);
  /// What runs and has no owner becomes this replica's.
  absl::Status AdoptOwnerless() ABSL_EXCLUSIVE_LOCKS_REQUIRED(beating_);
  /// Ends the transaction with it.
  absl::Status Adopt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(beating_);
  absl::Status EnsureConnection() ABSL_EXCLUSIVE_LOCKS_REQUIRED(beating_);
  void TellNews();
  void KeepLost();

  const PostgresOptions options_;
  int64_t no_ = 0;
  absl::Mutex beating_;
  std::unique_ptr<PostgresConnection> connection_ ABSL_GUARDED_BY(beating_);
  absl::Status beat_ ABSL_GUARDED_BY(beating_);    // how the last one ended
  absl::Status taken_ ABSL_GUARDED_BY(beating_);   // and how its takeovers did
  bool unsure_ ABSL_GUARDED_BY(beating_) = false;  // whether an adoption was kept
  Clock::time_point last_beat_ ABSL_GUARDED_BY(beating_);
  std::map<int64_t, Seen> seen_ ABSL_GUARDED_BY(beating_);
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool news_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status lost_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_MEMBERSHIP_H_

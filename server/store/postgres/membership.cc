#include "server/store/postgres/membership.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/store/sql/reads.h"

namespace gradeline {
namespace {

// Beats within a takeover time: how late one of them comes must not matter.
constexpr int kBeats = 10;

// No replica comes, goes or beats until the transaction ends: all that take over do so one after another, and see the
// same ones.
constexpr char kStandStill[] = "LOCK TABLE replicas IN SHARE ROW EXCLUSIVE MODE";

// The lock of replica ?1: the schema's number and its own.
#define GRADELINE_REPLICA_LOCK "current_schema()::regnamespace::oid::bigint::bit(32)::integer, ?1::integer"
// The list is made once, before any row is locked: a row that was claimed meanwhile is looked at again with it.
#define GRADELINE_IS_OWNERLESS "state IN ('QUEUED', 'RUNNING') AND owner <> ALL (ARRAY(SELECT no FROM replicas))"

absl::Status TakenOver() {
  return absl::DataLossError(
      "another gradelined that uses the same tables has taken over the experiments of this one: it did not hear of "
      "this "
      "one for too long, or is reached at the same address");
}

// The name of the sessions that beat, and have the lock of a replica while they remove it.
#define GRADELINE_BEATS "'gradelined beats'"

// Ends the session that writes for a replica, if the database has it.
absl::Status EndSession(PostgresConnection& connection, int64_t replica) {
  return connection
      .Prepare(
          "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING(pid) WHERE locktype = 'advisory' "
          "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND classid = "
          "current_schema()::regnamespace::oid AND objid::bigint = ?1 AND objsubid = 2 AND application_name "
          "<> " GRADELINE_BEATS)
      .Bind(replica)
      .Run();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Membership>> Membership::Join(const PostgresOptions& options) {
  std::unique_ptr<Membership> membership(new Membership(options));
  GRADELINE_RETURN_IF_ERROR(membership->Register());
  membership->thread_ = std::thread([self = membership.get()] { self->Loop(); });
  return membership;
}

Membership::~Membership() {
  if (thread_.joinable()) {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    thread_.join();
  }
  absl::MutexLock lock(&beating_);
  // Where the database is away, or the session that wrote does not end, silence says the same, later.
  if (no_ == 0 || !beat_.ok() || !EnsureConnection().ok() || !Remove(no_).ok()) return;
  connection_->Execute("COMMIT").IgnoreError();
}

absl::Status Membership::Register() {
  absl::MutexLock lock(&beating_);
  GRADELINE_RETURN_IF_ERROR(EnsureConnection());
  GRADELINE_ASSIGN_OR_RETURN(no_, connection_->QueryNumber("INSERT INTO replicas DEFAULT VALUES RETURNING no"));
  last_beat_ = Clock::now();
  AdoptOwnerless().IgnoreError();  // the first beat tries again
  return absl::OkStatus();
}

absl::Status Membership::Hold(PostgresConnection& connection) const {
  Query attempt = connection.Prepare("SELECT pg_try_advisory_lock(" GRADELINE_REPLICA_LOCK ")::integer");
  GRADELINE_RETURN_IF_ERROR(attempt.Bind(no_).Step().status());
  if (attempt.Number(0) == 0) {
    GRADELINE_RETURN_IF_ERROR(EndSession(connection, no_));
    GRADELINE_RETURN_IF_ERROR(connection.Execute("SET lock_timeout = '1s'"));
    GRADELINE_RETURN_IF_ERROR(
        connection.Prepare("SELECT pg_advisory_lock(" GRADELINE_REPLICA_LOCK ")").Bind(no_).Run());
    GRADELINE_RETURN_IF_ERROR(connection.Execute("SET lock_timeout = DEFAULT"));
  }
  Query look = connection.Prepare("SELECT no FROM replicas WHERE no = ?1");
  GRADELINE_ASSIGN_OR_RETURN(const bool there, look.Bind(no_).Step());
  return there ? absl::OkStatus() : TakenOver();
}

absl::Status Membership::Advertise(const std::string& address) {
  absl::MutexLock lock(&beating_);
  GRADELINE_RETURN_IF_ERROR(EnsureConnection());
  GRADELINE_RETURN_IF_ERROR(
      connection_->Prepare("UPDATE replicas SET address = ?2 WHERE no = ?1").Bind(no_, Blob{address}).Run());
  std::vector<int64_t> before;
  {
    Query query = connection_->Prepare("SELECT no FROM replicas WHERE address = ?1 AND no <> ?2");
    query.Bind(Blob{address}, no_);
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      before.push_back(query.Number(0));
      return absl::OkStatus();
    }));
  }
  absl::Status taken;
  for (const int64_t replica : before) taken.Update(TakeOver(replica));
  return taken;
}

absl::StatusOr<bool> Membership::TakeNews() {
  absl::MutexLock lock(&mutex_);
  if (!lost_.ok()) return lost_;
  return std::exchange(news_, false);
}

void Membership::TellNews() {
  absl::MutexLock lock(&mutex_);
  news_ = true;
}

void Membership::KeepLost() {
  absl::MutexLock lock(&mutex_);
  lost_ = TakenOver();
}

void Membership::Loop() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), absl::FromChrono(options_.takeover / kBeats))) return;
    }
    absl::MutexLock lock(&beating_);
    absl::Status beat = Beat();
    if (beat_.ok() && !beat.ok())
      options_.tell(absl::StrCat("other servers may not hear of this one: ", beat.message()));
    beat_ = std::move(beat);
  }
}

absl::Status Membership::EnsureConnection() {
  if (connection_ != nullptr && !connection_->lost()) {
    connection_->Rollback();
    connection_->ForgetFailure();
    return absl::OkStatus();
  }
  GRADELINE_ASSIGN_OR_RETURN(connection_, PostgresConnection::Open(options_.conninfo));
  // Nobody waits for one that stands still.
  return connection_->Execute(
      absl::StrCat("SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '1s'; "
                   "SET application_name = " GRADELINE_BEATS));
}

absl::Status Membership::Beat() {
  GRADELINE_RETURN_IF_ERROR(EnsureConnection());
  // A beat waits for nobody for long.
  GRADELINE_RETURN_IF_ERROR(
      connection_->Execute(absl::StrCat("SET lock_timeout = ", (options_.takeover / kBeats).count())));
  {
    Query beat = connection_->Prepare("UPDATE replicas SET beats = beats + 1 WHERE no = ?1 RETURNING no");
    GRADELINE_ASSIGN_OR_RETURN(const bool there, beat.Bind(no_).Step());
    if (!there) {
      KeepLost();
      return absl::OkStatus();
    }
  }
  const Clock::time_point now = Clock::now();
  // Who was cut off or stood still has not looked on: the others may have counted meanwhile.
  if (now - last_beat_ > options_.takeover / 2) seen_.clear();
  last_beat_ = now;
  if (std::exchange(unsure_, false)) TellNews();
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<int64_t> silent, FindSilent(now));
  absl::Status taken;
  for (const int64_t replica : silent) {
    taken.Update(TakeOver(replica));
    // One that cannot be ended must not keep this one from the others.
    if (!taken.ok()) GRADELINE_RETURN_IF_ERROR(EnsureConnection());
  }
  if (taken_.ok() && !taken.ok()) options_.tell(absl::StrCat("a silent replica cannot be ended: ", taken.message()));
  taken_ = std::move(taken);
  return AdoptOwnerless();
}

absl::StatusOr<std::vector<int64_t>> Membership::FindSilent(Clock::time_point now) {
  Query query = connection_->Prepare("SELECT no, beats FROM replicas WHERE no <> ?1");
  query.Bind(no_);
  std::map<int64_t, Seen> seen;
  std::vector<int64_t> silent;
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
    const int64_t replica = query.Number(0), beats = query.Number(1);
    const auto before = seen_.find(replica);
    const bool counted = before == seen_.end() || before->second.beats != beats;
    seen[replica] = {beats, counted ? now : before->second.since};
    if (now - seen[replica].since >= options_.takeover) silent.push_back(replica);
    return absl::OkStatus();
  }));
  seen_ = std::move(seen);
  return silent;
}

absl::StatusOr<bool> Membership::Remove(int64_t replica) {
  GRADELINE_RETURN_IF_ERROR(connection_->Execute("BEGIN"));
  GRADELINE_RETURN_IF_ERROR(connection_->Execute(kStandStill));
  GRADELINE_RETURN_IF_ERROR(EndSession(*connection_, replica));
  // Waits until the session that wrote is no more.
  GRADELINE_RETURN_IF_ERROR(
      connection_->Prepare("SELECT pg_advisory_xact_lock(" GRADELINE_REPLICA_LOCK ")").Bind(replica).Run());
  Query remove = connection_->Prepare("DELETE FROM replicas WHERE no = ?1 RETURNING no");
  return remove.Bind(replica).Step();
}

absl::Status Membership::TakeOver(int64_t replica) {
  GRADELINE_ASSIGN_OR_RETURN(const bool removed, Remove(replica));
  GRADELINE_RETURN_IF_ERROR(Adopt());
  if (removed) options_.tell(absl::StrCat("took over the experiments of replica ", replica, ", which is gone"));
  return absl::OkStatus();
}

absl::Status Membership::AdoptOwnerless() {
  GRADELINE_ASSIGN_OR_RETURN(
      const int64_t ownerless,
      connection_->QueryNumber("SELECT count(*) FROM experiments WHERE " GRADELINE_IS_OWNERLESS));
  if (ownerless == 0) return absl::OkStatus();
  GRADELINE_RETURN_IF_ERROR(connection_->Execute("BEGIN"));
  GRADELINE_RETURN_IF_ERROR(connection_->Execute(kStandStill));
  return Adopt();
}

absl::Status Membership::Adopt() {
  // A row that is locked is being claimed by who works on it.
  GRADELINE_RETURN_IF_ERROR(connection_
                                ->Prepare("UPDATE experiments SET owner = ?1 WHERE no IN (SELECT no FROM experiments "
                                          "WHERE " GRADELINE_IS_OWNERLESS " FOR UPDATE SKIP LOCKED)")
                                .Bind(no_)
                                .Run());
  absl::Status committed = connection_->Execute("COMMIT");
  unsure_ = !committed.ok();
  TellNews();
  return committed;
}

}  // namespace gradeline

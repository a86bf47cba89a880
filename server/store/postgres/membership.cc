#include "server/store/postgres/membership.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/store/sql/reads.h"

namespace gradeline {
namespace {

// Beats within a takeover time: how late one of them comes must not matter.
constexpr int kBeats = 10;

// No replica comes or goes until the transaction ends: all that adopt see the same ones.
constexpr char kStandStill[] = "LOCK TABLE replicas IN SHARE ROW EXCLUSIVE MODE";

// The lock of replica ?1.
#define GRADELINE_REPLICA_LOCK \
  "hashtextextended('gradeline replica ' || ?1::text || ' of ' || current_schema()::regnamespace::oid::text, 0)"
#define GRADELINE_STARTED_US "coalesce((extract(epoch FROM backend_start) * 1000000)::bigint, 0)"
#define GRADELINE_IS_OWNERLESS                                                                           \
  "experiments.state IN ('QUEUED', 'RUNNING') AND NOT EXISTS (SELECT FROM replicas WHERE replicas.no = " \
  "experiments.owner)"

absl::Status TakenOver() {
  return absl::DataLossError(
      "another gradelined that uses the same tables has taken over the experiments of this one: it did not hear of it, "
      "or "
      "is reached at the same address");
}

// Ends the session that writes for a replica, if the database still has it.
absl::Status EndSession(PostgresConnection& connection, int64_t replica) {
  return connection
      .Prepare(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity JOIN replicas ON pid = process AND "
          "started_us = " GRADELINE_STARTED_US " WHERE replicas.no = ?1 AND pid <> pg_backend_pid()")
      .Bind(replica)
      .Run();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Membership>> Membership::Join(const std::string& conninfo,
                                                             std::chrono::milliseconds takeover) {
  std::unique_ptr<Membership> membership(new Membership(conninfo, takeover));
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
  if (no_ == 0 || !EnsureConnection().ok()) return;
  connection_->Prepare("DELETE FROM replicas WHERE no = ?1").Bind(no_).Run().IgnoreError();
}

absl::Status Membership::Register() {
  absl::MutexLock lock(&beating_);
  GRADELINE_RETURN_IF_ERROR(EnsureConnection());
  GRADELINE_ASSIGN_OR_RETURN(no_, connection_->QueryNumber("INSERT INTO replicas DEFAULT VALUES RETURNING no"));
  last_beat_ = Clock::now();
  return AdoptOwnerless();
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
  Query note =
      connection.Prepare("UPDATE replicas SET process = pg_backend_pid(), started_us = (SELECT " GRADELINE_STARTED_US
                         " FROM pg_stat_activity WHERE pid = pg_backend_pid()) WHERE no = ?1 RETURNING no");
  GRADELINE_ASSIGN_OR_RETURN(const bool there, note.Bind(no_).Step());
  return there ? absl::OkStatus() : TakenOver();
}

absl::Status Membership::Advertise(const std::string& address) {
  absl::MutexLock lock(&beating_);
  GRADELINE_RETURN_IF_ERROR(EnsureConnection());
  std::vector<int64_t> before;
  {
    Query query = connection_->Prepare("SELECT no FROM replicas WHERE address = ?1 AND no <> ?2");
    query.Bind(Blob{address}, no_);
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      before.push_back(query.Number(0));
      return absl::OkStatus();
    }));
  }
  for (const int64_t replica : before) GRADELINE_RETURN_IF_ERROR(TakeOver(replica));
  return connection_->Prepare("UPDATE replicas SET address = ?2 WHERE no = ?1").Bind(no_, Blob{address}).Run();
}

absl::StatusOr<bool> Membership::TakeNews() {
  absl::MutexLock lock(&mutex_);
  if (!lost_.ok()) return lost_;
  return std::exchange(adopted_, false);
}

void Membership::KeepLost() {
  absl::MutexLock lock(&mutex_);
  lost_ = TakenOver();
}

void Membership::Loop() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), absl::FromChrono(takeover_ / kBeats))) return;
    }
    absl::MutexLock lock(&beating_);
    Beat().IgnoreError();  // without a database nothing can be written, and nobody can be judged
  }
}

absl::Status Membership::EnsureConnection() {
  if (connection_ != nullptr && !connection_->lost()) {
    connection_->Rollback();
    connection_->ForgetFailure();
    return absl::OkStatus();
  }
  GRADELINE_ASSIGN_OR_RETURN(connection_, PostgresConnection::Open(conninfo_));
  return connection_->Execute("SET lock_timeout = '1s'");
}

absl::Status Membership::Beat() {
  GRADELINE_RETURN_IF_ERROR(EnsureConnection());
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
  if (now - last_beat_ > takeover_ / 2) seen_.clear();
  last_beat_ = now;
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<int64_t> silent, FindSilent(now));
  for (const int64_t replica : silent) GRADELINE_RETURN_IF_ERROR(TakeOver(replica));
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
    if (now - seen[replica].since >= takeover_) silent.push_back(replica);
    return absl::OkStatus();
  }));
  seen_ = std::move(seen);
  return silent;
}

absl::Status Membership::TakeOver(int64_t replica) {
  GRADELINE_RETURN_IF_ERROR(EndSession(*connection_, replica));
  GRADELINE_RETURN_IF_ERROR(connection_->Execute("BEGIN"));
  // Waits until the session that wrote is no more.
  GRADELINE_RETURN_IF_ERROR(
      connection_->Prepare("SELECT pg_advisory_xact_lock(" GRADELINE_REPLICA_LOCK ")").Bind(replica).Run());
  GRADELINE_RETURN_IF_ERROR(connection_->Execute(kStandStill));
  GRADELINE_RETURN_IF_ERROR(connection_->Prepare("DELETE FROM replicas WHERE no = ?1").Bind(replica).Run());
  return Adopt();
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
  {
    // Even if nobody will know whether this was kept.
    absl::MutexLock lock(&mutex_);
    adopted_ = true;
  }
  return connection_->Execute("COMMIT");
}

}  // namespace gradeline

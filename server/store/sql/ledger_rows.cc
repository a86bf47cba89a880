// The transaction's verbs on records, ends, seals and incidents.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/core/experiment/names.h"
#include "server/store/sql/reads.h"
#include "server/store/sql/transaction.h"

namespace gradeline {
Query& BindRecord(Query& insert, int64_t no, int32_t attempt, int32_t rank, const Record& record) {
  const RecordKey& key = record.key;
  return insert.Bind(no, attempt, key.phase, key.epoch, key.step, rank, key.head, key.part, record.seq,
                     Blob{BytesOf(record.digest)}, record.code, record.items, Blob{PackValues(record.values)},
                     Blob{record.metrics}, Blob{record.refusal.empty() ? "" : Encode(record.refusal)});
}

absl::StatusOr<std::optional<std::string>> SqlTransaction::FindDigest(int64_t no, int32_t attempt, int32_t rank,
                                                                      const RecordKey& key) {
  Query find = connection_->Prepare(
      "SELECT digest FROM records WHERE experiment = ?1 AND attempt = ?2 AND phase = ?3 AND epoch = ?4 AND step = ?5 "
      "AND rank = ?6 AND head = ?7 AND part = ?8");
  find.Bind(no, attempt, key.phase, key.epoch, key.step, rank, key.head, key.part);
  GRADELINE_ASSIGN_OR_RETURN(const bool found, find.Step());
  return found ? std::optional<std::string>(find.Bytes(0)) : std::nullopt;
}

absl::Status SqlTransaction::InsertPhaseEnd(int64_t no, int32_t attempt, const PhaseEndRow& end) {
  GRADELINE_ASSIGN_OR_RETURN(
      const bool inserted,
      connection_
          ->Prepare("INSERT INTO phase_ends(experiment, attempt, phase, epoch, rank, seq, records) VALUES(?1, ?2, ?3, "
                    "?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING")
          .Bind(no, attempt, end.phase, end.epoch, end.rank, end.seq, end.records)
          .Insert());
  if (inserted) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("rank ", end.rank, " has ended ", NameOf(end.phase), " of epoch ", end.epoch));
}

absl::StatusOr<std::vector<PhaseEndRow>> SqlTransaction::ListPhaseEnds(int64_t no, int32_t attempt,
                                                                       PhaseOfEpoch phase) {
  return ReadPhaseEnds(*connection_, no, attempt, phase);
}

absl::Status SqlTransaction::ScanRecords(int64_t no, int32_t attempt, PhaseOfEpoch phase,
                                         const std::function<void(const RecordRow&)>& row) {
  return ReadRecords(*connection_, no, attempt, phase, row);
}

absl::StatusOr<std::vector<PhaseOfEpoch>> SqlTransaction::ListOpenPhases(int64_t no, int32_t attempt) {
  return ReadOpenPhases(*connection_, no, attempt);
}

absl::StatusOr<std::vector<PhaseOfEpoch>> SqlTransaction::ListSealedPhases(int64_t no, int32_t attempt) {
  Query query = connection_->Prepare(
      "SELECT phase, epoch FROM seals WHERE experiment = ?1 AND attempt = ?2 ORDER BY phase, epoch");
  query.Bind(no, attempt);
  return ReadPhases(std::move(query));
}

absl::StatusOr<bool> SqlTransaction::IsSealed(int64_t no, int32_t attempt, PhaseOfEpoch phase) {
  return connection_
      ->Prepare("SELECT 1 FROM seals WHERE experiment = ?1 AND attempt = ?2 AND phase = ?3 AND epoch = ?4")
      .Bind(no, attempt, phase.phase, phase.epoch)
      .Step();
}

absl::StatusOr<std::vector<Seal>> SqlTransaction::ListLastSeals(int64_t no, int32_t attempt) {
  Query query = connection_->Prepare(
      "SELECT result FROM seals WHERE experiment = ?1 AND attempt = ?2 AND revision IN (SELECT max(revision) FROM "
      "seals "
      "WHERE experiment = ?1 AND attempt = ?2 GROUP BY phase) ORDER BY phase");
  query.Bind(no, attempt);
  return ReadSeals(std::move(query));
}

absl::StatusOr<std::optional<Seal>> SqlTransaction::FindCompleteSealBefore(int64_t no, int32_t first, int32_t last,
                                                                           PhaseOfEpoch phase) {
  Query query = connection_->Prepare(
      "SELECT result FROM seals WHERE experiment = ?1 AND phase = ?2 AND epoch < ?3 AND verdict = 'complete' AND "
      "attempt BETWEEN ?4 AND ?5 ORDER BY epoch DESC, attempt DESC LIMIT 1");
  query.Bind(no, phase.phase, phase.epoch, first, last);
  GRADELINE_ASSIGN_OR_RETURN(std::vector<Seal> found, ReadSeals(std::move(query)));
  return found.empty() ? std::nullopt : std::optional<Seal>(std::move(found.front()));
}

absl::Status SqlTransaction::InsertSeal(int64_t no, const Seal& seal) {
  GRADELINE_ASSIGN_OR_RETURN(
      const bool inserted,
      connection_
          ->Prepare("INSERT INTO seals(experiment, attempt, phase, epoch, verdict, missing, result, directive, "
                    "revision) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING")
          .Bind(no, seal.attempt, seal.phase, seal.epoch, seal.complete ? "complete" : "partial",
                absl::StrJoin(seal.missing_ranks, ","), Blob{Encode(seal)}, Blob{}, seal.revision)
          .Insert());
  if (inserted) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(NameOf(seal.phase), " of epoch ", seal.epoch, " is sealed"));
}

absl::Status SqlTransaction::InsertIncident(int64_t no, int32_t attempt, int32_t rank, std::string_view kind,
                                            std::string_view body, int64_t at_ms) {
  connection_
      ->Prepare("INSERT INTO incidents(experiment, attempt, rank, kind, body, at_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
      .Bind(no, attempt, rank, kind, Blob{body}, at_ms)
      .Send();
  return failure();
}

}  // namespace gradeline

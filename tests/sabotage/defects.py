"""Deliberate defects: one change of the source each, and the test that must notice. run.py tries them."""

from typing import NamedTuple


class Defect(NamedTuple):
    name: str
    file: str
    old: str  # occurs once in the file
    new: str
    test: str  # program below bin/
    filter: str = "*"


EXPERIMENT = "server/core/experiment"
SQLITE = "server/store/sqlite"
POSTGRES = "server/store/postgres"
PROPERTY = "ledger_property_test"
STORE = "store_sqlite_test"
POSTGRES_STORE = "store_postgres_test"

DEFECTS = [
    Defect(
        "committed is told before the commit",
        f"{EXPERIMENT}/ledger.cc",
        "  return transaction->Commit();",
        "  hooks_.committed(group);\n  return transaction->Commit();",
        PROPERTY,
    ),
    Defect(
        "a record that comes twice counts twice",
        f"{EXPERIMENT}/rules.cc",
        "  if (*outcome == InsertOutcome::kSame) return {RecordFate::kDuplicate, absl::OkStatus()};",
        "",
        STORE,
        "Ledger*:Replay*:Killed*:Watch*",
    ),
    Defect(
        "the digest is not compared",
        "server/store/sqlite/transaction.cc",
        "return digest == BytesOf(record.digest) ?",
        "return digest ?",
        PROPERTY,
    ),
    Defect(
        "the fence is not compared",
        f"{EXPERIMENT}/rules.cc",
        "(*rank)->fence != holder.fence",
        "false",
        PROPERTY,
    ),
    Defect(
        "messages commit without those before them",
        f"{EXPERIMENT}/rules.cc",
        "seq != (*rank)->committed_seq + 1",
        "false",
        STORE,
        "Ledger*",
    ),
    Defect(
        "an end commits without all ranks",
        f"{EXPERIMENT}/rules.cc",
        "const bool all = (*state)->ends.size() == ExpectedRanks(",
        "const bool all = (*state)->ends.size() <= ExpectedRanks(",
        PROPERTY,
    ),
    Defect(
        "a rank's count of records is believed",
        f"{EXPERIMENT}/rules.cc",
        "    if (stored == end.records) continue;",
        "    if (stored >= 0) continue;",
        PROPERTY,
    ),
    Defect(
        "a phase that a rank has ended takes more",
        f"{EXPERIMENT}/rules.cc",
        "if ((*state)->sealed || (*state)->ends.count(holder.rank) > 0) {",
        "if (false) {",
        PROPERTY,
    ),
    Defect(
        "any number of messages may be uncommitted",
        f"{EXPERIMENT}/session.cc",
        "next_seq_ - 1 - committed_ >= welcome_.max_uncommitted",
        "false",
        STORE,
        "Ledger*",
    ),
    Defect(
        "leases by the wall clock",
        f"{EXPERIMENT}/lease.h",
        "int64_t silent_ms() const { return clock_->MonotonicMillis() - heard_ms_; }",
        "int64_t silent_ms() const { return clock_->UnixMillis() - heard_ms_; }",
        STORE,
        "Lease*",
    ),
    Defect(
        "a rank that came back is given up",
        f"{EXPERIMENT}/rules.cc",
        "if (!attempt->open() || through || row->fence != fence)",
        "if (!attempt->open() || through || row->fence < fence)",
        STORE,
        "Lease*",
    ),
    Defect(
        "a rank that is not listened to is silent",
        f"{EXPERIMENT}/liveness.cc",
        "  if (!session->listener().Listens()) return Leases::Excuse::kDeaf;",
        "",
        STORE,
        "Lease*",
    ),
    Defect(
        "ranks of before a restart have no lease",
        f"{EXPERIMENT}/liveness.cc",
        "      rank.joined ? leases.Restore(attempt, rank.rank, rank.fence) : leases.Expect(attempt, rank.rank);",
        "      static_cast<void>(attempt);",
        STORE,
        "Lease*",
    ),
    Defect(
        "another process takes a suspect's place",
        f"{EXPERIMENT}/rules.cc",
        "rank.state != RankState::kFree && rank.instance != request.instance",
        "rank.state != RankState::kFree && rank.instance.size() != request.instance.size()",
        STORE,
        "Lease*:Ledger*",
    ),
    Defect(
        "a closed attempt takes records",
        f"{EXPERIMENT}/rules.cc",
        "  if (!(*attempt)->open()) {",
        "  if (false) {",
        PROPERTY,
    ),
    Defect(
        "a phase waits for a rank that is done",
        f"{EXPERIMENT}/rules.cc",
        "    if (row->state != RankState::kDone) continue;",
        "    if (row->state != RankState::kGone) continue;",
        PROPERTY,
    ),
    Defect(
        "what was not heard while the server stood still is silence",
        f"{EXPERIMENT}/liveness.cc",
        "if (unwritable || stood_still) leases.Refresh();",
        "static_cast<void>(stood_still);",
        STORE,
        "Lease*",
    ),
    Defect(
        "a database that is away is a flaw of its content",
        f"{EXPERIMENT}/check.cc",
        " || absl::IsUnavailable(status)) return status;",
        ") return status;",
        POSTGRES_STORE,
        "PostgresSnapshot*",
    ),
    Defect(
        "a check reads whatever is there by now",
        f"{POSTGRES}/snapshot.cc",
        "reader->Execute(absl::StrCat(\"SET TRANSACTION SNAPSHOT '\", moment_, \"'\"));",
        "reader->Execute(\"SELECT 1\");",
        POSTGRES_STORE,
        "PostgresSnapshot*:CheckTest*",
    ),
    Defect(
        "a connection that a read failed on is used again",
        "server/store/sql/sql_store.cc",
        " && reader->failure().ok()) idle_",
        ") idle_",
        POSTGRES_STORE,
        "PostgresSnapshot*",
    ),
    Defect(
        "calls that keep coming hold up the end",
        "server/rpc/calls.cc",
        "  if (!waiting_) ++count_;\n  return !waiting_;",
        "  ++count_;\n  return true;",
        "rpc_test",
        "RunningCalls*",
    ),
    Defect(
        "a resume skips epochs that nobody trained",
        f"{EXPERIMENT}/experiments.cc",
        "if (first < 0 || first > next) {",
        "if (first < 0) {",
        STORE,
        "Resume*",
    ),
    Defect(
        "the directive is decided after the seal is stored",
        f"{EXPERIMENT}/rules.cc",
        "    seal.directive = Decide(experiment, seal, before);",
        "    static_cast<void>(Decide(experiment, seal, before));",
        PROPERTY,
    ),
    Defect(
        "partial seals feed patience",
        f"{EXPERIMENT}/rules.cc",
        "if (complete && HasDirective(",
        "if (HasDirective(",
        PROPERTY,
    ),
    Defect(
        "a tie is an improvement",
        f"{EXPERIMENT}/directive.cc",
        "return gain > 0 && gain >= stopping.min_delta;",
        "return gain >= stopping.min_delta;",
        "core_experiment_test",
        "Directive*",
    ),
    Defect(
        "a lost rank undoes early stopping",
        f"{EXPERIMENT}/rules.cc",
        "  if (stop.empty()) return CloseAttempt(group, key.first, live.heads(), ExperimentState::kLost, reason);",
        "  return CloseAttempt(group, key.first, live.heads(), ExperimentState::kLost, reason);",
        PROPERTY,
    ),
    Defect(
        "a refused batch adds to the sums",
        f"{EXPERIMENT}/fold.cc",
        "    ++refused_[record.code];",
        "    ++refused_[record.code];\n    ++batches_;",
        PROPERTY,
    ),
    Defect(
        "a watcher skips an event between two pages",
        f"{EXPERIMENT}/watch.cc",
        "  cursor_ = cursor;",
        "  cursor_ = cursor + 1;",
        STORE,
        "Watch*",
    ),
    Defect(
        "a reading connection checkpoints",
        f"{SQLITE}/connection.cc",
        '  GRADELINE_RETURN_IF_ERROR(connection->Execute("PRAGMA wal_autocheckpoint = 0"));',
        "",
        STORE,
        "Sqlite*",
    ),
    Defect(
        "commits are not synced",
        f"{SQLITE}/sqlite_store.cc",
        "synchronous = FULL",
        "synchronous = NORMAL",
        "crash_power_cut_test",
        "*LosesNothing*",
    ),
    Defect(
        "nobody tries whether a full disk has room again",
        f"{SQLITE}/sqlite_store.cc",
        "return failing ? TryWrite() : absl::OkStatus();",
        "return failing && path_.empty() ? TryWrite() : absl::OkStatus();",
        "crash_full_disk_test",
    ),
    Defect(
        "a conflict leaves no incident",
        f"{EXPERIMENT}/rules.cc",
        "group.store().InsertIncident(no, attempt, holder.rank, kind, std::string(status.message()), group.now_ms());",
        "no + attempt < 0 && kind == nullptr ? absl::InternalError(\"\") : absl::OkStatus();",
        "crash_kill_test",
    ),
    Defect(
        "a replay leaves its metrics behind",
        "client/cpp/record_window.cc",
        "  *found->second.request->mutable_replay()->mutable_record() = result.record();",
        "  *found->second.request->mutable_replay()->mutable_record() = result.record();\n"
        "  found->second.request->mutable_replay()->mutable_record()->clear_metrics();",
        "crash_server_kill_test",
    ),
    Defect(
        "revisions are taken without the row's lock",
        f"{POSTGRES}/transaction.cc",
        "return ReadExperiment(connection(), no, RowLock::kForUpdate);",
        "return ReadExperiment(connection(), no, RowLock::kNone);",
        POSTGRES_STORE,
        "Postgres*",
    ),
    Defect(
        "a database that may lose commits is taken",
        f"{POSTGRES}/postgres_store.cc",
        "if (wrong.empty())",
        "if (true)",
        POSTGRES_STORE,
        "Postgres*",
    ),
    Defect(
        "a commit without an answer is not found out about",
        f"{EXPERIMENT}/liveness.cc",
        "if (unwritable && !(store->Check().ok() && CatchUp().ok())) return;",
        "if (unwritable && !store->Check().ok()) return;",
        POSTGRES_STORE,
        "LostAnswer*",
    ),
    Defect(
        "a schema that another server took is written on",
        f"{POSTGRES}/owner_lock.cc",
        "if (locked == 0) GRADELINE",
        "if (locked < 0) GRADELINE",
        POSTGRES_STORE,
        "Postgres*",
    ),
    Defect(
        "what was foreseen outlives its undoing",
        f"{POSTGRES}/transaction.cc",
        "  if (!status.ok()) digests_.clear();",
        "",
        POSTGRES_STORE,
        "StoreContract*",
    ),
]

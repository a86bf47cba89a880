#include "server/store/postgres/connection.h"

#include <endian.h>

#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

constexpr Oid kInt8Oid = 20;  // pg_type.dat
constexpr int kBinary = 1;
// Answers are small; this many of them fit into buffers on both sides.
constexpr int kMostUnanswered = 1024;

absl::StatusCode CodeOf(absl::string_view sqlstate) {
  if (sqlstate == "53100") return absl::StatusCode::kResourceExhausted;  // disk_full
  if (sqlstate == "23505") return absl::StatusCode::kAlreadyExists;      // unique_violation
  if (sqlstate == "42501") return absl::StatusCode::kPermissionDenied;   // insufficient_privilege
  // None: libpq's own, about the connection. 08 connection, 25006 read only, 25P03 idle too long, 40001 and 40P01
  // conflicts that another try solves, 53 resources, 55P03 lock, 57 cancelled or shut down.
  for (const char* prefix : {"08", "25006", "25P03", "40001", "40P01", "53", "55P03", "57"}) {
    if (sqlstate.empty() || absl::StartsWith(sqlstate, prefix)) return absl::StatusCode::kUnavailable;
  }
  return absl::StatusCode::kInternal;
}

// A URI whose password holds characters that must be escaped is taken apart wrongly, and pieces of the password would
// be named as host or port.
bool MayMisreadPassword(absl::string_view conninfo) {
  const size_t scheme = conninfo.find("://");
  if (!absl::StartsWith(conninfo, "postgres") || scheme == absl::string_view::npos) return false;
  const size_t at = conninfo.rfind('@');
  if (at == absl::string_view::npos || at < scheme) return false;
  return conninfo.substr(scheme + 3, at - scheme - 3).find_first_of("/?#@") != absl::string_view::npos;
}

absl::Status CheckConninfo(const std::string& conninfo) {
  // What libpq says about the form may quote the string, which may hold a password.
  PQconninfoOption* options = MayMisreadPassword(conninfo) ? nullptr : PQconninfoParse(conninfo.c_str(), nullptr);
  if (options == nullptr) {
    return absl::InvalidArgumentError(
        "store.postgres is no connection string of libpq: allowed are \"host=... dbname=...\", values with spaces in "
        "single quotes, and postgresql://user@host/dbname, special characters of user and password percent-encoded");
  }
  PQconninfoFree(options);
  return absl::OkStatus();
}

std::string NameOf(const PGconn* handle) {
  const auto text = [](const char* value) { return value == nullptr ? "" : value; };
  return absl::StrCat("PostgreSQL database ", text(PQdb(handle)), " at ", text(PQhost(handle)), ":",
                      text(PQport(handle)));
}

std::string OneLine(const char* said) {
  return absl::StrReplaceAll(absl::StripSuffix(said, "\n"), {{"\n", "; "}, {"\t", " "}});
}

}  // namespace

class PostgresStatement : public Statement {
 public:
  /// `once`: it is used once, and the server forgets it with the next one.
  PostgresStatement(PostgresConnection* connection, std::string sql, bool once)
      : connection_(connection), sql_(std::move(sql)), once_(once) {}

  void BindNumber(int index, int64_t value) override {
    const auto bits = htobe64(static_cast<uint64_t>(value));
    Keep(index, kInt8Oid, {reinterpret_cast<const char*>(&bits), sizeof(bits)});
  }
  // The type is that of the column; text and bytes look the same in the binary form.
  void BindText(int index, std::string_view text) override { Keep(index, InvalidOid, text); }
  void BindBytes(int index, std::string_view bytes) override { Keep(index, InvalidOid, bytes); }

  absl::StatusOr<bool> Step() override {
    if (result_ == nullptr) {
      if (!connection_->failure().ok()) return connection_->failure();
      Put();
      GRADELINE_ASSIGN_OR_RETURN(result_, connection_->Sync());
      row_ = -1;
    }
    return ++row_ < PQntuples(result_.get());
  }
  void Send() override {
    Put();
    if (connection_->unanswered_ >= kMostUnanswered) connection_->Sync().IgnoreError();
  }
  int64_t changes() const override { return std::strtoll(PQcmdTuples(result_.get()), nullptr, 10); }
  int64_t Number(int column) const override {
    const std::string_view bytes = View(column);
    int64_t number = bytes.empty() ? 0 : static_cast<signed char>(bytes[0]);
    for (size_t i = 1; i < bytes.size(); ++i) number = number * 256 + static_cast<unsigned char>(bytes[i]);
    return number;
  }
  std::string_view View(int column) const override {
    return {PQgetvalue(result_.get(), row_, column), static_cast<size_t>(PQgetlength(result_.get(), row_, column))};
  }
  void Reset() override {
    values_.clear();
    types_.clear();
    result_.reset();
  }
  /// It is not known to the server: an error came before it.
  void Forget() { name_.clear(); }

 private:
  void Keep(int index, Oid type, std::string_view bytes) {
    values_.resize(static_cast<size_t>(index));
    types_.resize(static_cast<size_t>(index));
    values_.back() = bytes;
    types_.back() = type;
  }
  // Puts the statement into the pipeline, prepared before it if it is new.
  void Put() {
    if (!connection_->failure().ok()) return;
    PGconn* const handle = connection_->handle_;
    const auto count = static_cast<int>(values_.size());
    if (name_.empty()) {
      if (!once_) {
        name_ = absl::StrCat("s", ++connection_->prepared_);
        connection_->preparing_.push_back(this);
      }
      if (!connection_->CheckSent(PQsendPrepare(handle, name_.c_str(), sql_.c_str(), count, types_.data()))) return;
    }
    std::vector<const char*> starts;
    std::vector<int> lengths;
    for (const std::string& value : values_) {
      starts.push_back(value.data());
      lengths.push_back(static_cast<int>(value.size()));
    }
    const std::vector<int> formats(values_.size(), kBinary);
    if (connection_->CheckSent(PQsendQueryPrepared(handle, name_.c_str(), count, starts.data(), lengths.data(),
                                                   formats.data(), kBinary))) {
      ++connection_->unanswered_;
    }
  }

  PostgresConnection* const connection_;
  const std::string sql_;
  const bool once_;
  std::string name_;  // at the server; empty: not prepared
  std::vector<std::string> values_;
  std::vector<Oid> types_;
  PostgresResult result_;
  int row_ = -1;
};

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(const std::string& conninfo) {
  GRADELINE_RETURN_IF_ERROR(CheckConninfo(conninfo));
  // What comes before dbname yields to the string, what comes after it does not.
  const char* const keys[] = {"connect_timeout", "tcp_user_timeout", "fallback_application_name",
                              "dbname",          "client_encoding",  nullptr};
  const char* const values[] = {"5", "10000", "gradelined", conninfo.c_str(), "UTF8", nullptr};
  PGconn* const handle = PQconnectdbParams(keys, values, /*expand_dbname=*/1);
  if (handle == nullptr) return absl::UnavailableError("PostgreSQL: no memory for a connection");
  std::unique_ptr<PostgresConnection> connection(new PostgresConnection(handle, NameOf(handle)));
  if (PQstatus(handle) != CONNECTION_OK) {
    return absl::UnavailableError(absl::StrCat(connection->name_, ": ", OneLine(PQerrorMessage(handle))));
  }
  PQenterPipelineMode(handle);
  // Every query goes by key. A plan that was kept while a table was small must not read it whole when it has grown.
  GRADELINE_RETURN_IF_ERROR(connection->Execute(
      "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET jit = off; "
      "SET client_min_messages = warning"));
  return connection;
}

PostgresConnection::PostgresConnection(PGconn* handle, std::string name) : handle_(handle), name_(std::move(name)) {
  // Notices would go to standard error, beside the log.
  PQsetNoticeProcessor(
      handle, [](void*, const char*) {}, nullptr);
}

PostgresConnection::~PostgresConnection() {
  statements_.clear();
  PQfinish(handle_);
}

absl::StatusOr<Statement*> PostgresConnection::FindStatement(const char* sql) {
  std::unique_ptr<Statement>& statement = statements_[sql];
  if (statement == nullptr) {
    statement = std::make_unique<PostgresStatement>(this, absl::StrReplaceAll(sql, {{"?", "$"}}), /*once=*/false);
  }
  return statement.get();
}

absl::StatusOr<std::unique_ptr<Statement>> PostgresConnection::MakeStatement(const std::string& sql) {
  return std::make_unique<PostgresStatement>(this, absl::StrReplaceAll(sql, {{"?", "$"}}), /*once=*/true);
}

bool PostgresConnection::CheckSent(int sent) {
  if (sent == 1) return true;
  lost_ = lost_ || PQstatus(handle_) != CONNECTION_OK;
  KeepFailure(absl::UnavailableError(absl::StrCat(name_, ": ", OneLine(PQerrorMessage(handle_)))));
  return false;
}

absl::StatusOr<PostgresResult> PostgresConnection::Sync() {
  PostgresResult last;
  const bool sent = !lost_ && CheckSent(PQpipelineSync(handle_));
  for (bool synced = !sent, ended = false; !synced;) {
    PostgresResult result(PQgetResult(handle_));
    if (result == nullptr) {
      // The end of one statement's answers; twice, or on a dead connection, that of all.
      if (ended || PQstatus(handle_) != CONNECTION_OK) break;
      ended = true;
      continue;
    }
    ended = false;
    switch (PQresultStatus(result.get())) {
      case PGRES_PIPELINE_SYNC:
        synced = true;
        break;
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
        last = std::move(result);
        break;
      default:  // PGRES_PIPELINE_ABORTED comes after the error that is the failure
        Fail(result.get());
    }
  }
  unanswered_ = 0;
  if (PQstatus(handle_) != CONNECTION_OK) {
    lost_ = true;
    KeepFailure(absl::UnavailableError(absl::StrCat(name_, ": ", OneLine(PQerrorMessage(handle_)))));
  }
  if (!failure().ok()) {
    for (PostgresStatement* statement : preparing_) statement->Forget();
  }
  preparing_.clear();
  if (!failure().ok()) return failure();
  if (last == nullptr) return absl::InternalError(absl::StrCat(name_, ": no answer"));
  return last;
}

absl::Status PostgresConnection::Execute(const std::string& sql) {
  // Several statements are not for a pipeline.
  if (unanswered_ > 0) GRADELINE_RETURN_IF_ERROR(Sync().status());
  if (lost_) return failure();
  PQexitPipelineMode(handle_);
  const PostgresResult result(PQexec(handle_, sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) Fail(result.get());
  PQenterPipelineMode(handle_);
  return failure();
}

void PostgresConnection::Fail(const PGresult* result) {
  const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* const said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const absl::string_view sqlstate = state == nullptr ? "" : state;
  // Details would show values of rows.
  absl::Status status(CodeOf(sqlstate),
                      absl::StrCat(name_, ": ", said != nullptr ? said : OneLine(PQerrorMessage(handle_)),
                                   sqlstate.empty() ? "" : absl::StrCat(" (SQLSTATE ", sqlstate, ")")));
  if (absl::IsResourceExhausted(status)) status = WithReason(std::move(status), "DISK_FULL");
  // What libpq itself says is about the connection, even where it believes in it still.
  const bool of_libpq = sqlstate.empty() && PQresultStatus(result) != PGRES_PIPELINE_ABORTED;
  lost_ = lost_ || of_libpq || PQstatus(handle_) != CONNECTION_OK || absl::StartsWith(sqlstate, "57P") ||
          absl::StartsWith(sqlstate, "08");
  KeepFailure(status);
}

void PostgresConnection::Rollback() {
  if (unanswered_ > 0) Sync().IgnoreError();
  if (!lost_ && PQtransactionStatus(handle_) != PQTRANS_IDLE) Execute("ROLLBACK").IgnoreError();
}

}  // namespace gradeline

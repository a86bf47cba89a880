// One connection to a database and its prepared statements, as the SQL of this room needs them. Values are bound, never
// pasted. Each kind of store implements Connection and Statement over its library.
#ifndef GRADELINE_SERVER_STORE_SQL_CONNECTION_H_
#define GRADELINE_SERVER_STORE_SQL_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gradeline {

/// Bytes for a column of bytes; std::string and std::string_view are text.
struct Blob {
  std::string_view bytes;
};

/// A prepared statement, for Query alone.
class Statement {
 public:
  virtual ~Statement() = default;
  virtual void BindNumber(int index, int64_t value) = 0;
  virtual void BindText(int index, std::string_view text) = 0;
  virtual void BindBytes(int index, std::string_view bytes) = 0;
  /// The next row; false: there is none.
  virtual absl::StatusOr<bool> Step() = 0;
  /// See Query::Send.
  virtual void Send() = 0;
  /// Rows written by the last Step that gave false.
  virtual int64_t changes() const = 0;
  virtual int64_t Number(int column) const = 0;
  virtual std::string_view View(int column) const = 0;
  virtual void Reset() = 0;
};

/// A use of a prepared statement: bind all, then Step until false. One use of a statement at a time.
class Query {
 public:
  Query(const Query&) = delete;
  Query(Query&& other) noexcept
      : own_(std::move(other.own_)),
        statement_(std::exchange(other.statement_, nullptr)),
        status_(std::move(other.status_)) {}
  ~Query() {
    if (statement_ != nullptr) statement_->Reset();
  }

  /// Binds the parameters ?1, ?2 ... in order.
  template <typename... T>
  Query& Bind(const T&... values) {
    return BindFrom(1, values...);
  }
  /// As Bind, but from ?`first` on; what lies before is bound already.
  template <typename... T>
  Query& BindFrom(int first, const T&... values) {
    if (statement_ != nullptr) (BindOne(first++, values), ...);
    return *this;
  }
  /// Binds the parameter of that number, from 1; one after the other.
  template <typename T>
  Query& BindAt(int index, const T& value) {
    if (statement_ != nullptr) BindOne(index, value);
    return *this;
  }
  /// True: there is a row. A failure of the store is remembered by the connection.
  absl::StatusOr<bool> Step() {
    if (!status_.ok()) return status_;
    return statement_->Step();
  }
  /// Runs a statement that gives no rows.
  absl::Status Run() { return Step().status(); }
  /// Runs an INSERT with ON CONFLICT DO NOTHING; false where a unique key is taken.
  absl::StatusOr<bool> Insert() {
    const absl::StatusOr<bool> stepped = Step();
    if (!stepped.ok()) return stepped.status();
    return statement_->changes() > 0;
  }
  /// Runs a statement that gives no rows and that must not fail, without waiting where the database is far: everything
  /// after it sees what it wrote; its failure is the connection's, at the latest when the next Step returns.
  void Send() {
    if (status_.ok()) statement_->Send();
  }

  int64_t Number(int column) const { return statement_->Number(column); }
  std::string Bytes(int column) const { return std::string(View(column)); }
  /// Until the next Step.
  std::string_view View(int column) const { return statement_->View(column); }

 private:
  friend class Connection;
  explicit Query(absl::StatusOr<Statement*> statement)
      : statement_(statement.ok() ? *statement : nullptr), status_(std::move(statement).status()) {}
  explicit Query(absl::StatusOr<std::unique_ptr<Statement>> statement) : status_(statement.status()) {
    if (statement.ok()) own_ = *std::move(statement);
    statement_ = own_.get();
  }
  template <typename T>
  void BindOne(int index, const T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      statement_->BindNumber(index, static_cast<int64_t>(value));
    } else if constexpr (std::is_same_v<T, Blob>) {
      statement_->BindBytes(index, value.bytes);
    } else {
      statement_->BindText(index, std::string_view(value));
    }
  }

  std::unique_ptr<Statement> own_;  // of a statement for one use
  Statement* statement_ = nullptr;
  absl::Status status_;
};

/// Used by one thread at a time.
class Connection {
 public:
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;

  /// Statements without parameters or rows; several may be given.
  virtual absl::Status Execute(const std::string& sql) = 0;
  /// `sql` is a literal: the prepared statement is kept under its address.
  Query Prepare(const char* sql) { return Query(FindStatement(sql)); }
  /// A statement for one use, made of parts that are literals.
  Query PrepareOnce(const std::string& sql) { return Query(MakeStatement(sql)); }
  /// The only number of the only row.
  absl::StatusOr<int64_t> QueryNumber(const char* sql);
  /// Ends a transaction if there is one.
  virtual void Rollback() = 0;
  /// Nothing can be done with it any more: another one is needed.
  virtual bool lost() const { return false; }

  /// The first failure of the store's own (full, I/O, locked, corrupt, gone) since it was last forgotten.
  const absl::Status& failure() const { return failure_; }
  void KeepFailure(const absl::Status& status) {
    if (failure_.ok()) failure_ = status;
  }
  void ForgetFailure() { failure_ = absl::OkStatus(); }

 protected:
  Connection() = default;
  virtual absl::StatusOr<Statement*> FindStatement(const char* sql) = 0;
  virtual absl::StatusOr<std::unique_ptr<Statement>> MakeStatement(const std::string& sql) = 0;

 private:
  absl::Status failure_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQL_CONNECTION_H_

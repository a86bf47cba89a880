// A connection to a PostgreSQL database; the only code that calls libpq. It is always in pipeline mode: what is sent
// without waiting goes out with the next statement that is waited for, in one round trip.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_CONNECTION_H_
#define GRADELINE_SERVER_STORE_POSTGRES_CONNECTION_H_

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/sql/connection.h"

namespace gradeline {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PostgresResult = std::unique_ptr<PGresult, ClearResult>;

class PostgresStatement;

/// Used by one thread at a time. Every error of PostgreSQL ends the transaction, so each is a failure:
/// RESOURCE_EXHAUSTED with reason DISK_FULL; UNAVAILABLE: gone, overloaded, or a conflict after which to try again;
/// ALREADY_EXISTS: a unique key; PERMISSION_DENIED; INTERNAL.
class PostgresConnection : public Connection {
 public:
  /// `conninfo`: a connection string of libpq. INVALID_ARGUMENT where it is none, UNAVAILABLE where nobody answers. No
  /// error says anything of a password.
  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Open(const std::string& conninfo);
  ~PostgresConnection() override;

  /// Database, host and port, for people.
  const std::string& name() const { return name_; }
  absl::Status Execute(const std::string& sql) override;
  void Rollback() override;
  bool lost() const override { return lost_; }

 protected:
  absl::StatusOr<Statement*> FindStatement(const char* sql) override;
  absl::StatusOr<std::unique_ptr<Statement>> MakeStatement(const std::string& sql) override;

 private:
  friend class PostgresStatement;
  PostgresConnection(PGconn* handle, std::string name);
  /// Waits for the answers to all that was sent; gives the last one's.
  absl::StatusOr<PostgresResult> Sync();
  /// Whether `sent`, what libpq said to a message of `statement`, is good; keeps the failure otherwise.
  bool CheckSent(int sent);
  void Fail(const PGresult* result);

  PGconn* const handle_;
  const std::string name_;
  bool lost_ = false;
  int unanswered_ = 0;                         // statements sent since the last Sync
  int prepared_ = 0;                           // statements so far, for their names
  std::vector<PostgresStatement*> preparing_;  // since the last Sync
  std::map<const char*, std::unique_ptr<Statement>> statements_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_CONNECTION_H_

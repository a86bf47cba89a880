// For tests: a place for a store over PostgreSQL, a schema on the server that a process's tests share.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_TESTING_TEST_PLACE_H_
#define GRADELINE_SERVER_STORE_POSTGRES_TESTING_TEST_PLACE_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/store/postgres/connection.h"
#include "server/store/postgres/postgres_store.h"
#include "server/store/postgres/testing/test_postgres.h"
#include "server/store/test_store.h"

namespace gradeline {

/// Several stores may be open in it at once.
class PostgresPlace : public TestStore {
 public:
  ~PostgresPlace() override { SharedPostgres().Ask(absl::StrCat("DROP SCHEMA ", schema_, " CASCADE")); }
  absl::StatusOr<std::shared_ptr<Store>> Open() override {
    return OpenPostgresStore({conninfo_, std::chrono::milliseconds(1'000)});
  }
  std::unique_ptr<TestStore> Copy() override {
    auto copy = std::make_unique<PostgresPlace>();
    SharedPostgres().Ask(
        absl::StrCat("DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = '",
                     schema_, "' LOOP EXECUTE format('CREATE TABLE ", copy->schema_, ".%I (LIKE ", schema_,
                     ".%I INCLUDING ALL)', t, t); ", "EXECUTE format('INSERT INTO ", copy->schema_,
                     ".%I OVERRIDING SYSTEM VALUE SELECT * FROM ", schema_, ".%I', t, t); END LOOP; END $$"));
    SharedPostgres().Ask(absl::StrCat("DELETE FROM ", copy->schema_, ".replicas"));
    return copy;
  }
  std::unique_ptr<Connection> Connect() override { return *PostgresConnection::Open(conninfo_); }

 private:
  static inline std::atomic<int> places_{0};
  const std::string schema_ = absl::StrCat("place_", ++places_);
  const std::string conninfo_ = SharedPostgres().Conninfo(schema_);
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_TESTING_TEST_PLACE_H_

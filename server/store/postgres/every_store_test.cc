// The tests of every store, over PostgreSQL.
#include <atomic>

#include "absl/strings/str_cat.h"
#include "server/store/postgres/connection.h"
#include "server/store/postgres/postgres_store.h"
#include "server/store/postgres/testing/test_postgres.h"
#include "server/store/test_store.h"

namespace gradeline {
namespace {

constexpr std::chrono::milliseconds kTakeover{1'000};

class PostgresPlace : public TestStore {
 public:
  absl::StatusOr<std::shared_ptr<Store>> Open() override { return OpenPostgresStore(conninfo_, kTakeover); }
  std::unique_ptr<TestStore> Copy() override {
    auto copy = std::make_unique<PostgresPlace>();
    SharedPostgres().Ask(
        absl::StrCat("DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = '",
                     schema_, "' LOOP EXECUTE format('CREATE TABLE ", copy->schema_, ".%I (LIKE ", schema_,
                     ".%I INCLUDING ALL)', t, t); ", "EXECUTE format('INSERT INTO ", copy->schema_,
                     ".%I OVERRIDING SYSTEM VALUE SELECT * FROM ", schema_, ".%I', t, t); END LOOP; END $$"));
    return copy;
  }
  std::unique_ptr<Connection> Connect() override { return *PostgresConnection::Open(conninfo_); }

 private:
  static inline std::atomic<int> places_{0};
  const std::string schema_ = absl::StrCat("place_", ++places_);
  const std::string conninfo_ = SharedPostgres().Conninfo(schema_);
};

}  // namespace

std::unique_ptr<TestStore> MakeTestStore() { return std::make_unique<PostgresPlace>(); }

}  // namespace gradeline

// The tests of every store, over PostgreSQL.
#include <atomic>

#include "absl/strings/str_cat.h"
#include "server/store/postgres/postgres_store.h"
#include "server/store/postgres/testing/test_postgres.h"
#include "server/store/test_store.h"

namespace gradeline {
namespace {

constexpr std::chrono::milliseconds kTakeover{1'000};

class PostgresPlace : public TestStore {
 public:
  absl::StatusOr<std::shared_ptr<Store>> Open() override { return OpenPostgresStore(conninfo_, kTakeover); }

 private:
  static inline std::atomic<int> places_{0};
  const std::string conninfo_ = SharedPostgres().Conninfo(absl::StrCat("place_", ++places_));
};

}  // namespace

std::unique_ptr<TestStore> MakeTestStore() { return std::make_unique<PostgresPlace>(); }

}  // namespace gradeline

// The tests of every store, over PostgreSQL.
#include "server/store/postgres/testing/test_place.h"
#include "server/store/test_store.h"

namespace gradeline {

std::unique_ptr<TestStore> MakeTestStore() { return std::make_unique<PostgresPlace>(); }

}  // namespace gradeline

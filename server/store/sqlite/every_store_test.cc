// The tests of every store, over SQLite.
#include "server/store/sqlite/test_sqlite.h"

namespace gradeline {

std::unique_ptr<TestStore> MakeTestStore() { return std::make_unique<TestSqlite>(); }

}  // namespace gradeline

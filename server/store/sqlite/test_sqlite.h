// For tests: a place for an SQLite store.
#ifndef GRADELINE_SERVER_STORE_SQLITE_TEST_SQLITE_H_
#define GRADELINE_SERVER_STORE_SQLITE_TEST_SQLITE_H_

#include "server/store/sqlite/connection.h"
#include "server/store/sqlite/sqlite_store.h"
#include "server/store/test_folder.h"
#include "server/store/test_world.h"

namespace gradeline {

class TestSqlite : public TestStore {
 public:
  TestSqlite() { options.path = folder_.File("g.db"); }
  absl::StatusOr<std::shared_ptr<Store>> Open() override { return OpenSqliteStore(options); }
  std::unique_ptr<TestStore> Copy() override {
    auto copy = std::make_unique<TestSqlite>();
    const absl::Status done = Connect()->Execute(absl::StrCat("VACUUM INTO '", copy->options.path, "'"));
    EXPECT_TRUE(done.ok()) << done;
    return copy;
  }
  std::unique_ptr<Connection> Connect() override { return *SqliteConnection::Open(options.path, true); }

  SqliteOptions options;  ///< for the next Open

 private:
  TestFolder folder_;
};

/// Where the store of a world is.
inline SqliteOptions& SqliteOf(TestWorld& world) { return static_cast<TestSqlite&>(*world.place()).options; }

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQLITE_TEST_SQLITE_H_

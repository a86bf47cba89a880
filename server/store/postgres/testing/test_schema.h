// For tests of what a store over PostgreSQL does: a schema of their own on the server that a process's tests share.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_TESTING_TEST_SCHEMA_H_
#define GRADELINE_SERVER_STORE_POSTGRES_TESTING_TEST_SCHEMA_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/store/postgres/postgres_store.h"
#include "server/store/postgres/testing/test_postgres.h"

namespace gradeline {

/// A schema that no other test uses.
inline std::string NewSchema() {
  static int count = 0;
  return absl::StrCat("own_", ++count);
}

class SchemaTest : public testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kTakeover{1'000};

  std::shared_ptr<Store> Open() {
    auto store = OpenPostgresStore({conninfo_, kTakeover});
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  absl::Status Refusal() { return RefusalOf(conninfo_); }
  static absl::Status RefusalOf(const std::string& conninfo) {
    return OpenPostgresStore({conninfo, kTakeover}).status();
  }
  std::string Ask(const std::string& sql) {
    return SharedPostgres().Ask(absl::StrCat("SET search_path = ", schema_, "; ", sql));
  }
  // Ends the sessions of this test's stores, as a broken network or an administrator would.
  void EndSessions() {
    const std::string theirs =
        " FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    const std::string before = Ask("SELECT coalesce(max(backend_start), now())::text" + theirs);
    Ask("SELECT count(pg_terminate_backend(pid))" + theirs);
    EXPECT_TRUE(Eventually(
        [&] { return Ask(absl::StrCat("SELECT count(*)", theirs, " AND backend_start <= '", before, "'")) == "0"; }));
  }

  const std::string schema_ = NewSchema();
  const std::string conninfo_ = SharedPostgres().Conninfo(schema_);
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_TESTING_TEST_SCHEMA_H_

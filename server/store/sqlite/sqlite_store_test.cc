#include "server/store/sqlite/sqlite_store.h"

#include <sys/stat.h>

#include <fstream>

#include "gmock/gmock.h"
#include "server/store/sqlite/connection.h"
#include "server/store/sqlite/migrate.h"
#include "server/store/test_folder.h"

namespace gradeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

SqliteOptions At(std::string path) {
  SqliteOptions options;
  options.path = std::move(path);
  return options;
}

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

TEST(SqliteStore, TheFileIsItsOwnersAlone) {
  TestFolder folder;
  const auto store = OpenSqliteStore(At(folder.File("g.db")));
  ASSERT_TRUE(store.ok()) << store.status();
  {
    auto transaction = (*store)->Begin();
    ASSERT_TRUE((*transaction)->InsertExperiment({}).ok());
    ASSERT_TRUE((*transaction)->Commit().ok());
  }
  for (const char* name : {"g.db", "g.db-wal", "g.db.lock"}) {
    struct stat info {};
    ASSERT_EQ(stat(folder.File(name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
}

TEST(SqliteStore, ASecondProcessIsRefusedUntilTheFirstIsGone) {
  TestFolder folder;
  auto first = OpenSqliteStore(At(folder.File("g.db")));
  ASSERT_TRUE(first.ok());
  const absl::Status second = OpenSqliteStore(At(folder.File("g.db"))).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(second), AllOf(HasSubstr("another gradelined"), HasSubstr(std::to_string(getpid()))));
  first->reset();
  EXPECT_TRUE(OpenSqliteStore(At(folder.File("g.db"))).ok());
}

TEST(SqliteStore, ANewerSchemaIsRefusedWithBothNumbers) {
  TestFolder folder;
  ASSERT_TRUE(OpenSqliteStore(At(folder.File("g.db"))).ok());
  {
    auto connection = SqliteConnection::Open(folder.File("g.db"), true);
    ASSERT_TRUE((*connection)->Execute("PRAGMA user_version = 4711").ok());
  }
  const absl::Status status = OpenSqliteStore(At(folder.File("g.db"))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), AllOf(HasSubstr("4711"), HasSubstr(std::to_string(SqliteMigrations().back().number))));
}

TEST(SqliteStore, SomebodyElsesFileIsRefusedAndNotTouched) {
  TestFolder folder;
  {
    auto connection = SqliteConnection::Open(folder.File("g.db"), true);
    ASSERT_TRUE((*connection)->Execute("CREATE TABLE theirs(x)").ok());
  }
  const absl::Status status = OpenSqliteStore(At(folder.File("g.db"))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("another program"));
  auto connection = SqliteConnection::Open(folder.File("g.db"), true);
  EXPECT_EQ(*(*connection)->QueryNumber("SELECT count(*) FROM sqlite_schema"), 1);
  EXPECT_EQ(*(*connection)->QueryNumber("PRAGMA application_id"), 0);
}

TEST(SqliteStore, WhatIsNoDatabaseOrCannotBeWrittenIsSaidClearly) {
  TestFolder folder;
  std::ofstream(folder.File("text.db")) << std::string(4096, 'x');
  absl::Status status = OpenSqliteStore(At(folder.File("text.db"))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), AllOf(HasSubstr("text.db"), HasSubstr("not a database")));
  status = OpenSqliteStore(At(folder.File("nowhere/g.db"))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(status), AllOf(HasSubstr("nowhere"), HasSubstr("does not exist")));
  std::filesystem::create_directory(folder.File("folder.db"));
  status = OpenSqliteStore(At(folder.File("folder.db"))).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(MessageOf(status), AllOf(HasSubstr("folder.db"), HasSubstr("cannot be written")));
}

TEST(SqliteStore, ReadersCannotWriteAndNobodyCheckpointsByHimself) {
  TestFolder folder;
  const auto store = OpenSqliteStore(At(folder.File("g.db")));
  ASSERT_TRUE(store.ok());
  auto reader = SqliteConnection::Open(folder.File("g.db"), false);
  ASSERT_TRUE(reader.ok());
  EXPECT_FALSE((*reader)->Execute("DELETE FROM experiments").ok());
  EXPECT_EQ(*(*reader)->QueryNumber("PRAGMA wal_autocheckpoint"), 0);
  EXPECT_EQ(*(*reader)->QueryNumber("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
}

TEST(SqliteStore, TheLogIsMovedIntoTheFileWhenNothingWaits) {
  TestFolder folder;
  const auto store = OpenSqliteStore(At(folder.File("g.db")));
  ASSERT_TRUE(store.ok());
  const auto size = [&] { return std::filesystem::file_size(folder.File("g.db")); };
  const auto write = [&](const char* id) {
    auto transaction = (*store)->Begin();
    Dataset dataset;
    dataset.id = id;
    std::vector<Item> items;
    for (int i = 0; i < 60'000; ++i) items.push_back({i, std::string(80, 'x'), 0});
    ASSERT_TRUE((*transaction)->InsertDataset(dataset, items).ok());
    ASSERT_TRUE((*transaction)->Commit().ok());
  };
  write("a");
  const auto before = size();
  ASSERT_TRUE((*store)->Maintain(false).ok());
  EXPECT_EQ(size(), before) << "writers that wait come first";
  ASSERT_TRUE((*store)->Maintain(true).ok());
  EXPECT_GT(size(), before + 4'000'000);
  const auto log = std::filesystem::file_size(folder.File("g.db-wal"));
  write("b");
  EXPECT_LT(std::filesystem::file_size(folder.File("g.db-wal")), log * 3 / 2) << "the log begins anew";
}

TEST(SqliteStore, AFullDatabaseLosesTheTransactionAndNothingElse) {
  TestFolder folder;
  SqliteOptions options = At(folder.File("g.db"));
  options.max_pages = 64;
  const auto store = OpenSqliteStore(options);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto write = [&](const char* id, int count) -> absl::Status {
    auto transaction = (*store)->Begin();
    if (!transaction.ok()) return transaction.status();
    Dataset dataset;
    dataset.id = id;
    std::vector<Item> items;
    for (int i = 0; i < count; ++i) items.push_back({i, std::string(80, 'x'), 0});
    const absl::Status nested = (*transaction)->Nested([&] { return (*transaction)->InsertDataset(dataset, items); });
    EXPECT_EQ(nested.ok(), (*transaction)->failure().ok());
    return (*transaction)->Commit();
  };
  EXPECT_TRUE(write("small", 10).ok());
  const absl::Status full = write("large", 20'000);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_TRUE((*store)->Check().ok()) << "a full disk is not a lost one";
  EXPECT_TRUE((*store)->GetDataset("small").ok());
  EXPECT_FALSE((*store)->GetDataset("large").ok());
  EXPECT_TRUE(write("another", 10).ok());
}

TEST(Migrate, AppliesEachOnceAndUndoesWhatFails) {
  TestFolder folder;
  auto connection = SqliteConnection::Open(folder.File("g.db"), true);
  ASSERT_TRUE(connection.ok());
  std::vector<Migration> migrations = {{1, "0001_a", "CREATE TABLE a(x)"}};
  ASSERT_TRUE(Migrate(**connection, migrations).ok());
  ASSERT_TRUE(Migrate(**connection, migrations).ok());
  migrations.push_back({2, "0002_b", "CREATE TABLE b(x); CREATE TABLE a(x)"});
  const absl::Status status = Migrate(**connection, migrations);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(MessageOf(status), HasSubstr("0002_b"));
  EXPECT_EQ(*(*connection)->QueryNumber("PRAGMA user_version"), 1);
  EXPECT_EQ(*(*connection)->QueryNumber("SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), 0);
  migrations[1].sql = "CREATE TABLE b(x)";
  EXPECT_TRUE(Migrate(**connection, migrations).ok());
  EXPECT_EQ(*(*connection)->QueryNumber("PRAGMA user_version"), 2);
}

TEST(Migrate, NumbersHaveNoGap) {
  int number = 0;
  for (const Migration& migration : SqliteMigrations()) EXPECT_EQ(migration.number, ++number) << migration.name;
}

}  // namespace
}  // namespace gradeline

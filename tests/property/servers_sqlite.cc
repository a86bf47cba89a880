// Servers over SQLite: one after another. A crash is what the disk held at some moment: a copy of the files.
#include <sqlite3.h>

#include <fstream>

#include "server/store/sqlite/test_sqlite.h"
#include "tests/campaign.h"
#include "tests/property/servers.h"

namespace gradeline {
namespace {

// Runs once in the moment before the next commit of any database of this process, on the thread that commits.
std::function<void()> before_commit;
absl::Mutex before_commit_mutex;

int OnCommit(void*) {
  std::function<void()> run;
  {
    absl::MutexLock lock(&before_commit_mutex);
    run = std::exchange(before_commit, nullptr);
  }
  if (run) run();
  return 0;
}

int HookConnection(sqlite3* connection, const char**, const void*) {
  sqlite3_commit_hook(connection, OnCommit, nullptr);
  return SQLITE_OK;
}

class SqliteServers : public Servers {
 public:
  TestWorld& now() override { return *world_; }
  void Stop() override { Begin(nullptr); }

  std::vector<int64_t> Crash(const Acknowledged& acknowledged) override {
    auto next = MakeNext();
    std::vector<int64_t> told = Copy(acknowledged, *next);
    Begin(std::move(next));
    return told;
  }

  // In the moment before a commit: whoever was told of it already was told too early.
  std::vector<int64_t> CrashAtWork(const Acknowledged& acknowledged, const std::function<void()>& work) override {
    auto next = MakeNext();
    std::vector<int64_t> told;
    {
      absl::MutexLock lock(&before_commit_mutex);
      before_commit = [&] { told = Copy(acknowledged, *next); };
    }
    work();
    world_->Settle();
    Begin(std::move(next));
    return told;
  }

  void TryElsewhere(const JoinRequest&) override {}
  Experiments& lookout() override { return *world_->experiments; }

 private:
  static std::unique_ptr<TestWorld> MakeNext() {
    auto next = std::make_unique<TestWorld>();
    next->experiments.reset();
    next->store.reset();
    return next;
  }
  // What each rank was told, then what the disk holds, in this order.
  std::vector<int64_t> Copy(const Acknowledged& acknowledged, TestWorld& next) {
    std::vector<int64_t> told = acknowledged();
    for (const char* suffix : {"", "-wal"}) {
      std::ifstream from(SqliteOf(*world_).path + suffix, std::ios::binary);
      std::ofstream(SqliteOf(next).path + suffix, std::ios::binary) << from.rdbuf();
    }
    return told;
  }
  // nullptr: in the same place.
  void Begin(std::unique_ptr<TestWorld> next) {
    if (next != nullptr) world_ = std::move(next);
    world_->Restart();
    world_->Settle();
  }

  std::unique_ptr<TestWorld> world_ = std::make_unique<TestWorld>();
};

}  // namespace

std::unique_ptr<TestStore> MakeTestStore() { return std::make_unique<TestSqlite>(); }

std::unique_ptr<Servers> MakeServers() {
  // Commits on a disk in memory are as atomic and need no spindle; killing processes on the real one is another test.
  static const bool prepared = [] {
    UseDiskInMemory();
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(HookConnection));
    return true;
  }();
  static_cast<void>(prepared);
  return std::make_unique<SqliteServers>();
}

}  // namespace gradeline

// Durable records per second: eight ranks that report as fast as they may, through sessions, ledger and store, next to
// a bare loop of one prepared INSERT of the same rows in groups of the same size, in turns within one run. Prints the
// table of docs/benchmarks.md. Computes no loss and uses no network: what is measured is what every record pays.
#include <sqlite3.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "server/store/sqlite/test_sqlite.h"
#include "tests/bench/intervals.h"

namespace gradeline::bench {
namespace {

constexpr int kRanks = 8, kRounds = 11, kGroup = 256;
constexpr int64_t kRecords = 20'000;  // of each rank

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// As a worker: waits while as much is uncommitted as the protocol allows.
void ReportAll(RankSession& session, TestListener& listener) {
  const int64_t most = session.welcome().max_uncommitted;
  for (int64_t seq = 1; seq <= kRecords; ++seq) {
    if (seq > most) listener.AwaitCommitted(seq - most);
    if (!session.Begin(seq).ok()) std::abort();
    const Record record = TestRecord(seq, {Phase::kTrain, 0, seq, 0, 0}, 1.5);
    if (!session.CheckRecord(record).ok()) std::abort();
    session.Report(record, nullptr);
  }
  listener.AwaitCommitted(kRecords);
}

double SecondsOfLedger() {
  TestWorld world;
  world.Start(kRanks, 1);
  std::vector<std::shared_ptr<TestListener>> listeners;
  std::vector<std::shared_ptr<RankSession>> sessions;
  for (int rank = 0; rank < kRanks; ++rank) {
    listeners.push_back(std::make_shared<TestListener>());
    sessions.push_back(*world.Join(rank, listeners.back(), static_cast<char>('a' + rank)));
  }
  const double start = Now();
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < kRanks; ++rank) {
    ranks.emplace_back([&, rank] { ReportAll(*sessions[rank], *listeners[rank]); });
  }
  for (std::thread& rank : ranks) rank.join();
  return Now() - start;
}

void Check(sqlite3* database, int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE) return;
  std::fprintf(stderr, "%s\n", sqlite3_errmsg(database));
  std::abort();
}

void Insert(sqlite3* database, sqlite3_stmt* insert, int rank, int64_t seq) {
  const double values[4] = {15, 10, 15, 10}, metrics[2] = {1, 10};
  const char digest[16] = {};
  const int64_t numbers[] = {1, 1, 1, 0, seq, rank, 0, 0, seq};
  for (int i = 0; i < 9; ++i) sqlite3_bind_int64(insert, i + 1, numbers[i]);
  sqlite3_bind_blob(insert, 10, digest, sizeof(digest), SQLITE_STATIC);
  sqlite3_bind_int64(insert, 11, 0);
  sqlite3_bind_int64(insert, 12, 10);
  sqlite3_bind_blob(insert, 13, values, sizeof(values), SQLITE_STATIC);
  sqlite3_bind_blob(insert, 14, metrics, sizeof(metrics), SQLITE_STATIC);
  Check(database, sqlite3_step(insert));
  sqlite3_reset(insert);
}

double SecondsOfLoop() {
  TestFolder folder;
  const std::string path = folder.File("g.db");
  if (!OpenSqliteStore({path}).ok()) std::abort();  // makes the same tables
  sqlite3* database = nullptr;
  Check(database, sqlite3_open(path.c_str(), &database));
  Check(database,
        sqlite3_exec(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", nullptr, nullptr, nullptr));
  sqlite3_stmt* insert = nullptr;
  Check(database, sqlite3_prepare_v2(database,
                                     "INSERT INTO records(experiment, attempt, phase, epoch, step, rank, head, part, "
                                     "seq, digest, code, items, vals, metrics) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                                     -1, &insert, nullptr));
  const double start = Now();
  int in_group = 0;
  for (int64_t seq = 1; seq <= kRecords; ++seq) {
    for (int rank = 0; rank < kRanks; ++rank) {
      if (in_group == 0) Check(database, sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
      Insert(database, insert, rank, seq);
      in_group = (in_group + 1) % kGroup;
      if (in_group == 0) Check(database, sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr));
    }
  }
  if (in_group != 0) Check(database, sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr));
  const double seconds = Now() - start;
  sqlite3_finalize(insert);
  sqlite3_close(database);
  return seconds;
}

void Run() {
  std::vector<double> ledger, loop, ratios;
  for (int round = 0; round < kRounds; ++round) {
    const bool loop_first = round % 2 == 0;
    if (loop_first) loop.push_back(kRanks * kRecords / SecondsOfLoop());
    ledger.push_back(kRanks * kRecords / SecondsOfLedger());
    if (!loop_first) loop.push_back(kRanks * kRecords / SecondsOfLoop());
    ratios.push_back(ledger.back() / loop.back());
  }
  const auto row = [](const char* what, const std::vector<double>& rates) {
    const Interval interval = MedianInterval(rates);
    std::printf("| %s | %.0f [%.0f, %.0f] |\n", what, interval.median, interval.low, interval.high);
  };
  std::printf("| what | records per second: median [95 %%] |\n|---|---|\n");
  row("bare loop", loop);
  row("Gradeline, 8 ranks", ledger);
  const Interval ratio = MedianInterval(ratios);
  std::printf("| **ratio** | **%.2f** [%.2f, %.2f] |\n", ratio.median, ratio.low, ratio.high);
}

}  // namespace
}  // namespace gradeline::bench

std::unique_ptr<gradeline::TestStore> gradeline::MakeTestStore() { return std::make_unique<TestSqlite>(); }

int main() { gradeline::bench::Run(); }

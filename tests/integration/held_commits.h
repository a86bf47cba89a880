// A server that computes and does not commit: what is answered meanwhile did not wait for the disk.
#ifndef GRADELINE_TESTS_INTEGRATION_HELD_COMMITS_H_
#define GRADELINE_TESTS_INTEGRATION_HELD_COMMITS_H_

#include <sqlite3.h>

#include <string>

#include "gtest/gtest.h"

namespace gradeline {

/// Keeps the server from committing while it lives, for less than the server's patience.
class HeldCommits {
 public:
  explicit HeldCommits(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &database_), SQLITE_OK);
    sqlite3_busy_timeout(database_, 5000);
    EXPECT_EQ(sqlite3_exec(database_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~HeldCommits() {
    sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(database_);
  }
  HeldCommits(const HeldCommits&) = delete;

 private:
  sqlite3* database_ = nullptr;
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_INTEGRATION_HELD_COMMITS_H_

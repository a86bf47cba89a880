// For tests: a PostgreSQL server of their own, in a folder that goes away with them, on a Unix socket alone.
#ifndef GRADELINE_SERVER_STORE_POSTGRES_TESTING_TEST_POSTGRES_H_
#define GRADELINE_SERVER_STORE_POSTGRES_TESTING_TEST_POSTGRES_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/store/test_folder.h"

namespace gradeline {

/// Waits until `condition` holds; false after `most`.
template <typename F>
bool Eventually(F condition, absl::Duration most = absl::Seconds(10)) {
  for (const absl::Time end = absl::Now() + most; absl::Now() < end;) {
    if (condition()) return true;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return false;
}

class TestPostgres {
 public:
  /// Makes the database files and starts the server. Run by root, it becomes another user, as PostgreSQL demands.
  TestPostgres();
  ~TestPostgres();
  TestPostgres(const TestPostgres&) = delete;

  /// Starts it with `settings` ("fsync=off") and waits until it answers.
  void Start(const std::vector<std::string>& settings = {});
  /// Ends it as a crash would, and waits for the end.
  void Crash();
  /// Of its socket.
  std::string folder() const { return folder_.File(""); }
  /// For the schema `schema`, which is made if it is not there.
  std::string Conninfo(const std::string& schema = "public");
  /// Runs a statement; gives the first value of the first row.
  std::string Ask(const std::string& sql);

 private:
  void Run(const std::vector<std::string>& words);
  pid_t Spawn(const std::vector<std::string>& words);

  const TestFolder folder_;
  std::string programs_;
  pid_t server_ = -1;
};

/// The one that this process's tests share.
TestPostgres& SharedPostgres();

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_POSTGRES_TESTING_TEST_POSTGRES_H_

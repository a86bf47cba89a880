// A process is killed in every operation of a run, and another one goes on where it was. What it wrote is all there, up
// to that operation; what is asked is whether every such moment can be gone on from. GRADELINE_STRIDE, GRADELINE_SEED
// and GRADELINE_LARGE choose other operations and another run.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/core/base/status.h"
#include "tests/campaign.h"
#include "tests/crash/crash_disk.h"
#include "tests/crash/history.h"

namespace gradeline {
namespace {

/// A pipe of promises: what a process has told lives on after it.
class Line {
 public:
  Line() {
    if (pipe(ends_.data()) != 0) abort();
  }
  ~Line() {
    for (const int end : ends_) close(end);
  }
  Line(const Line&) = delete;

  /// Any thread.
  void Say(const Promise& promise) {
    std::string words(sizeof(Head), '\0');
    const Head head{promise.kind, promise.rank, promise.seq, promise.bytes.size()};
    words.replace(0, sizeof(head), reinterpret_cast<const char*>(&head), sizeof(head));
    words += promise.bytes;
    // At once, so that it is there whole or not at all: promises are shorter than PIPE_BUF.
    if (write(ends_[1], words.data(), words.size()) != static_cast<ssize_t>(words.size())) abort();
  }
  /// Until the other process has ended.
  Promises HearAll() {
    close(std::exchange(ends_[1], -1));
    Promises promises;
    Head head{};
    while (read(ends_[0], &head, sizeof(head)) == static_cast<ssize_t>(sizeof(head))) {
      Promise promise{head.kind, head.rank, head.seq, std::string(head.size, '\0')};
      if (head.size > 0 && read(ends_[0], promise.bytes.data(), head.size) != static_cast<ssize_t>(head.size)) abort();
      promises.Add(promise);
    }
    return promises;
  }

 private:
  struct Head {
    Promise::Kind kind;
    int32_t rank;
    int64_t seq;
    size_t size;
  };
  std::array<int, 2> ends_{};
};

/// Runs the history in a process that is killed in `operation`. False: it came to its end before.
bool RunKilled(const History& history, const std::string& folder, int64_t operation, bool half, Promises* promises) {
  Line line;
  const pid_t child = fork();
  if (child == 0) {
    CrashDisk disk(folder);
    disk.KillAt(operation, half);
    const absl::Status status =
        history.Run(absl::StrCat(folder, "/g.db"), [&line](const Promise& promise) { line.Say(promise); });
    if (!status.ok()) std::cerr << status << std::endl;
    _exit(status.ok() ? 0 : 1);
  }
  *promises = line.HearAll();
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "the run failed before it was killed";
  return WIFSIGNALED(status);
}

absl::Status GoOn(const History& history, const std::string& path, const Promises& promises) {
  {
    GRADELINE_ASSIGN_OR_RETURN(const auto server, Server::Open(path));
    GRADELINE_RETURN_IF_ERROR(history.Check(*server, promises));
    for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
      GRADELINE_RETURN_IF_ERROR(history.Tell(*server, epoch, [](const Promise&) {}));
    }
  }
  GRADELINE_ASSIGN_OR_RETURN(const auto server, Server::Open(path));
  return history.CheckEnd(*server);
}

TEST(AKilledProcess, CanBeGoneOnFromAtEveryOperation) {
  UseDiskInMemory();
  const History history(static_cast<uint64_t>(FromEnvironment("GRADELINE_SEED", 1)),
                        FromEnvironment("GRADELINE_LARGE", 0) != 0);
  const int64_t stride = FromEnvironment("GRADELINE_STRIDE", 3);
  int64_t killed = 0;
  // Two moments of every operation: before it, and when half of it is done.
  for (int64_t moment = 0; !HasFailure(); moment += stride) {
    const int64_t operation = 1 + moment / 2;
    const TestFolder folder;
    Promises promises;
    if (!RunKilled(history, folder.File("."), operation, moment % 2 == 1, &promises)) break;
    ++killed;
    const absl::Status status = GoOn(history, folder.File("g.db"), promises);
    EXPECT_TRUE(status.ok()) << "operation " << operation << (moment % 2 == 1 ? ", half of it: " : ": ") << status;
  }
  EXPECT_GT(killed * stride, 200) << "the run is shorter than it should be";
  std::cout << "killed " << killed << " times, at one moment of " << stride << std::endl;
}

}  // namespace
}  // namespace gradeline

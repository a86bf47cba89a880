// The power goes at a random operation; what may be left of the disk is opened, and the clients go on; and again, until
// the run has ended. GRADELINE_SEED and GRADELINE_STATES choose others.
#include <sqlite3.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <random>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "server/core/base/status.h"
#include "tests/campaign.h"
#include "tests/crash/crash_disk.h"
#include "tests/crash/history.h"

namespace gradeline {
namespace {

/// Connections that are opened while it lives sync as it says, whatever the store asks for.
class Synchronous {
 public:
  explicit Synchronous(const char* mode) {
    mode_ = mode;
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(Weaken));
  }
  ~Synchronous() { sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(Weaken)); }
  Synchronous(const Synchronous&) = delete;

 private:
  static int Weaken(sqlite3* connection, const char**, const void*) {
    sqlite3_exec(connection, absl::StrCat("PRAGMA synchronous = ", mode_).c_str(), nullptr, nullptr, nullptr);
    return sqlite3_set_authorizer(connection, Ignore, nullptr);
  }
  static int Ignore(void*, int action, const char* name, const char* value, const char*, const char*) {
    const bool sets = action == SQLITE_PRAGMA && value != nullptr && std::string(name) == "synchronous";
    return sets ? SQLITE_IGNORE : SQLITE_OK;
  }
  static inline const char* mode_ = nullptr;
};

class PowerCuts {
 public:
  PowerCuts(uint64_t seed, bool large) : random_(seed), history_(seed, large) {
    const TestFolder folder;
    const CrashDisk disk(folder.File(""));
    EXPECT_TRUE(history_.Run(folder.File("g.db"), [](const Promise&) {}).ok());
    operations_ = static_cast<uint64_t>(disk.operations());
  }

  /// One run with as many cuts as it takes. Not OK: what is wrong with the last state.
  absl::Status Run() {
    absl::Mutex mutex;
    Promises promises;
    const Witness witness = [&](const Promise& promise) {
      const absl::MutexLock lock(&mutex);
      promises.Add(promise);
    };
    auto folder = std::make_unique<TestFolder>();
    while (true) {
      CrashDisk disk(folder->File(""));
      disk.CutAt(1 + static_cast<int64_t>(random_() % operations_));
      const absl::Status status = history_.Run(folder->File("g.db"), witness);
      if (!disk.cut()) {
        disk.CutAt(CrashDisk::kNever);
        GRADELINE_RETURN_IF_ERROR(status);
        GRADELINE_ASSIGN_OR_RETURN(const auto server, Server::Open(folder->File("g.db")));
        return history_.CheckEnd(*server);
      }
      // Whatever the clients met after the cut, nothing can have been promised then.
      auto left = std::make_unique<TestFolder>();
      disk.Survive(random_, left->File(""));
      ++states_;
      GRADELINE_RETURN_IF_ERROR(Look(*left, promises));
      folder = std::move(left);
    }
  }
  int64_t states() const { return states_; }

 private:
  // At a copy, so that the next process finds what the cut left, and may be cut while it recovers.
  absl::Status Look(const TestFolder& left, const Promises& promises) const {
    const TestFolder copy;
    std::filesystem::copy(left.File(""), copy.File(""));
    GRADELINE_ASSIGN_OR_RETURN(const auto server, Server::Open(copy.File("g.db")));
    return history_.Check(*server, promises);
  }

  std::mt19937_64 random_;
  const History history_;
  uint64_t operations_ = 0;
  int64_t states_ = 0;
};

uint64_t Seed() { return static_cast<uint64_t>(FromEnvironment("GRADELINE_SEED", 1)); }

TEST(APowerCut, LosesNothingThatWasPromised) {
  UseDiskInMemory();
  const int64_t wanted = FromEnvironment("GRADELINE_STATES", 120);
  int64_t states = 0, runs = 0;
  for (uint64_t seed = Seed(); states < wanted && !HasFailure(); ++seed, ++runs) {
    // Every fourth with a log that is checkpointed and begun anew while clients are at work.
    PowerCuts cuts(seed, seed % 4 == 0);
    const absl::Status status = cuts.Run();
    EXPECT_TRUE(status.ok()) << "GRADELINE_SEED=" << seed << " GRADELINE_STATES=1: " << status;
    states += cuts.states();
  }
  std::cout << "seed " << Seed() << ", " << runs << " runs, " << states << " states" << std::endl;
}

// Whether the disk is sharp: the same runs with less syncing.
struct Losses {
  int runs = 0, promises = 0, files = 0;
};

Losses LossesWith(const char* mode) {
  UseDiskInMemory();
  const Synchronous synchronous(mode);
  Losses losses;
  for (uint64_t seed = Seed(); losses.runs < 20; ++seed, ++losses.runs) {
    const absl::Status status = PowerCuts(seed, seed % 4 == 0).Run();
    if (status.ok()) continue;
    ++(History::IsBrokenPromise(status) ? losses.promises : losses.files);
    std::cout << mode << ", seed " << seed << ": " << status << std::endl;
  }
  return losses;
}

TEST(APowerCut, LosesWhatWasPromisedWithSynchronousNormalButLeavesTheFileSound) {
  const Losses losses = LossesWith("NORMAL");
  EXPECT_GT(losses.promises, losses.runs / 4);
  EXPECT_EQ(losses.files, 0);
}

TEST(APowerCut, BreaksTheFileWithSynchronousOff) { EXPECT_GT(LossesWith("OFF").files, 0); }

}  // namespace
}  // namespace gradeline

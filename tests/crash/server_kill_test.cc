// The real thing: gradelined is killed at random moments while eight workers train, and started again on the same
// database and port, until the run has ended; and another run, until it was killed often enough. GRADELINE_SEED and
// GRADELINE_KILLS choose others.
#include <iostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/campaign.h"
#include "tests/cli/server_process.h"
#include "tests/crash/training_run.h"

namespace gradeline {
namespace {

TEST(AKilledServer, LosesNothingAndRunsEndAsIfItHadLived) {
  const int64_t wanted = FromEnvironment("GRADELINE_KILLS", 20), seed = FromEnvironment("GRADELINE_SEED", 1);
  std::cout << "GRADELINE_SEED=" << seed << " GRADELINE_KILLS=" << wanted << std::endl;
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  testing::ServerProcess server;
  const std::vector<std::string> expected = TrainingRun(server.address(), "uninterrupted").Seals();
  int64_t kills = 0, runs = 0;
  for (; kills < wanted && !HasFailure(); ++runs) {
    SCOPED_TRACE(absl::StrCat("run ", runs, ", after ", kills, " kills"));
    TrainingRun training(server.address(), absl::StrCat("run", runs));
    // A run has 1,200 messages: some thirty kills.
    for (; kills < wanted; ++kills) {
      if (!training.AwaitMessages(training.messages() + 1 + static_cast<int64_t>(random() % 80))) break;
      server.Kill();
      server.StartAgain();
    }
    EXPECT_EQ(training.Seals(), expected);
  }
  std::cout << kills << " kills in " << runs << " runs" << std::endl;
}

}  // namespace
}  // namespace gradeline

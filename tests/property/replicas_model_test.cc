// Explores the model of replicas: by its rules nothing goes wrong, and without any one of them something does.
#include "tests/property/replicas_model.h"

#include <iostream>

#include "gtest/gtest.h"
#include "tests/campaign.h"

namespace gradeline {
namespace {

TEST(ReplicasModel, NothingGoesWrongByTheRules) {
  const int64_t first = FromEnvironment("GRADELINE_SEED", 1), runs = FromEnvironment("GRADELINE_RUNS", 100'000);
  std::cout << "seeds " << first << " to " << first + runs - 1 << std::endl;
  for (int64_t seed = first; seed < first + runs; ++seed) {
    ASSERT_EQ(ReplicasModel(static_cast<uint64_t>(seed), {}).Run(), "") << "GRADELINE_SEED=" << seed;
  }
}

// What goes wrong first without a rule.
std::string Without(bool ReplicaRules::*rule) {
  ReplicaRules rules;
  rules.*rule = false;
  for (uint64_t seed = 1; seed <= 20'000; ++seed) {
    std::string wrong = ReplicasModel(seed, rules).Run();
    if (!wrong.empty()) return wrong;
  }
  return "";
}

TEST(ReplicasModel, EachRuleIsNeeded) {
  EXPECT_EQ(Without(&ReplicaRules::session_ends_first), "a server that is not the owner has written");
  EXPECT_EQ(Without(&ReplicaRules::living_keep_theirs), "a server that is not the owner has written");
  EXPECT_EQ(Without(&ReplicaRules::fence_in_commit), "a stream that was superseded has written");
  EXPECT_NE(Without(&ReplicaRules::leave_when_lost), "");
  EXPECT_EQ(Without(&ReplicaRules::adopt_looks_again), "a server that is not the owner has written");
  EXPECT_EQ(Without(&ReplicaRules::leave_with_lock), "a server that is not the owner has written");
}

}  // namespace
}  // namespace gradeline

// What a deleted split or dataset forbids, through the one door, over a real database.
#include "gtest/gtest.h"
#include "server/core/base/status.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

// Everything that would make, change or start an experiment is refused with `what` as violation of its split.
void ExpectUnusable(TestWorld& world, const std::string& reason, const std::string& what) {
  Experiments& experiments = *world.experiments;
  Experiment fresh = TestExperiment(1, 1);
  fresh.id = "fresh";
  ExperimentEdit edit;
  edit.apply = [](const Experiment& stored, Violations&) {
    Experiment changed = stored;
    changed.training.epochs = 7;
    return changed;
  };
  for (const bool validate_only : {true, false}) {
    for (const absl::Status& refused : {experiments.CreateExperiment(fresh, "", validate_only).status(),
                                        experiments.Clone("e", "copy", "", validate_only).status(),
                                        experiments.Update("draft", edit, "", "", validate_only).status(),
                                        experiments.Start("draft", "", "", validate_only).status(),
                                        experiments.Resume("e", std::nullopt, "", "", validate_only).status()}) {
      EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
      EXPECT_EQ(FieldViolationsOf(refused), std::vector<FieldViolation>({{"split", what}})) << refused;
    }
  }
  EXPECT_EQ(ReasonOf(experiments.Start("draft", "", "").status()).reason, reason);
  edit.apply = [](const Experiment& stored, Violations&) {
    Experiment changed = stored;
    changed.notes = "withdrawn";
    return changed;
  };
  EXPECT_TRUE(experiments.Update("draft", edit, "", "", false).ok()) << "notes change all the same";
}

TEST(DeletedData, NoExperimentIsMadeOrStartedOnWhatIsDeleted) {
  TestWorld world;
  world.Start(1, 1);
  ASSERT_TRUE(world.experiments->Cancel("e", "", "").ok());
  Experiment draft = TestExperiment(1, 1);
  draft.id = "draft";
  ASSERT_TRUE(world.experiments->CreateExperiment(draft, "", false).ok());
  ASSERT_TRUE(world.experiments->DeleteSplit("s", {.force = true}).ok());
  ExpectUnusable(world, "SPLIT_DELETED", "split s is deleted; undelete it, or take another");
  ASSERT_TRUE(world.experiments->UndeleteSplit("s").ok());
  ASSERT_TRUE(world.experiments->DeleteDataset("d", {.force = true}).ok());
  ExpectUnusable(world, "DATASET_DELETED",
                 "split s draws on 1 deleted dataset (d); undelete what is deleted, or take another split");
  ASSERT_TRUE(world.experiments->UndeleteDataset("d").ok());
  EXPECT_TRUE(world.experiments->Start("draft", "r", "").ok());
  EXPECT_TRUE(world.experiments->Resume("e", std::nullopt, "", "").ok());
  ASSERT_TRUE(world.experiments->DeleteSplit("s", {.force = true}).ok());
  EXPECT_TRUE(world.experiments->Start("draft", "r", "").ok()) << "the first answer";
}

}  // namespace
}  // namespace gradeline

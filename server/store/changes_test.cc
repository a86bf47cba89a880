// Updating, cloning, deleting and purging experiments through the one door, over a real database.
#include <functional>

#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/experiment/check.h"
#include "server/core/experiment/codec.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const auto& violation : FieldViolationsOf(status)) fields.push_back(violation.field);
  return fields;
}

class ChangesTest : public testing::Test {
 protected:
  ChangesTest() {
    world_.MakeSplit();
    Experiment experiment = TestExperiment(1, 2);
    experiment.labels = {{"team", "x"}};
    experiment.notes = "first";
    EXPECT_TRUE(world_.experiments->CreateExperiment(experiment, "", false).ok());
  }
  using Change = std::function<void(Experiment&)>;
  absl::StatusOr<Experiment> Update(const Change& change, const std::string& request_id = "",
                                    const std::string& etag = "", bool validate_only = false) {
    ExperimentEdit edit;
    edit.content = "some";
    edit.apply = [&change](const Experiment& stored, Violations&) {
      Experiment changed = stored;
      change(changed);
      return changed;
    };
    return world_.experiments->Update("e", edit, request_id, etag, validate_only);
  }
  Experiment Get() { return *world_.experiments->GetExperiment("e"); }
  absl::StatusOr<Experiment> Delete(bool purge = false, const std::string& request_id = "",
                                    const std::string& etag = "") {
    return world_.experiments->Delete("e", purge, request_id, etag);
  }
  /// That the store is whole, with what the events say.
  void ExpectWhole() {
    const auto report = CheckStore(*world_.store, [] { return true; });
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->flaw_count, 0) << (report->flaws.empty() ? "" : report->flaws[0].what);
  }

  TestWorld world_;
};

TEST_F(ChangesTest, ADraftIsCheckedAndResolvedAnew) {
  const auto updated = Update([](Experiment& e) {
    e.architecture = "given";
    e.training.epochs = 7;
    e.labels.erase("team");
  });
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->heads.size(), 1u);
  EXPECT_EQ(updated->heads[0].reduction, Reduction::kGiven);
  EXPECT_EQ(updated->training.epochs, 7);
  EXPECT_EQ(updated->revision, 2);
  EXPECT_EQ(updated->etag, 2);
  EXPECT_EQ(Encode(Get()), Encode(*updated));
  EXPECT_TRUE(Get().labels.empty());
  ExpectWhole();
  world_.Restart();
  EXPECT_EQ(Encode(Get()), Encode(*updated));
  EXPECT_TRUE(world_.experiments->Start("e", "", "2").ok());
}

TEST_F(ChangesTest, AllProblemsComeAtOnceAndNothingIsStored) {
  const Change wrong = [](Experiment& e) {
    e.split = "nowhere";
    e.metrics = {"acuracy"};
    e.training.epochs = -1;
    e.labels = {{"Bad", "x"}, {"good", std::string(257, 'x')}};
    e.notes = std::string(16'385, 'x');
  };
  for (const bool validate_only : {true, false}) {
    EXPECT_THAT(FieldsOf(Update(wrong, "", "", validate_only).status()),
                ElementsAre("split", "metrics[0]", "training.epochs", "labels", "labels.good", "notes"));
  }
  EXPECT_EQ(Get().revision, 1);
  const auto checked = Update([](Experiment& e) { e.training.epochs = 9; }, "", "", true);
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->training.epochs, 9);
  EXPECT_EQ(Get().training.epochs, 2) << "it was only to be checked";
  std::map<std::string, std::string> many;
  for (int i = 0; i < 65; ++i) many[absl::StrCat("k", i)] = "";
  EXPECT_THAT(FieldsOf(Update([&](Experiment& e) { e.labels = many; }).status()), ElementsAre("labels"));
}

TEST_F(ChangesTest, OnlyLabelsAndNotesChangeInEveryState) {
  ASSERT_TRUE(world_.experiments->Start("e", "", "").ok());
  const std::vector<ResolvedHead> heads = Get().heads;
  const auto refused = Update([](Experiment& e) {
    e.training.epochs = 9;
    e.metrics = {};
    e.notes = "no";
  });
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(refused.status()).reason, "WRONG_STATE");
  EXPECT_THAT(std::string(refused.status().message()),
              testing::AllOf(HasSubstr("is QUEUED"), HasSubstr("metrics, training"), HasSubstr("DRAFT")));
  EXPECT_EQ(Get().notes, "first");
  const auto updated = Update([](Experiment& e) {
    e.labels["team"] = "y";
    e.notes = "";
  });
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->state, ExperimentState::kQueued);
  EXPECT_EQ(updated->revision, 3);
  EXPECT_EQ(Get().labels.at("team"), "y");
  ASSERT_TRUE(world_.experiments->Cancel("e", "", "").ok());
  EXPECT_EQ(Get().notes, "") << "a change of state keeps the notes";
  EXPECT_TRUE(Update([](Experiment& e) { e.notes = "over"; }).ok());
  EXPECT_EQ(Get().notes, "over");
  EXPECT_EQ(Get().state, ExperimentState::kCancelled);
  ExpectWhole();
}

TEST_F(ChangesTest, WhatStaysTheSameIsNoChangeInAnyState) {
  const Change defaults = [](Experiment& e) {
    e.training.early_stopping = EarlyStopping{"validation.loss", std::nullopt, 3, 0};
  };
  ASSERT_TRUE(Update(defaults).ok());
  const Experiment stored = Get();
  EXPECT_EQ(stored.training.early_stopping->mode, MonitorMode::kMin);
  EXPECT_EQ(Encode(*Update([](Experiment&) {})), Encode(stored));
  EXPECT_EQ(Encode(*Update(defaults)), Encode(stored)) << "the mode that was left out is the one that was resolved";
  ASSERT_TRUE(world_.experiments->Start("e", "", "").ok());
  const int64_t etag = Get().etag;
  EXPECT_EQ(Update(defaults)->etag, etag);
  EXPECT_EQ(Update([](Experiment& e) { e.labels = {{"team", "x"}}; })->etag, etag);
  EXPECT_EQ(Get().etag, etag);
}

TEST_F(ChangesTest, EtagsAndRequestIdsCount) {
  const Change change = [](Experiment& e) { e.notes = "new"; };
  EXPECT_EQ(Update(change, "", "7").status().code(), StatusCode::kAborted);
  const auto first = Update(change, "r", "1");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(world_.experiments->Start("e", "", "").ok());
  EXPECT_EQ(Encode(*Update(change, "r", "1")), Encode(*first)) << "the first answer";
  EXPECT_EQ(Update(change, "r", "2").status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(world_.experiments->Update("x", {"", nullptr}, "", "", false).status().code(), StatusCode::kNotFound);
}

TEST_F(ChangesTest, ACloneAsksForTheSameAndIsResolvedAnew) {
  ASSERT_TRUE(Update([](Experiment& e) { e.losses = {{"classification", "ratio", {{"share", 0.5}}, 2.0, {}}}; }).ok());
  ASSERT_TRUE(world_.experiments->Start("e", "", "").ok());
  const auto checked = world_.experiments->Clone("e", "copy", "", true);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_FALSE(world_.experiments->GetExperiment("copy").ok());
  const auto copy = world_.experiments->Clone("e", "copy", "r", false);
  ASSERT_TRUE(copy.ok()) << copy.status();
  const Experiment source = Get();
  EXPECT_EQ(copy->state, ExperimentState::kDraft);
  EXPECT_EQ(copy->attempt, 0);
  EXPECT_EQ(copy->revision, 1);
  EXPECT_EQ(copy->numerics, "");
  EXPECT_EQ(copy->labels, source.labels);
  EXPECT_EQ(copy->notes, "first");
  EXPECT_EQ(copy->losses[0].weight, 2.0);
  EXPECT_FALSE(copy->losses[0].reduction.has_value()) << "as asked, not as resolved";
  EXPECT_EQ(copy->heads.size(), 2u);
  EXPECT_EQ(world_.experiments->Clone("e", "copy", "", false).status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(world_.experiments->Clone("e", "copy", "", true).status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(world_.experiments->Clone("none", "copy-2", "", false).status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(world_.experiments->Cancel("e", "", "").ok());
  ASSERT_TRUE(Delete().ok());
  EXPECT_TRUE(world_.experiments->Clone("e", "of-deleted", "", false).ok());
  ASSERT_TRUE(Delete(true).ok());
  EXPECT_EQ(Encode(*world_.experiments->Clone("e", "copy", "r", false)), Encode(*copy)) << "the first answer";
  ExpectWhole();
}

TEST_F(ChangesTest, ADeletedOneIsReadOnlyUntilItIsUndeleted) {
  world_.clock.now_ms = 5'000'000;
  const auto deleted = Delete(false, "d", "1");
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(deleted->delete_ms, 5'000'000);
  EXPECT_EQ(Encode(*Delete(false, "d", "1")), Encode(*deleted)) << "the first answer";
  EXPECT_THAT(world_.experiments->ListExperiments({}, 10, "")->items, IsEmpty());
  ListQuery all;
  all.show_deleted = true;
  EXPECT_EQ(world_.experiments->ListExperiments(all, 10, "")->items.size(), 1u);
  for (const absl::Status& refused :
       {world_.experiments->Start("e", "", "").status(), world_.experiments->Resume("e", {}, "", "").status(),
        world_.experiments->Cancel("e", "", "").status(), Update([](Experiment& e) { e.notes = "n"; }).status(),
        Delete().status()}) {
    EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition) << refused;
    EXPECT_EQ(ReasonOf(refused).reason, "DELETED") << refused;
  }
  const absl::Status taken = world_.experiments->CreateExperiment(TestExperiment(1, 1), "", false).status();
  EXPECT_EQ(taken.code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(taken.message()), HasSubstr("purge"));
  EXPECT_EQ(world_.experiments->Undelete("e", "", "1").status().code(), StatusCode::kAborted);
  const auto back = world_.experiments->Undelete("e", "u", "");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->delete_ms, 0);
  EXPECT_EQ(Encode(*world_.experiments->Undelete("e", "u", "")), Encode(*back));
  EXPECT_EQ(ReasonOf(world_.experiments->Undelete("e", "", "").status()).reason, "NOT_DELETED");
  EXPECT_EQ(world_.experiments->ListExperiments({}, 10, "")->items.size(), 1u);
  EXPECT_TRUE(world_.experiments->Start("e", "", "").ok());
  ExpectWhole();
}

TEST_F(ChangesTest, OneThatRunsIsNotDeleted) {
  ASSERT_TRUE(world_.experiments->Start("e", "", "").ok());
  EXPECT_EQ(ReasonOf(Delete().status()).reason, "WRONG_STATE");
  world_.token = world_.store->GetAttempt(world_.store->GetExperiment("e")->first, 1)->token;
  const auto listener = std::make_shared<TestListener>();
  ASSERT_TRUE(world_.Join(0, listener).ok());
  EXPECT_EQ(ReasonOf(Delete().status()).reason, "WRONG_STATE");
  EXPECT_EQ(ReasonOf(Delete(true).status()).reason, "NOT_DELETED");
  ASSERT_TRUE(world_.experiments->Cancel("e", "", "").ok());
  EXPECT_TRUE(Delete().ok());
}

TEST_F(ChangesTest, APurgeFreesTheNameAndLeavesNoRow) {
  ASSERT_TRUE(world_.experiments->Start("e", "", "").ok());
  world_.token = world_.store->GetAttempt(world_.store->GetExperiment("e")->first, 1)->token;
  const auto listener = std::make_shared<TestListener>();
  const auto session = *world_.Join(0, listener);
  const int64_t next = SendPhase(*session, 1, Phase::kTrain, 0, 3);
  ASSERT_TRUE(listener->AwaitSeals(1));
  ASSERT_TRUE(world_.experiments->Cancel("e", "", "").ok());
  EXPECT_EQ(Delete(true).status().code(), StatusCode::kFailedPrecondition) << "not deleted yet";
  ASSERT_TRUE(Delete().ok());
  const auto purged = Delete(true, "p");
  ASSERT_TRUE(purged.ok()) << purged.status();
  EXPECT_EQ(purged->state, ExperimentState::kCancelled);
  EXPECT_EQ(Encode(*Delete(true, "p")), Encode(*purged)) << "the first answer";
  EXPECT_EQ(Delete(true).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(world_.experiments->GetExperiment("e").status().code(), StatusCode::kNotFound);
  // A worker that is left over writes nowhere.
  ASSERT_TRUE(session->Begin(next).ok());
  EXPECT_EQ(ReportNow(*session, TestRecord(next, {Phase::kTrain, 1, 0, 0, 0}, 1)).first, RecordFate::kFailed);
  ExpectWhole();
  ASSERT_TRUE(world_.experiments->CreateExperiment(TestExperiment(1, 1), "", false).ok());
  EXPECT_EQ(Get().attempt, 0);
  EXPECT_THAT(world_.experiments->ListEpochs("e", 10, "")->items, IsEmpty());
}

TEST_F(ChangesTest, AWatchTellsOfChangesAndEndsWithTheDeletion) {
  const auto watch = *world_.experiments->Watch("e", 0, [] {});
  ASSERT_TRUE(Update([](Experiment& e) { e.notes = "watched"; }).ok());
  ASSERT_TRUE(Delete().ok());
  const auto news = *watch->Next(10);
  ASSERT_EQ(news.events.size(), 3u);
  EXPECT_EQ(std::get<Experiment>(news.events[1].body).notes, "watched");
  EXPECT_NE(std::get<Experiment>(news.events[2].body).delete_ms, 0);
  EXPECT_TRUE(news.ended);
}

TEST_F(ChangesTest, StartAndResumeCheckWithoutStarting) {
  const auto checked = world_.experiments->Start("e", "r", "1", true);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->token, "");
  EXPECT_EQ(Get().state, ExperimentState::kDraft);
  EXPECT_EQ(world_.experiments->Start("e", "", "2", true).status().code(), StatusCode::kAborted);
  ASSERT_TRUE(world_.experiments->Start("e", "r", "1").ok()) << "its request id is not used yet";
  EXPECT_EQ(ReasonOf(world_.experiments->Start("e", "", "", true).status()).reason, "WRONG_STATE");
  EXPECT_EQ(ReasonOf(world_.experiments->Resume("e", {}, "", "", true).status()).reason, "WRONG_STATE");
  ASSERT_TRUE(world_.experiments->Cancel("e", "", "").ok());
  EXPECT_THAT(FieldsOf(world_.experiments->Resume("e", 5, "", "", true).status()), ElementsAre("firstEpoch"));
  EXPECT_TRUE(world_.experiments->Resume("e", 0, "", "", true).ok());
  EXPECT_EQ(Get().attempt, 1);
}

TEST_F(ChangesTest, ACheckFindsARowThatIsNotWhatItsEventsSay) {
  ASSERT_TRUE(Update([](Experiment& e) { e.notes = "new"; }).ok());
  ASSERT_TRUE(world_.place()->Connect()->Execute("UPDATE experiments SET etag = 1").ok());
  const auto report = CheckStore(*world_.store, [] { return true; });
  ASSERT_EQ(report->flaw_count, 1);
  EXPECT_THAT(report->flaws[0].what, HasSubstr("newest event"));
}

}  // namespace
}  // namespace gradeline

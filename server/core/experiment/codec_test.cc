#include "server/core/experiment/codec.h"

#include <cstring>

#include "gtest/gtest.h"

namespace gradeline {
namespace {

Experiment Everything() {
  Experiment experiment;
  experiment.id = "e";
  experiment.split = "s";
  experiment.architecture = "net";
  experiment.task = "classification";
  experiment.architecture_params = {{"a", 1.5}, {"b", true}, {"c", std::string("w")}, {"d", std::vector<double>{1, 2}}};
  experiment.losses = {{"h", "l", {{"gamma", 2.0}}, 0.5, Reduction::kSum}, {"g", "m", {}, std::nullopt, std::nullopt}};
  experiment.metrics = {"accuracy"};
  experiment.training.world_size = 3;
  experiment.training.test_ranks = PhaseRanks::kFirst;
  experiment.training.scheduler = "step_lr";
  experiment.training.solver_params = {{"momentum", 0.5}};
  experiment.training.augmentations = {{"blur", {{"limit", 7.0}}}};
  experiment.training.iterations = 9;
  experiment.state = ExperimentState::kFailed;
  experiment.reason = std::string("why\0not", 7);
  experiment.revision = 12;
  ResolvedHead head;
  head.head = "h";
  head.classes = 7;
  head.component_weights = {1, 0.25};
  head.phases = {Phase::kTrain, Phase::kTest};
  head.terms = {{"l", "built-in", 3, 0.5}, {"m", "d1935e", 1, 2}};
  head.component_merge = {1, 3};
  experiment.heads = {head};
  experiment.numerics = "n";
  experiment.labels = {{"k", "v"}};
  experiment.notes = "for people";
  experiment.delete_ms = 9;
  return experiment;
}

TEST(Codec, ExperimentsComeBackWhole) {
  const Experiment experiment = Everything();
  const std::string bytes = Encode(experiment);
  const auto back = Decode<Experiment>(bytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(Encode(*back), bytes);
  EXPECT_EQ(back->architecture_params, experiment.architecture_params);
  EXPECT_EQ(back->losses[0].weight, 0.5);
  EXPECT_FALSE(back->losses[1].weight.has_value());
  EXPECT_EQ(back->reason, experiment.reason);
  EXPECT_EQ(back->training.test_ranks, PhaseRanks::kFirst);
  EXPECT_EQ(back->training.scheduler, "step_lr");
  EXPECT_EQ(back->training.solver_params, experiment.training.solver_params);
  EXPECT_EQ(back->training.augmentations.at(0).params, experiment.training.augmentations[0].params);
  EXPECT_EQ(back->training.iterations, 9);
  EXPECT_EQ(back->heads[0].classes, 7);
  EXPECT_EQ(back->heads[0].phases, experiment.heads[0].phases);
  EXPECT_EQ(back->heads[0].terms, experiment.heads[0].terms);
  EXPECT_EQ(back->heads[0].MergeOf(1), 3u);
  EXPECT_EQ(back->labels, experiment.labels);
  EXPECT_EQ(back->notes, experiment.notes);
  EXPECT_EQ(back->delete_ms, 9);
}

TEST(Codec, DirectivesComeBackWhole) {
  Seal seal;
  seal.directive = Directive{.learning_rate = 0.5, .momentum = 0.9, .plateau = PlateauState{0.25, 1, 2}};
  auto back = Decode<Seal>(Encode(seal));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->directive->learning_rate, 0.5);
  EXPECT_EQ(back->directive->momentum, 0.9);
  EXPECT_EQ(back->directive->plateau->best, 0.25);
  EXPECT_EQ(back->directive->plateau->bad_epochs, 1);
  EXPECT_EQ(back->directive->plateau->cooldown, 2);
  seal.directive = Directive{.stop = true};
  back = Decode<Seal>(Encode(seal));
  EXPECT_FALSE(back->directive->learning_rate.has_value());
  EXPECT_FALSE(back->directive->plateau.has_value());
}

TEST(Codec, SealsComeBackWhole) {
  Seal seal;
  seal.missing_ranks = {1, 4};
  seal.components = {{.head = 1, .component = 2, .numerator = 0.1, .batch_mean = true}};
  seal.metrics = {{1,
                   "accuracy",
                   {.value = 0.75,
                    .count = 8,
                    .error = 0.5,
                    .numbers = {{"n", 2}},
                    .classes = {{3, 0.5, 4}},
                    .curves = {{0, "x", "y", {1}, {2}}},
                    .matrix = {1, 1, {5}},
                    .note = "why"}}};
  seal.refused = {{3, 2}};
  const auto back = Decode<Seal>(Encode(seal));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(Encode(*back), Encode(seal));
  EXPECT_EQ(back->components[0].numerator, 0.1);
  EXPECT_EQ(back->refused, seal.refused);
}

TEST(Codec, EveryCutAndEveryTailIsRefused) {
  const std::string bytes = Encode(Everything());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Decode<Experiment>(std::string_view(bytes).substr(0, size)).status().code(), absl::StatusCode::kInternal);
  }
  EXPECT_FALSE(Decode<Experiment>(bytes + "x").ok());
  std::string newer = bytes;
  ++newer[0];
  EXPECT_FALSE(Decode<Experiment>(newer).ok());
}

TEST(Codec, BytesFromBeforeANounGrewAreRead) {
  Split split;
  split.id = "s";
  split.datasets = {"d"};
  split.create_ms = 77;
  split.class_names = {"a"};
  std::string bytes = Encode(split);
  // A version, the size of the noun in 8 bytes, the fields: take off the last one, class_names.
  constexpr size_t kNames = 8 + 8 + 1;
  uint64_t size = 0;
  std::memcpy(&size, bytes.data() + 1, sizeof(size));
  ASSERT_EQ(bytes.size(), 1 + sizeof(size) + size);
  size -= kNames;
  std::memcpy(bytes.data() + 1, &size, sizeof(size));
  bytes.resize(bytes.size() - kNames);
  const auto back = Decode<Split>(bytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->datasets, split.datasets);
  EXPECT_EQ(back->create_ms, 77);
  EXPECT_TRUE(back->class_names.empty());
}

TEST(Codec, DigestsTellMethodsAndContentsApart) {
  EXPECT_EQ(DigestOf("Start", "e"), DigestOf("Start", "e"));
  EXPECT_NE(DigestOf("Start", "e"), DigestOf("Cancel", "e"));
  EXPECT_NE(DigestOf("Start", "e"), DigestOf("Start", "f"));
  EXPECT_NE(DigestOf(DigestOf("Start", "e"), "x"), DigestOf(DigestOf("Start", "f"), "x"));
}

}  // namespace
}  // namespace gradeline

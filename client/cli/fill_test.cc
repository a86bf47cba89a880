#include "client/cli/fill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/output.h"
#include "client/cpp/status.h"
#include "gradeline/v1/experiment.pb.h"

namespace gradeline::cli {
namespace {

using testing::HasSubstr;

TEST(ParseValue, NumbersWordsAndLists) {
  EXPECT_EQ(ParseValue("0.25").number_value(), 0.25);
  EXPECT_EQ(ParseValue("-1").number_value(), -1);
  EXPECT_TRUE(ParseValue("true").bool_value());
  EXPECT_EQ(ParseValue("smooth_l1").string_value(), "smooth_l1");
  EXPECT_EQ(ParseValue("inf").string_value(), "inf") << "JSON has no such number";
  EXPECT_EQ(ParseValue("").string_value(), "");
  EXPECT_EQ(ToJson(ParseValue("1,2,0.5"), false), "[1,2,0.5]");
  EXPECT_EQ(ToJson(ParseValue("2,"), false), "[2]");
  EXPECT_EQ(ToJson(ParseValue("a, b"), false), "[\"a\",\"b\"]");
}

TEST(SetByPath, EveryKindOfField) {
  v1::Experiment experiment;
  experiment.add_losses();
  for (const auto& [path, value] :
       std::vector<std::pair<std::string, std::string>>{{"split", "splits/a"},
                                                        {"training.epochs", "5"},
                                                        {"training.learningRate", "1e-3"},
                                                        {"training.seed", "18446744073709551615"},
                                                        {"training.rank_mean", "per-rank"},
                                                        {"training.test_ranks", "PHASE_RANKS_FIRST"},
                                                        {"losses[0].head", "box"},
                                                        {"losses[0].weight", "0.5"},
                                                        {"losses[0].params.fp.weight", "1,2"},
                                                        {"create_time", "2026-01-31T08:00:00Z"}}) {
    EXPECT_TRUE(SetByPath(path, value, &experiment).ok()) << path;
  }
  EXPECT_EQ(experiment.training().epochs(), 5);
  EXPECT_EQ(experiment.training().learning_rate(), 0.001);
  EXPECT_EQ(experiment.training().seed(), UINT64_MAX);
  EXPECT_EQ(experiment.training().rank_mean(), v1::RANK_MEAN_PER_RANK);
  EXPECT_EQ(experiment.training().test_ranks(), v1::PHASE_RANKS_FIRST);
  EXPECT_EQ(experiment.losses(0).weight(), 0.5);
  EXPECT_EQ(experiment.losses(0).params().fields().at("fp.weight").list_value().values_size(), 2);
  EXPECT_EQ(experiment.create_time().seconds(), 1769846400);
}

TEST(SetByPath, SaysWhatIsWrong) {
  v1::Experiment experiment;
  for (const auto& [path, value, message] :
       std::vector<std::array<std::string, 3>>{{"training.epoch", "5", "did you mean \"epochs\""},
                                               {"training.epochs", "5.5", "integer of 32 bits"},
                                               {"training.seed", "-1", "integer of 0 or more"},
                                               {"training.rank_mean", "both", "per_rank, global"},
                                               {"training[0].epochs", "1", "no list"},
                                               {"losses[0].head", "x", "list of 0 entries"},
                                               {"losses[x].head", "x", "list of 0 entries"},
                                               {"metrics", "x", "list of 0 entries"},
                                               {"architecture_parameters", "x", "fields of its own"},
                                               {"architecture_parameters.", "x", "name of a parameter"},
                                               {"create_time", "noon", "2026-01-31"},
                                               {"", "x", "no field"}}) {
    const absl::Status status = SetByPath(path, value, &experiment);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message)) << path;
  }
}

v1::Experiment Full() {
  v1::Experiment out;
  out.set_name("experiments/a: b # \"c\"\n");
  out.set_split("splits/on");
  out.add_metrics("123");
  out.add_metrics("");
  out.mutable_training()->set_seed(UINT64_MAX);
  out.mutable_training()->set_learning_rate(1.0 / 3);
  out.mutable_training()->set_rank_mean(v1::RANK_MEAN_PER_RANK);
  v1::HeadLoss* loss = out.add_losses();
  loss->set_head("box@2");
  loss->set_weight(0);
  auto& fields = *loss->mutable_params()->mutable_fields();
  fields["class_weights"] = ParseValue("1,2,0.5");
  fields["type"].set_string_value("12");
  fields["flag"].set_bool_value(false);
  (*fields["nested"].mutable_struct_value()->mutable_fields())["x"].set_number_value(1e-9);
  out.add_heads()->add_phases(v1::PHASE_TRAIN);
  out.mutable_create_time()->set_seconds(1769846400);
  out.set_revision(7);
  return out;
}

TEST(Yaml, WhatIsPrintedIsReadBack) {
  const v1::Experiment full = Full();
  v1::Experiment back;
  const absl::Status status = FillFromYaml("f.yaml", ToYaml(full), &back);
  ASSERT_TRUE(status.ok()) << status << "\n" << ToYaml(full);
  EXPECT_EQ(ToJson(back, false).size(), ToJson(full, false).size());
  EXPECT_EQ(back.name(), full.name());
  EXPECT_EQ(back.training().SerializeAsString(), full.training().SerializeAsString());
  EXPECT_EQ(back.losses(0).params().fields().at("type").string_value(), "12") << "a quoted number stays a word";
  EXPECT_EQ(back.losses(0).params().fields().at("nested").struct_value().fields().at("x").number_value(), 1e-9);
  EXPECT_TRUE(back.losses(0).has_weight());
  EXPECT_EQ(back.heads(0).phases(0), v1::PHASE_TRAIN);
  EXPECT_THAT(back.metrics(), testing::ElementsAre("123", ""));
}

TEST(Yaml, EveryProblemWithItsLine) {
  v1::Experiment experiment;
  const absl::Status status = FillFromYaml("f.yaml",
                                           "split: [a]\n"
                                           "spilt: b\n"
                                           "training:\n"
                                           "  epochs: 1.5\n"
                                           "losses:\n"
                                           "  - head: a\n"
                                           "    params: 3\n"
                                           "  - 7\n",
                                           &experiment);
  std::vector<std::string> fields;
  for (const auto& violation : client::FieldViolationsOf(status)) fields.push_back(violation.field);
  EXPECT_THAT(fields, testing::ElementsAre("f.yaml:1", "f.yaml:2", "f.yaml:4", "f.yaml:7", "f.yaml:8"));
}

std::vector<std::string> ProblemsOf(const std::string& text) {
  v1::Experiment experiment;
  std::vector<std::string> problems;
  for (const auto& [field, what] : client::FieldViolationsOf(FillFromYaml("f", text, &experiment))) {
    problems.push_back(field + ": " + what);
  }
  return problems;
}

TEST(Yaml, BytesThatAreNoText) {
  EXPECT_THAT(ProblemsOf("name: a\nnotes: \xff"), testing::ElementsAre("f:2: is not UTF-8"));
  EXPECT_THAT(ProblemsOf("name: a\n\x04\nnonsense"), testing::ElementsAre("f:2: has the byte 0x04; allowed is text"));
}

TEST(Yaml, EscapesThatWouldBeNoText) {
  EXPECT_THAT(ProblemsOf("name: a\nnotes: \"\\_\\N\"\n"),
              testing::ElementsAre(HasSubstr("f:2: has the escape \\_ or \\N")));
  EXPECT_THAT(ProblemsOf("notes: \"\\\xc2\x85\""),
              testing::ElementsAre("f:1: is no YAML: unknown escape character: \\xc2"));
}

TEST(Yaml, WhatIsBehindTheDocument) {
  for (const char* rest : {"---\nname: b\n", ",", "...\n,", "---"}) {
    EXPECT_THAT(ProblemsOf(std::string("{name: a}\n") + rest),
                testing::ElementsAre(HasSubstr("is behind the end of the document; allowed is one")))
        << rest;
  }
  EXPECT_THAT(ProblemsOf("name: a\n...\n# the end\n"), testing::IsEmpty());
}

TEST(Yaml, ValuesThatAreDeepOrEndless) {
  const auto nested = [](int levels) {
    return "architecture_parameters: {a: " + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  const std::string deep = "f:1: is deeper than the allowed 16 levels";
  EXPECT_THAT(ProblemsOf(nested(15)), testing::IsEmpty());
  EXPECT_THAT(ProblemsOf(nested(16)), testing::ElementsAre(deep));
  EXPECT_THAT(ProblemsOf("architecture_parameters: &x {a: *x}"), testing::ElementsAre(deep)) << "a part of itself";
  std::string bomb = "architecture_parameters:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string line = "  a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    const std::string alias = "*a" + std::to_string(i - 1);
    bomb += line + alias;
    for (int k = 1; k < 10; ++k) bomb += ", " + alias;
    bomb += "]\n";
  }
  EXPECT_THAT(ProblemsOf(bomb), testing::ElementsAre(HasSubstr("is too much: with what aliases repeat, over")));
}

TEST(Yaml, KeysOfMaps) {
  for (const char* map : {"labels", "architecture_parameters"}) {
    const auto with = [&](const std::string& key) { return std::string(map) + ": {" + key + ": b}"; };
    EXPECT_THAT(ProblemsOf(with("a: b, a")), testing::ElementsAre("f:1: a comes twice"));
    for (const std::string& key : {std::string("\"\""), std::string("[a]"), "? " + std::string(129, 'k')}) {
      EXPECT_THAT(ProblemsOf(with(key)), testing::ElementsAre(HasSubstr("is no word of 1 to 128 bytes"))) << key;
    }
    EXPECT_THAT(ProblemsOf(with(std::string(128, 'k'))), testing::IsEmpty());
  }
}

TEST(Yaml, EmptyListIsAValue) {
  v1::Experiment experiment, back;
  ASSERT_TRUE(FillFromYaml("f", "architecture_parameters: {a: [], b: 1}", &experiment).ok());
  EXPECT_TRUE(experiment.architecture_parameters().fields().at("a").has_list_value());
  ASSERT_TRUE(FillFromYaml("f", ToYaml(experiment), &back).ok());
  EXPECT_EQ(ToJson(back, false), ToJson(experiment, false));
}

TEST(Yaml, CharactersThatJsonEscapesInPairs) {
  v1::Experiment experiment, back;
  experiment.set_notes("\U000e0041 \U0001d173 \\ud83d\\ude00 \"\\ \U0001f600");
  ASSERT_TRUE(FillFromYaml("f", ToYaml(experiment), &back).ok());
  EXPECT_EQ(back.notes(), experiment.notes());
}

TEST(Yaml, TextThatIsNoYaml) {
  v1::Experiment experiment;
  for (const char* text : {"a: [", "\t- x", "a: b: c", "just words", "- 1", "", "a: &x [*x]"}) {
    EXPECT_EQ(FillFromYaml("f", text, &experiment).code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace gradeline::cli

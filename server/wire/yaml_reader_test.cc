#include "server/wire/yaml_reader.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "gradeline/config/v1/catalog.pb.h"
#include "gradeline/config/v1/server.pb.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
namespace pb = config::v1;

std::vector<FieldViolation> Problems(const std::string& yaml) {
  pb::ArchitectureFile message;
  return FieldViolationsOf(ReadYaml(yaml, "x.yaml", message));
}

TEST(ReadYamlTest, FillsEveryKindOfField) {
  pb::ArchitectureFile file;
  YamlLines lines;
  const absl::Status status = ReadYaml(R"(id: net
tasks: [a, b]
parameters:
  depth: {kind: choice, choices: [18, 34], default: 18}
  rate: {kind: number, default: 0.5, min: -1, min_exclusive: true, help: "how: fast"}
heads:
  - id: one
    signal: box
    weight: 0.25
    repeat: {name: stage, count: 2, weights: [1, 0.5]}
  - id: two
    signal: {by: depth, "18": box, "34": value}
    losses:
      default: mse
      params: {a: 1, b: true, c: word, d: "1", e: [1, 2]}
      weight_for: {"type=giou": 2}
)",
                                       "x.yaml", file, &lines);
  ASSERT_TRUE(status.ok()) << status;
  pb::ArchitectureFile expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(R"(
    id: "net" tasks: "a" tasks: "b"
    parameters { key: "depth" value { kind: PARAMETER_KIND_CHOICE choices: "18" choices: "34" default { number_value: 18 } } }
    parameters { key: "rate" value { kind: PARAMETER_KIND_NUMBER default { number_value: 0.5 } min: -1 min_exclusive: true help: "how: fast" } }
    heads { id: "one" signal { value: "box" } weight: 0.25 repeat { name: "stage" count: 2 weights: 1 weights: 0.5 } }
    heads { id: "two" signal { by: "depth" cases { key: "18" value: "box" } cases { key: "34" value: "value" } }
      losses { default { value: "mse" }
        params { key: "a" value { number_value: 1 } } params { key: "b" value { bool_value: true } }
        params { key: "c" value { string_value: "word" } } params { key: "d" value { string_value: "1" } }
        params { key: "e" value { list_value { values { number_value: 1 } values { number_value: 2 } } } }
        weight_for { key: "type=giou" value: 2 } } })",
                                                            &expected));
  std::string difference = file.DebugString();
  EXPECT_EQ(file.SerializeAsString().size(), expected.SerializeAsString().size()) << difference;
  EXPECT_EQ(difference, expected.DebugString());
  EXPECT_EQ(LineOf(lines, "parameters.rate.min"), 5);
  EXPECT_EQ(LineOf(lines, "heads[1]"), 11);
  EXPECT_EQ(LineOf(lines, "heads[1].losses.params.c"), 15);
  EXPECT_EQ(LineOf(lines, "heads[1].losses.nothing.here"), 13);
  EXPECT_EQ(LineOf(lines, "nowhere"), 1);
}

TEST(ReadYamlTest, EmptyTextIsAnEmptyMessage) {
  pb::ServerFile file;
  EXPECT_TRUE(ReadYaml("# nothing\n", "x.yaml", file).ok());
}

TEST(ReadYamlTest, EveryProblemAtOnceWithItsLine) {
  EXPECT_THAT(
      Problems(R"(idd: net
tasks: a
heads:
  - id: [a]
    weight: heavy
    repeat: {count: 2.5}
    signal: [box]
  - just a word
parameters:
  depth: {kind: word}
  rate: 1
  rate: 2
)"),
      ElementsAre(FieldViolation{"x.yaml:1: idd", "is no key; did you mean id?"},
                  FieldViolation{"x.yaml:2: tasks", "is \"a\"; allowed is a list [...]"},
                  FieldViolation{"x.yaml:4: heads[0].id", "is a list; allowed is a word"},
                  FieldViolation{"x.yaml:5: heads[0].weight", "is \"heavy\"; allowed is a finite number"},
                  FieldViolation{"x.yaml:6: heads[0].repeat.count", "is \"2.5\"; allowed is an integer of 32 bits"},
                  FieldViolation{"x.yaml:7: heads[0].signal", "is a list; allowed is a mapping with value, by, cases"},
                  FieldViolation{"x.yaml:8: heads[1]",
                                 "is \"just a word\"; allowed is a mapping with id, signal, rows, when, repeat, "
                                 "classes, normaliser, weight, phases, losses"},
                  FieldViolation{"x.yaml:10: parameters.depth.kind",
                                 "is \"word\"; allowed is number, integer, bool, choice, vector, measure"},
                  FieldViolation{"x.yaml:11: parameters.rate",
                                 "is \"1\"; allowed is a mapping with kind, choices, default, min, max, "
                                 "min_exclusive, max_exclusive, help, unit, group, when, link, needs, optional"},
                  FieldViolation{"x.yaml:12: parameters.rate", "is there twice"}));
}

TEST(ReadYamlTest, KeysTwiceAndNothing) {
  EXPECT_THAT(Problems("id: a\nid: b\n"), ElementsAre(FieldViolation{"x.yaml:2: id", "is there twice"}));
  EXPECT_THAT(Problems("id:\n"), ElementsAre(FieldViolation{"x.yaml:1: id", "is nothing; allowed is a word"}));
  EXPECT_THAT(
      Problems("zzz: 1\n"),
      ElementsAre(FieldViolation{"x.yaml:1: zzz",
                                 "is no key; known: id, title, help, extends, tasks, parameters, heads, evaluations"}));
}

TEST(ReadYamlTest, WhatIsNoYaml) {
  for (const char* bad :
       {"a: [1, 2\nb: 3\n", "\ta: 1", "a: *nowhere", "a: 1\n---\nb: 2\n", "- a\n- b\n", "word", "id: \xff"}) {
    EXPECT_EQ(Problems(bad).size(), 1u) << bad;
  }
  EXPECT_EQ(Problems(std::string(100'000, '[')).size(), 1u);
  EXPECT_THAT(Problems("id: a\ntasks: [b\n"), ElementsAre(Field(&FieldViolation::field, HasSubstr("x.yaml:3"))));
}

TEST(ReadYamlTest, BytesThatAreNoTextWithTheirLine) {
  EXPECT_THAT(Problems("id: a\ntitle: \xff\n"), ElementsAre(FieldViolation{"x.yaml:2", "is not UTF-8"}));
  EXPECT_THAT(Problems("id: a\n\x04\nnonsense"),
              ElementsAre(FieldViolation{"x.yaml:2", "has the byte 0x04; allowed is text"}));
  EXPECT_THAT(Problems(std::string("\0i\0d", 4)),
              ElementsAre(FieldViolation{"x.yaml:1", "has the byte 0x00; allowed is text"}));
  EXPECT_TRUE(Problems("id: a\r\ntitle: \"\x7f\t\xc2\x85\"\r\n").empty());
}

TEST(ReadYamlTest, EscapesThatWouldBeNoText) {
  const std::string taken = R"(has the escape \_ or \N, which is not taken; write \u00a0 or \u0085)";
  EXPECT_THAT(Problems("id: a\ntitle: \"b\\_\"\n"), ElementsAre(FieldViolation{"x.yaml:2", taken}));
  EXPECT_THAT(Problems("id: a\n\"\\N\": b\n"), ElementsAre(FieldViolation{"x.yaml:2", taken}));
  EXPECT_TRUE(Problems("id: \"\\u00a0\\u0085\"").empty());
  EXPECT_THAT(Problems("id: \"\\\xc2\x85\""),
              ElementsAre(FieldViolation{"x.yaml:1", "is no YAML: unknown escape character: \\xc2"}));
}

TEST(ReadYamlTest, WhatIsBehindTheDocument) {
  for (const char* rest : {"---\nid: b\n", ",", "...\n,", "---"}) {
    EXPECT_THAT(Problems(std::string("{id: a}\n") + rest),
                ElementsAre(Field(&FieldViolation::description, "is behind the end of the document; allowed is one")))
        << rest;
  }
  EXPECT_TRUE(Problems("id: a\n...\n# the end\n").empty());
}

TEST(ReadYamlTest, WhatAliasesMayRepeat) {
  const auto refers = [](int times) {
    std::string text = "tasks: [&a " + std::string(100'000, 'x');
    for (int i = 1; i < times; ++i) text += ", *a";
    return text + "]";
  };
  EXPECT_TRUE(Problems(refers(100)).empty());
  EXPECT_THAT(Problems(refers(1000)), ElementsAre(Field(&FieldViolation::description,
                                                        HasSubstr("is too much: with what aliases repeat, over"))));
  // Not by an alias: the path of each entry has the key.
  std::string long_key = "parameters: {" + std::string(1000, 'k') + ": {choices: [a";
  for (int i = 1; i < 20'000; ++i) long_key += ",a";
  EXPECT_EQ(Problems(long_key + "]}}").size(), 1u);
  EXPECT_EQ(Problems("heads: &x [*x]").size(), 1u) << "a part of itself";
}

TEST(ReadTextFileTest, MissingAndTooLarge) {
  std::string text;
  EXPECT_EQ(ReadTextFile("/nowhere/x.yaml", text).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadTextFile("/", text).code(), absl::StatusCode::kFailedPrecondition);
  const std::string path = ::testing::TempDir() + "large.yaml";
  std::ofstream(path) << std::string((1 << 20) + 1, ' ');
  EXPECT_EQ(ReadTextFile(path, text).code(), absl::StatusCode::kFailedPrecondition);
  std::ofstream(path) << "id: a";
  EXPECT_TRUE(ReadTextFile(path, text).ok());
  EXPECT_EQ(text, "id: a");
}

TEST(ApplySettingTest, SetsOverWhatIsThere) {
  pb::ServerFile file;
  file.mutable_grpc()->set_listen("a:1");
  file.mutable_grpc()->set_max_message_bytes(5);
  file.mutable_plugins()->add_directories("old");
  for (const char* setting : {"grpc.listen=127.0.0.1:0", "engine.threads=3", "plugins.strict=true", "log.level=debug",
                              "plugins.directories=/a,/b", "store.path=x=y"}) {
    EXPECT_TRUE(ApplySetting(setting, file).ok()) << ApplySetting(setting, file);
  }
  EXPECT_EQ(file.grpc().listen(), "127.0.0.1:0");
  EXPECT_EQ(file.grpc().max_message_bytes(), 5);
  EXPECT_EQ(file.engine().threads(), 3);
  EXPECT_TRUE(file.plugins().strict());
  EXPECT_EQ(file.log().level(), pb::LOG_LEVEL_DEBUG);
  EXPECT_THAT(file.plugins().directories(), ElementsAre("/a", "/b"));
  EXPECT_EQ(file.store().path(), "x=y");
  EXPECT_TRUE(ApplySetting("plugins.directories=[\"/c,d\"]", file).ok());
  EXPECT_THAT(file.plugins().directories(), ElementsAre("/c,d"));
  EXPECT_TRUE(ApplySetting("plugins.directories=", file).ok());
  EXPECT_EQ(file.plugins().directories_size(), 0);
}

TEST(ApplySettingTest, RefusesWithTheSetting) {
  pb::ServerFile file;
  const auto problem = [&](const char* setting) {
    const auto list = FieldViolationsOf(ApplySetting(setting, file));
    return list.size() == 1 ? list[0] : FieldViolation{"none", std::to_string(list.size())};
  };
  EXPECT_EQ(problem("grpc.listn=x"),
            (FieldViolation{"--set grpc.listn=x: grpc.listn", "is no key; did you mean listen?"}));
  EXPECT_EQ(problem("engine.threads=many"), (FieldViolation{"--set engine.threads=many: engine.threads",
                                                            "is \"many\"; allowed is an integer of 32 bits"}));
  EXPECT_EQ(problem("engine.threads"), (FieldViolation{"--set engine.threads", "has no \"=\"; allowed is path=value"}));
  EXPECT_EQ(problem("grpc=1").field, "--set grpc=1: grpc");
  EXPECT_EQ(problem("grpc.listen.port=1").field, "--set grpc.listen.port=1: grpc.listen");
  EXPECT_EQ(problem("=1").description,
            "is no key; known: grpc, http, store, engine, plugins, catalog, log, leases, metrics");
  EXPECT_NE(problem("plugins.directories=[a").field, "none");
  EXPECT_EQ(problem("store.path=\xff").description, "is not UTF-8");
}

}  // namespace
}  // namespace gradeline

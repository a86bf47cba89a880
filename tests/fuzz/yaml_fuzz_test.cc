// The server's reader of YAML never crashes and soon ends, says where every problem is, and reads the same message
// wherever the text stands.
#include <fstream>
#include <memory>

#include "absl/strings/match.h"
#include "google/protobuf/message.h"
#include "gradeline/config/v1/catalog.pb.h"
#include "gradeline/config/v1/server.pb.h"
#include "gtest/gtest.h"
#include "server/core/base/status.h"
#include "server/core/base/utf8.h"
#include "server/wire/yaml_reader.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/problems.h"

namespace gradeline {
namespace {

namespace pb = config::v1;
using google::protobuf::Message;

// The first byte of an input says what the rest is read as.
std::unique_ptr<Message> Empty(char kind) {
  switch (static_cast<unsigned char>(kind) % 7) {
    case 'A' % 7:
      return std::make_unique<pb::ServerFile>();
    case 'B' % 7:
      return std::make_unique<pb::TaskFile>();
    case 'C' % 7:
      return std::make_unique<pb::ArchitectureFile>();
    case 'D' % 7:
      return std::make_unique<pb::SolverFile>();
    case 'E' % 7:
      return std::make_unique<pb::SchedulerFile>();
    case 'F' % 7:
      return std::make_unique<pb::AugmentationFile>();
    default:
      return std::make_unique<pb::TrainingFile>();
  }
}

std::string FileText(const std::string& path) {
  std::string text;
  EXPECT_TRUE(ReadTextFile(std::string(GRADELINE_SOURCE_DIR) + "/configs/" + path, text).ok()) << path;
  return text;
}

// Short ones, since yaml-cpp takes a microsecond for a few bytes.
FuzzCorpus Corpus() {
  FuzzCorpus corpus;
  corpus.longest = 320;
  for (const char* file :
       {"Btasks/tagging", "Carchitectures/fpn", "Carchitectures/linknet", "Eschedulers/exponential_lr"}) {
    corpus.good.push_back(*file + FileText(std::string("catalog/") + (file + 1) + ".yaml"));
  }
  corpus.good.insert(
      corpus.good.end(),
      {"Agrpc: {listen: \"a:1\", stall_limit_ms: 5}\nengine: {threads: 2}\nplugins:\n  directories: [a, 'b']\n"
       "  strict: true\nlog: {level: debug, format: json}\n",
       "Cid: a\nheads:\n- &h {id: x, weight: 0.5, phases: [train], repeat: {name: s, count: 2, weights: [1, .5]}}\n"
       "- {id: y, signal: {by: m, q: box},\n   losses: {default: {by: m, q: mse}, params: {a: 1, b: true, c: [1, 2]},\n"
       "   weight_for: {\"t=g\": 2}}}\n- *h\n",
       "Did: sgd\nlearning_rate: 1.0e-2\nparameters:\n  momentum: {kind: number, default: 0, min: 0, max: 1,\n"
       "             max_exclusive: true, help: \"how: much\"}\n",
       "Fid: rotate\ntasks: [tagging]\nlabels: \"boxes\n  turn\"\nparameters: {p: {kind: choice, choices: [a, \"1\"], "
       "default: a}}\n",
       "Gparameters:\n  ? epochs\n  : kind: integer\n    default: 5\n    help: >-\n      two\n      lines\n"
       "    needs: [\"a > 0\"]\n"});
  corpus.words = Words(
      "id title help link tasks parameters heads kind choices default signal losses params repeat weights cases value "
      "optional grpc listen number choice true false null ~ 1 -1 1e400 .nan inf 0x10 99999999999999999999 2147483648 , "
      "{ } [ ] [[[[[[[[ \n \r\n \t \" ' # | >- |2\n *a ---\n ...\n \"\\x00\" \"\\ud800\" \"\\U0010ffff\" \"\\_\\N\" \\ "
      "\xc3\xa9 "
      "\xff \xef\xbb\xbf \xff\xfe \x04 \x7f \xc2\x85",
      {": ", "- ", "? ", ", ", "{a: {a: ", "- - - - ", "\n  ", " # ", "&a ", "[*a, *a]", "!!str ", "! ", "!<x> ",
       "<<: *a", "%YAML 1.2\n---\n", "%TAG ! x:\n---\n", std::string(1, '\0')});
  return corpus;
}

// A text that was taken says the same further down the file.
void CheckLower(char kind, const std::string& text, const Message& message, const YamlLines& lines) {
  const auto lower = Empty(kind);
  YamlLines lower_lines;
  const absl::Status status = ReadYaml("#\n" + text, "x.yaml", *lower, &lower_lines);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(lower->DebugString(), message.DebugString());
  for (auto& [path, line] : lower_lines) --line;
  EXPECT_EQ(lower_lines, lines);
}

void CheckTaken(char kind, const std::string& text, const Message& message, const YamlLines& lines) {
  EXPECT_TRUE(Empty(kind)->ParseFromString(message.SerializeAsString())) << "parsing refuses what is no UTF-8";
  // One or the other, for the sake of speed: each is a whole reading.
  if (text.size() % 2 == 0) {
    EXPECT_FALSE(ReadYaml(text + "\n---\n- x\n", "x.yaml", *Empty(kind)).ok()) << "the end was not read";
  } else if (!absl::StartsWith(text, "\xef\xbb\xbf")) {
    CheckLower(kind, text, message, lines);
  }
}

TEST(YamlFuzz, Reader) {
  Fuzz(Corpus(), 4, [](const std::string& input) {
    if (input.empty()) return false;
    const std::string text = input.substr(1);
    const auto message = Empty(input[0]);
    YamlLines lines;
    const absl::Status status = ReadYaml(text, "x.yaml", *message, &lines);
    if (status.ok()) {
      CheckTaken(input[0], text, *message, lines);
      return true;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const std::vector<FieldViolation> problems = FieldViolationsOf(status);
    EXPECT_FALSE(problems.empty());
    for (const auto& [field, description] : problems) {
      EXPECT_TRUE(NamesPlace(field, "x.yaml", text)) << field << ": " << description;
      EXPECT_TRUE(IsUtf8(field) && IsUtf8(description)) << field << ": " << description;
    }
    return false;
  });
}

}  // namespace
}  // namespace gradeline

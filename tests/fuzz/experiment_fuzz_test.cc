// The command line's reader of experiments never crashes and soon ends, says where every problem is, and what it takes
// is printed so that it is read back.
#include "absl/strings/match.h"
#include "client/cli/fill.h"
#include "client/cli/output.h"
#include "client/cpp/status.h"
#include "gradeline/v1/experiment.pb.h"
#include "gtest/gtest.h"
#include "server/core/base/utf8.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/problems.h"

namespace gradeline {
namespace {

bool CheckTaken(const std::string& text, const v1::Experiment& read) {
  v1::Experiment parsed, back, longer;
  EXPECT_TRUE(parsed.ParseFromString(read.SerializeAsString())) << "parsing refuses what is no UTF-8, or too deep";
  const std::string printed = cli::ToYaml(read);
  const absl::Status status = cli::FillFromYaml("y.yaml", printed, &back);
  // An experiment that says nothing is "{}", which is one.
  EXPECT_TRUE(status.ok()) << status << "\n" << printed;
  EXPECT_EQ(back.DebugString(), read.DebugString()) << printed;
  EXPECT_EQ(cli::ToYaml(back), printed);
  EXPECT_FALSE(cli::FillFromYaml("x.yaml", text + "\n---\n- x\n", &longer).ok()) << "the end was not read";
  return true;
}

TEST(YamlFuzz, Experiment) {
  const FuzzCorpus corpus{
      {"name: experiments/first\nsplit: splits/a\narchitecture: architectures/u-net\narchitecture_parameters:\n"
       "  encoder: resnet18\n  mode: binary\nlosses:\n  - head: segmentation\n    loss: losses/binary_cross_entropy\n"
       "    params: {ignore_index: 255, class_weights: [1, 2.5], flag: true, word: \"12\"}\n    weight: 0.5\n"
       "    reduction: mean\nmetrics: [accuracy, \"\"]\ntraining:\n  epochs: 5\n  learningRate: 1e-3\n"
       "  seed: 18446744073709551615\n  early_stopping: {monitor: validation.loss, mode: min, patience: 3}\n"
       "  augmentations:\n  - {augmentation: rotate, parameters: {limit: \"1,2\"}}\nlabels: {team: vision}\n"
       "notes: |\n  two\n  lines\n",
       "{\"name\":\"a\",\"losses\":[{\"head\":\"box@2\",\"params\":{\"a\":{\"b\":[null,{\"c\":\"\\u00e9\"}]}}}],"
       "\"createTime\":\"2026-01-31T08:00:00Z\",\"heads\":[{\"phases\":[\"PHASE_TRAIN\"],\"classes\":\"3\"}]}",
       "losses:\n- &a {head: x, weight: 1}\n- *a\ntraining: {}\nlabels:\n  ? a\n  : &b \"1\"\n  c: *b\n"},
      Words("name split architecture_parameters losses params training heads labels notes augmentations parameters "
            "weight metrics createTime PHASE_TEST mean true null ~ 1 -0 1e400 nan inf 1e-320 12345678901234567 "
            "2026-01-31T08:00:00.5Z 0001-01-01T00:00:00Z { } [ ] [[[[[[[[ [] {} \"\" \n \r\n \t \" ' # | >- |2\n *a "
            "---\n "
            "...\n \"\\x00\" \"\\x7f\\x85\" \"\\u2028\\ufeff\" \"\\_\\N\" \"\\U000e0041\\U0001d173\" \\ \xc3\xa9 \xff "
            "\xef\xbb\xbf "
            "\x04 \x7f \xf3\xa0\x81\x81 yes a,b 1,",
            {": ", "- ", "? ", ", ", "{a: {a: ", "{a: [{a: [", "\n  ", " # ", "&a ", "[*a, *a]", "{a: *a, b: *a}",
             "!!str ", "! ", "<<: *a", "%YAML 1.2\n---\n", "a b", std::string(1, '\0'), std::string(130, 'k')}),
      4,
      1000};
  Fuzz(corpus, 6, [](const std::string& input) {
    v1::Experiment read;
    const absl::Status status = cli::FillFromYaml("x.yaml", input, &read);
    if (status.ok()) return CheckTaken(input, read);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const auto problems = client::FieldViolationsOf(status);
    EXPECT_TRUE(!problems.empty() || absl::StartsWith(status.message(), "x.yaml: is empty")) << status;
    for (const auto& problem : problems) {
      EXPECT_TRUE(NamesPlace(problem.field, "x.yaml", input)) << problem.field << ": " << problem.description;
      EXPECT_TRUE(!problem.description.empty() && IsUtf8(problem.description)) << problem.description;
    }
    return false;
  });
}

}  // namespace
}  // namespace gradeline

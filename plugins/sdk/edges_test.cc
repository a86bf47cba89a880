// Edge inputs: every kind is drawn, and all of them are allowed by the specs.
#include <gmock/gmock.h>

#include <set>

#include "plugins/sdk/conformance_edges.h"
#include "plugins/sdk/loss.h"

namespace gradeline::conformance {
namespace {

constexpr GdlTensorSpec kTensors[] = {sdk::Prediction("N c *", "logits", "logits"),
                                      sdk::LabelTarget("N *", "c", "ignore_index", "class"),
                                      sdk::RealTarget("N c *", "probability", 0, 1, "probabilities")};
constexpr const GdlTensorSpec* kList[] = {&kTensors[0], &kTensors[1], &kTensors[2], nullptr};

TEST(Edges, EveryKindComes) {
  GdlLoss loss{};
  loss.tensors = kList;
  std::mt19937_64 random(11);
  std::set<std::string> seen;
  for (uint32_t draw = 0; draw < 400; ++draw) {
    Case c{"", {{"N", 4}, {"c", 3}, {"*", 5}}, {}};
    c.fix = [&](Batch&) { seen.insert("fixed"); };
    Batch batch = RandomBatch(loss, c, {true, true, true}, draw);
    Distort(loss, c, batch, random);
    const std::vector<double>& logits = batch.tensors[0].real;
    const std::vector<int32_t>& labels = batch.tensors[1].labels;
    std::set<int32_t> classes(labels.begin(), labels.end());
    for (int32_t label : labels) ASSERT_TRUE(label >= -1 && label < 3);
    for (double value : batch.tensors[2].real) ASSERT_TRUE(value >= 0 && value <= 1);
    for (double value : logits) ASSERT_LE(std::abs(value), 1e4);
    if (classes == std::set<int32_t>{-1}) seen.insert("all ignored");
    classes.erase(-1);
    if (classes == std::set<int32_t>{0}) seen.insert("no positives");
    if (classes.size() == 1) seen.insert("one class");
    if (classes.size() == 2) seen.insert("a class absent");
    if (std::count(logits.begin(), logits.end(), 1e4) > 5 && std::count(logits.begin(), logits.end(), -1e4) > 5) {
      seen.insert("far out");
    }
    if (std::count_if(logits.begin(), logits.end(), [](double z) { return z > 9990; }) == 60) seen.insert("offset");
    if (std::count(logits.begin(), logits.end(), 30) + std::count(logits.begin(), logits.end(), -30) == 60) {
      seen.insert("sure");
    }
    const double most = *std::max_element(logits.begin(), logits.end());
    if (std::count(logits.begin(), logits.end(), most) > 20) seen.insert("ties");
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre("fixed", "all ignored", "no positives", "one class",
                                                    "a class absent", "far out", "offset", "sure", "ties"));
}

TEST(Edges, ProbabilitiesStayProbabilities) {
  GdlLoss loss{};
  loss.tensors = kList;
  std::mt19937_64 random(12);
  bool ends = false;
  for (uint32_t draw = 0; draw < 100; ++draw) {
    Case c{"", {{"N", 4}, {"c", 3}}, {}};
    c.encoding = "probability";
    Batch batch = RandomBatch(loss, c, {true, true, false}, draw);
    Distort(loss, c, batch, random);
    for (double p : batch.tensors[0].real) {
      ASSERT_TRUE(p >= 0 && p <= 1) << p;
      ends = ends || p == 0 || p == 1;
    }
  }
  EXPECT_TRUE(ends);
}

}  // namespace
}  // namespace gradeline::conformance

#include <cmath>

#include "server/core/metric/test_objects.h"

namespace gradeline {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMetric = "voc_average_precision";

/// By the definition, of one class; nullopt without targets.
std::optional<double> Plain(const TestScene& scene, int class_id, double iou, bool eleven_point, double offset) {
  std::vector<PlainHit> hits;
  double targets = 0;
  for (const int64_t image : scene.images) {
    std::vector<TestObject> own;
    for (const TestObject& t : scene.targets) {
      if (t.image == image && t.class_id == class_id) own.push_back(t);
      targets += t.image == image && t.class_id == class_id && !t.crowd ? 1 : 0;
    }
    std::set<size_t> taken;
    const std::vector<TestObject> detections = InImage(scene.detections, image, class_id);
    for (size_t d = 0; d < detections.size(); ++d) {
      std::optional<size_t> nearest;
      double best = 0;
      for (size_t t = 0; t < own.size(); ++t) {
        const double overlap = PlainIou(detections[d], own[t], false, offset);
        if (overlap > best) nearest = t;
        best = std::max(best, overlap);
      }
      const bool over = nearest && best >= iou;
      if (over && own[*nearest].crowd) continue;
      hits.push_back({detections[d].score, image, d, over && taken.insert(*nearest).second});
    }
  }
  if (targets == 0) return std::nullopt;
  SortHits(hits);
  std::vector<std::pair<double, double>> points;  // found, precision
  double found = 0;
  for (const PlainHit& hit : hits) {
    found += hit.hit ? 1 : 0;
    points.emplace_back(found, found / static_cast<double>(points.size() + 1));
  }
  double sum = 0;
  const auto highest = [&](double from) {
    double precision = 0;
    for (const auto& [k, p] : points) precision = k >= from ? std::max(precision, p) : precision;
    return precision;
  };
  if (eleven_point) {
    for (int i = 0; i <= 10; ++i) sum += highest(std::ceil(i * targets / 10)) / 11;
  } else {
    for (int k = 1; k <= found; ++k) sum += highest(k) / targets;
  }
  return sum;
}

TEST(VocMetricsTest, RandomScenesAgreeWithTheDefinition) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  double worst = 0;
  for (int i = 0; i < 300 && !HasFailure(); ++i) {
    const TestScene scene = RandomScene(random, false);
    const double iou = std::vector<double>{.5, .3, .75, 1}[random() % 4];
    const bool eleven_point = random() % 2 == 0;
    const double offset = static_cast<double>(random() % 2);
    const ParamMap params{
        {"iou", iou}, {"interpolation", eleven_point ? "eleven_point" : "area"}, {"pixel_offset", offset}};
    const std::vector<OwnedBatch> pieces = PiecesOf(scene, random);
    const MetricResult result = *Evaluate(kMetric, pieces, params);
    std::vector<ClassNumber> wanted;
    double sum = 0;
    for (int c = 0; c < 3; ++c) {
      const std::optional<double> plain = Plain(scene, c, iou, eleven_point, offset);
      if (!plain) continue;
      wanted.push_back({c, *plain, 0});
      sum += *plain;
    }
    ASSERT_EQ(result.classes.size(), wanted.size());
    for (size_t c = 0; c < wanted.size(); ++c) {
      EXPECT_EQ(result.classes[c].index, wanted[c].index);
      EXPECT_NEAR(result.classes[c].value, wanted[c].value, 1e-12);
      worst = std::max(worst, std::abs(result.classes[c].value - wanted[c].value));
    }
    EXPECT_NEAR(result.value, wanted.empty() ? 0 : sum / static_cast<double>(wanted.size()), 1e-12);
    EXPECT_EQ(result.count, wanted.empty() ? 0 : static_cast<int64_t>(scene.images.size()));
    ExpectSameForEveryPartition(kMetric, pieces, random, params);
  }
  std::printf("worst difference from the plain reference: %g\n", worst);
}

TestObject Square(double left, double score = 0) {
  return {.image = 1, .left = left, .right = left + 9, .bottom = 9, .score = score, .area = 81};
}

TEST(VocMetricsTest, WhatTakesATakenTargetIsWrongThoughAnotherIsNear) {
  // The second detection overlaps both targets by more than a half of them, the taken one more.
  TestScene scene{.images = {1}, .detections = {Square(0, .9), Square(1, .8)}, .targets = {Square(0), Square(3)}};
  EXPECT_DOUBLE_EQ(Evaluate(kMetric, {BatchOf(scene)})->value, .5);
  // COCO gives it the other one.
  EXPECT_DOUBLE_EQ(Evaluate("coco_average_precision", {BatchOf(scene)}, {{"iou", "0.50"}})->value, 1);
}

TEST(VocMetricsTest, PixelsFromTheFirstToTheLastOverlapMore) {
  // 4 of 9 columns without the last pixel's, 5 of 10 with: 5 / 15.
  TestScene scene{.images = {1}, .detections = {Square(5, .9)}, .targets = {Square(0)}};
  const ParamMap iou{{"iou", 1.0 / 3}}, pixels{{"iou", 1.0 / 3}, {"pixel_offset", 1.0}};
  EXPECT_EQ(Evaluate(kMetric, {BatchOf(scene)}, iou)->value, 0);
  EXPECT_EQ(Evaluate(kMetric, {BatchOf(scene)}, pixels)->value, 1);
}

TEST(VocMetricsTest, NothingButDifficultIsUndefined) {
  TestScene scene{.images = {1}, .detections = {Square(0, .9)}, .targets = {Square(0)}};
  scene.targets[0].crowd = true;
  const MetricResult result = *Evaluate(kMetric, {BatchOf(scene)});
  EXPECT_EQ(result.count, 0);
  EXPECT_THAT(result.note, HasSubstr("no target"));
}

TEST(VocMetricsTest, RefusesWhatItCannotTell) {
  const std::unique_ptr<Counts> counts = NewCounts(kMetric, "detections");
  TestScene scene{.images = {1}, .detections = {Square(0, NAN)}, .targets = {Square(0)}};
  EXPECT_THAT(std::string(counts->Add(BatchOf(scene).view()).message()), HasSubstr("nan at item 0"));
  scene.detections[0].score = .5;
  ASSERT_TRUE(counts->Add(BatchOf(scene).view()).ok());
  EXPECT_THAT(std::string(counts->Add(BatchOf(scene).view()).message()), HasSubstr("image 1 came"));
  EXPECT_TRUE(absl::IsResourceExhausted(NewCounts(kMetric, "detections", {}, 100)->Add(BatchOf(scene).view())));
}

}  // namespace
}  // namespace gradeline

#include <cmath>
#include <limits>

#include "server/core/base/status.h"
#include "server/core/metric/detection_counts.h"
#include "server/core/metric/test_objects.h"

namespace gradeline {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMetric = "coco_average_precision";
constexpr std::pair<double, double> kRanges[] = {{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}};

/// By the definition: of one class, area range and threshold. Each detection, the best first, takes the free target of
/// the highest IoU among those that count; if there is none, among those that do not. Recall, then 101-point precision.
struct PlainCoco {
  const TestScene& scene;
  size_t most = 100;  // detections per image and class

  bool Outside(double area, size_t range) const { return area < kRanges[range].first || area > kRanges[range].second; }
  int64_t Targets(int class_id, size_t range) const {
    return std::count_if(scene.targets.begin(), scene.targets.end(), [&](const TestObject& t) {
      return t.class_id == class_id && !t.crowd && !Outside(t.area, range);
    });
  }
  std::vector<PlainHit> Hits(int class_id, size_t range, double threshold, size_t detections) const {
    std::vector<PlainHit> hits;
    for (const int64_t image : scene.images) {
      const std::vector<TestObject> own = InImage(scene.detections, image, class_id);
      std::vector<TestObject> targets;
      for (const TestObject& t : scene.targets) {
        if (t.image == image && t.class_id == class_id) targets.push_back(t);
      }
      std::vector<bool> free(targets.size(), true);
      for (size_t d = 0; d < std::min(own.size(), detections); ++d) {
        std::optional<size_t> found;
        bool counts = true;
        for (const bool counting : {true, false}) {
          double best = std::min(threshold, 1 - 1e-10);
          for (size_t t = 0; t < targets.size(); ++t) {
            const bool target_counts = !targets[t].crowd && !Outside(targets[t].area, range);
            if (target_counts != counting || !(free[t] || targets[t].crowd)) continue;
            const double iou = PlainIou(own[d], targets[t], targets[t].crowd);
            if (iou < best) continue;
            best = iou;
            found = t;
            counts = counting;
          }
          if (found) break;
        }
        if (found) free[*found] = false;
        if (found ? counts : !Outside(own[d].area, range)) hits.push_back({own[d].score, image, d, found.has_value()});
      }
    }
    SortHits(hits);
    return hits;
  }
  double Recall(int class_id, size_t range, double threshold, size_t detections) const {
    const std::vector<PlainHit> hits = Hits(class_id, range, threshold, detections);
    return static_cast<double>(std::count_if(hits.begin(), hits.end(), [](const PlainHit& h) { return h.hit; })) /
           static_cast<double>(Targets(class_id, range));
  }
  double Precision(int class_id, size_t range, double threshold) const {
    const std::vector<PlainHit> hits = Hits(class_id, range, threshold, most);
    const auto targets = static_cast<double>(Targets(class_id, range));
    double sum = 0;
    for (int point = 0; point <= 100; ++point) {
      double highest = 0, found = 0;
      for (size_t i = 0; i < hits.size(); ++i) {
        found += hits[i].hit ? 1 : 0;
        if (found / targets >= point * .01) highest = std::max(highest, found / static_cast<double>(i + 1));
      }
      sum += highest;
    }
    return sum / 101;
  }
  /// Mean over classes with targets and over thresholds; nullopt: none.
  template <typename Of>
  std::optional<double> Mean(size_t range, std::vector<int> thresholds, Of of) const {
    double sum = 0, count = 0;
    for (int c = 0; c < 3; ++c) {
      if (Targets(c, range) == 0) continue;
      for (const int percent : thresholds) {
        sum += of(c, percent / 100.0);
        ++count;
      }
    }
    return count == 0 ? std::nullopt : std::optional(sum / count);
  }
};

double worst = 0;  // difference from the plain reference

void ExpectNear(double got, double wanted, const std::string& what) {
  worst = std::max(worst, std::abs(got - wanted));
  EXPECT_NEAR(got, wanted, 1e-12) << what;
}

void ExpectPlain(const TestScene& scene, const MetricResult& result, size_t range, std::vector<int> thresholds,
                 size_t most) {
  const std::vector<int> all{50, 55, 60, 65, 70, 75, 80, 85, 90, 95};
  const PlainCoco plain{scene, most};
  const auto precision = [&](size_t a) { return [&plain, a](int c, double t) { return plain.Precision(c, a, t); }; };
  const auto recall = [&](size_t a, size_t few) {
    return [&plain, a, few](int c, double t) { return plain.Recall(c, a, t, few); };
  };
  std::map<std::string, std::optional<double>> wanted{
      {"ap", plain.Mean(0, all, precision(0))},
      {"ap50", plain.Mean(0, {50}, precision(0))},
      {"ap75", plain.Mean(0, {75}, precision(0))},
      {"ap_small", plain.Mean(1, all, precision(1))},
      {"ap_medium", plain.Mean(2, all, precision(2))},
      {"ap_large", plain.Mean(3, all, precision(3))},
      {"ar" + std::to_string(most), plain.Mean(0, all, recall(0, most))},
      {"ar_small", plain.Mean(1, all, recall(1, most))},
      {"ar_medium", plain.Mean(2, all, recall(2, most))},
      {"ar_large", plain.Mean(3, all, recall(3, most))}};
  if (most > 1) wanted["ar1"] = plain.Mean(0, all, recall(0, 1));
  if (most > 10) wanted["ar10"] = plain.Mean(0, all, recall(0, 10));
  std::erase_if(wanted, [](const auto& number) { return !number.second; });
  ASSERT_EQ(result.numbers.size(), wanted.size());
  for (const NamedNumber& number : result.numbers) {
    ASSERT_TRUE(wanted.contains(number.name)) << number.name;
    ExpectNear(number.value, *wanted[number.name], number.name);
  }
  const std::optional<double> headline = plain.Mean(range, thresholds, precision(range));
  ExpectNear(result.value, headline.value_or(0), "value");
  EXPECT_EQ(result.count, headline ? static_cast<int64_t>(scene.images.size()) : 0);
  EXPECT_EQ(result.note.empty(), headline.has_value());
  size_t next = 0;
  for (int c = 0; c < 3; ++c) {
    if (plain.Targets(c, range) == 0) continue;
    ASSERT_LT(next, result.classes.size());
    EXPECT_EQ(result.classes[next].index, c);
    EXPECT_EQ(result.classes[next].count, plain.Targets(c, range));
    double sum = 0;
    for (const int percent : thresholds) sum += plain.Precision(c, range, percent / 100.0);
    ExpectNear(result.classes[next++].value, sum / static_cast<double>(thresholds.size()), "class");
  }
  EXPECT_EQ(next, result.classes.size());
}

void RandomScenes(bool masks, int scenes) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::vector<std::string> areas{"all", "small", "medium", "large"};
  for (int i = 0; i < scenes && !::testing::Test::HasFailure(); ++i) {
    const TestScene scene = RandomScene(random, masks);
    const size_t range = random() % 4, most = std::vector<size_t>{1, 2, 10, 100, 1000}[random() % 5];
    ParamMap params{{"area", areas[range]}, {"max_detections", static_cast<double>(most)}};
    std::vector<int> thresholds{50, 55, 60, 65, 70, 75, 80, 85, 90, 95};
    if (random() % 2 == 0) {
      thresholds = {thresholds[random() % 10]};
      params["iou"] = "0." + std::to_string(thresholds[0]);
    }
    const std::vector<OwnedBatch> pieces = PiecesOf(scene, random);
    const absl::StatusOr<MetricResult> result = Evaluate(kMetric, pieces, params);
    ASSERT_TRUE(result.ok()) << result.status();
    ExpectPlain(scene, *result, range, thresholds, most);
    ExpectSameForEveryPartition(kMetric, pieces, random, params);
    EXPECT_TRUE(*Evaluate(kMetric, {BatchOf(scene)}, params) == *result);
  }
  ::testing::Test::RecordProperty("worst", std::to_string(worst));
  std::printf("worst difference from the plain reference: %g\n", worst);
}

TEST(CocoMetricsTest, RandomBoxesAgreeWithTheDefinition) { RandomScenes(false, 150); }
TEST(CocoMetricsTest, RandomMasksAgreeWithTheDefinition) { RandomScenes(true, 100); }

// One target, and on it a detection for each score.
OwnedBatch OneTarget(int64_t image, const std::vector<double>& scores) {
  TestScene scene{.images = {image}};
  scene.targets.push_back({.image = image, .right = 10, .bottom = 10, .area = 100});
  for (const double score : scores) {
    scene.detections.push_back({.image = image, .right = 10, .bottom = 10, .score = score, .area = 100});
  }
  return BatchOf(scene);
}

TEST(CocoMetricsTest, FormatsOfBoxesMeanTheSame) {
  std::mt19937_64 random(7);
  TestScene scene = RandomScene(random, false);
  const OwnedBatch corners = BatchOf(scene);
  for (const std::string& format : {std::string("xywh"), std::string("cxcywh")}) {
    OwnedBatch batch = corners;
    for (OwnedTensor& tensor : batch.tensors) {
      if (!tensor.name.ends_with("boxes")) continue;
      const std::vector<TestObject>& objects = tensor.name == "boxes" ? scene.detections : scene.targets;
      tensor.bytes.clear();
      for (const TestObject& o : objects) {
        const double width = o.right - o.left, height = o.bottom - o.top;
        const bool centre = format == "cxcywh";
        for (const double v :
             {centre ? o.left + width / 2 : o.left, centre ? o.top + height / 2 : o.top, width, height}) {
          tensor.Append(v);
        }
      }
    }
    EXPECT_TRUE(*Evaluate(kMetric, {batch}, {{"box_format", format}}) == *Evaluate(kMetric, {corners}));
  }
}

TEST(CocoMetricsTest, NothingAtAllIsUndefined) {
  const MetricResult result = *Evaluate(kMetric, {BatchOf({.images = {3, 4}})});
  EXPECT_EQ(result.count, 0);
  EXPECT_THAT(result.note, HasSubstr("no target"));
  EXPECT_TRUE(result.numbers.empty() && result.classes.empty());
  EXPECT_EQ(NewCounts(kMetric, "detections")->Bytes(), "");
}

TEST(CocoMetricsTest, ImagesWithoutObjectsCountAndChangeNothing) {
  const MetricResult one = *Evaluate(kMetric, {OneTarget(1, {.9, .8})});
  MetricResult more = *Evaluate(kMetric, {OneTarget(1, {.9, .8}), BatchOf({.images = {3, 4}})});
  EXPECT_EQ(one.count, 1);
  EXPECT_EQ(more.count, 3);
  more.count = 1;
  EXPECT_TRUE(more == one);
}

TEST(CocoMetricsTest, AnImageInTwoBatchesIsRefusedAndNeverMerged) {
  const std::unique_ptr<Counts> counts = NewCounts(kMetric, "detections");
  ASSERT_TRUE(counts->Add(OneTarget(17, {.5}).view()).ok());
  const std::string before = counts->Bytes();
  const absl::Status again = counts->Add(OneTarget(17, {.25}).view());
  ASSERT_EQ(FieldViolationsOf(again).size(), 1u);
  EXPECT_EQ(FieldViolationsOf(again)[0].field, "inputs.images");
  EXPECT_THAT(FieldViolationsOf(again)[0].description, HasSubstr("image 17 came in an earlier batch"));
  EXPECT_EQ(counts->Bytes(), before);

  // Merged it leaves nothing, in whatever order: 17 and 5 come twice, and the lower one is named.
  std::vector<OwnedBatch> pieces{OneTarget(17, {.5}), OneTarget(17, {.25}), OneTarget(5, {.5}), OneTarget(5, {.5}),
                                 OneTarget(9, {.5})};
  std::mt19937_64 random(std::random_device{}());
  std::set<std::string> outcomes;
  for (int i = 0; i < 10; ++i) {
    std::shuffle(pieces.begin(), pieces.end(), random);
    const std::unique_ptr<Counts> all = NewCounts(kMetric, "detections");
    for (const OwnedBatch& piece : pieces) {
      const std::unique_ptr<Counts> one = NewCounts(kMetric, "detections");
      ASSERT_TRUE(one->Add(piece.view()).ok());
      ASSERT_TRUE(all->Merge(one->Bytes()).ok());
    }
    outcomes.insert(all->Bytes());
    const Metric& metric = **FindMetric(kMetric);
    const MetricResult result = metric.compute(*all, *ResolveParams(metric.params, {}));
    EXPECT_EQ(result.count, 0);
    EXPECT_THAT(result.note, HasSubstr("image 5 comes in two batches"));
  }
  EXPECT_EQ(outcomes.size(), 1u);
}

TEST(CocoMetricsTest, IdsOfAnyKindAndZerosOfBothSigns) {
  const std::unique_ptr<Counts> counts = NewCounts(kMetric, "detections");
  std::vector<OwnedBatch> batches;
  for (const int64_t image : {std::numeric_limits<int64_t>::min(), int64_t{0}, std::numeric_limits<int64_t>::max()}) {
    batches.push_back(OneTarget(0, {image == 0 ? -0.0 : 0.0}));
    for (OwnedTensor& tensor : batches.back().tensors) {
      if (!tensor.name.ends_with("images")) continue;
      tensor.bytes.clear();
      tensor.Store(image);
    }
  }
  std::mt19937_64 random(1);
  ExpectSameForEveryPartition(kMetric, batches, random);
  for (const OwnedBatch& batch : batches) ASSERT_TRUE(counts->Add(batch.view()).ok());
  // Equal scores, so by image.
  const auto all = static_cast<const DetectionCounts&>(*counts).set().detections();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].image, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(all[1].image, 0);
  EXPECT_FALSE(std::signbit(all[1].score));
}

TEST(CocoMetricsTest, ScoresOfDoublePrecisionSurviveTheirBytes) {
  OwnedBatch batch = OneTarget(1, {0, 0});
  batch.tensors[0] = OwnedTensor("scores", DType::kF64, {2}, {.1, std::nextafter(.1, 1)});
  const std::unique_ptr<Counts> one = NewCounts(kMetric, "detections"), merged = NewCounts(kMetric, "detections");
  ASSERT_TRUE(one->Add(batch.view()).ok());
  ASSERT_TRUE(merged->Merge(one->Bytes()).ok());
  EXPECT_EQ(merged->Bytes(), one->Bytes());
  EXPECT_EQ(static_cast<const DetectionCounts&>(*merged).set().detections()[1].score, .1);
}

TEST(CocoMetricsTest, MemoryIsBounded) {
  const std::unique_ptr<Counts> counts = NewCounts(kMetric, "detections", {}, 400);
  ASSERT_TRUE(counts->Add(OneTarget(1, {.5, .4}).view()).ok());
  const std::string before = counts->Bytes();
  const std::unique_ptr<Counts> large = NewCounts(kMetric, "detections");
  ASSERT_TRUE(large->Add(OneTarget(2, std::vector<double>(20, .5)).view()).ok());
  for (const absl::Status& status :
       {counts->Add(OneTarget(2, std::vector<double>(20, .5)).view()), counts->Merge(large->Bytes())}) {
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("22 detections in 2 images take 904 bytes; allowed: 400 (metrics.max_bytes)"));
    EXPECT_EQ(counts->Bytes(), before);
  }
}

TEST(CocoMetricsTest, CountsOfTargetsStayBelowTheirBound) {
  // Image 0, not repeated, one class with 2^53 targets, no detections.
  const auto bytes = [](char image) {
    std::string most;
    for (int i = 0; i < 7; ++i) most += '\x80';
    most += '\x10';
    return std::string("\x01", 1) + image + std::string("\0\x01\0", 3) + most + std::string("\0\0\0\0", 4);
  };
  const std::unique_ptr<Counts> counts = NewCounts(kMetric, "detections");
  ASSERT_TRUE(counts->Merge(bytes(2)).ok());
  EXPECT_THAT(std::string(counts->Merge(bytes(4)).message()), HasSubstr("2^53"));
  EXPECT_EQ(counts->Bytes(), bytes(2));
  const Metric& metric = **FindMetric(kMetric);
  EXPECT_EQ(metric.compute(*counts, *ResolveParams(metric.params, {})).value, 0);
}

TEST(CocoMetricsTest, BytesFromAnywhereAreRefusedOrASum) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const Metric& metric = **FindMetric(kMetric);
  int good = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::unique_ptr<Counts> one = NewCounts(kMetric, "detections");
    ASSERT_TRUE(one->Add(BatchOf(RandomScene(random, false)).view()).ok());
    std::string bytes = one->Bytes();
    for (size_t n = 1 + random() % 3; n > 0 && !bytes.empty(); --n) {
      const size_t at = random() % bytes.size();
      if (random() % 4 == 0) {
        bytes.resize(at);
      } else {
        bytes[at] = static_cast<char>(random());
      }
    }
    const std::unique_ptr<Counts> counts = NewCounts(kMetric, "detections"), again = NewCounts(kMetric, "detections");
    if (!counts->Merge(bytes).ok()) {
      EXPECT_EQ(counts->Bytes(), "");
      continue;
    }
    ++good;
    ASSERT_TRUE(again->Merge(counts->Bytes()).ok());
    ASSERT_EQ(again->Bytes(), counts->Bytes());
    metric.compute(*counts, *ResolveParams(metric.params, {}));
  }
  EXPECT_GT(good, 0);
}

}  // namespace
}  // namespace gradeline

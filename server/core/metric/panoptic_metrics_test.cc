#include <cmath>
#include <map>
#include <set>

#include "server/core/base/status.h"
#include "server/core/metric/panoptic_counts.h"
#include "server/core/metric/test_batch.h"

namespace gradeline {
namespace {

using ::testing::HasSubstr;

constexpr const char* kMetric = "panoptic_quality";
constexpr int kHeight = 6, kWidth = 7;

struct PlainSegment {
  int64_t id;
  int class_id;
  bool crowd = false;
};
struct PlainImage {
  std::vector<int64_t> prediction, target;  // ids, row by row
  std::vector<PlainSegment> segments, targets;
};

PlainImage RandomImage(std::mt19937_64& random) {
  const auto below = [&](int most) { return static_cast<int>(random() % static_cast<uint64_t>(most)); };
  PlainImage image;
  image.target.assign(kHeight * kWidth, 0);
  for (int segment = 1, count = below(6); segment <= count; ++segment) {
    const int top = below(kHeight), left = below(kWidth), height = 1 + below(5), width = 1 + below(6);
    for (int y = top; y < std::min(kHeight, top + height); ++y) {
      for (int x = left; x < std::min(kWidth, left + width); ++x) {
        image.target[static_cast<size_t>(y * kWidth + x)] = -segment * (int64_t{1} << 40);
      }
    }
    image.targets.push_back({-segment * (int64_t{1} << 40), below(3), below(5) == 0});
  }
  image.prediction = image.target;
  for (int64_t& id : image.prediction) id = -(id >> 40);
  for (int changes = below(12); changes > 0; --changes) {
    image.prediction[static_cast<size_t>(below(kHeight * kWidth))] = below(7);
  }
  for (int64_t& id : image.target) id = below(12) == 0 ? 0 : id;
  for (const int64_t id : std::set<int64_t>(image.prediction.begin(), image.prediction.end())) {
    const bool known = id > 0 && id <= static_cast<int64_t>(image.targets.size());
    const int guess = known && below(4) > 0 ? image.targets[static_cast<size_t>(id - 1)].class_id : below(3);
    if (id != 0) image.segments.push_back({id, guess});
  }
  return image;
}

OwnedBatch BatchOf(const std::vector<PlainImage>& images, const std::vector<double>& stuff = {}) {
  std::vector<double> prediction, target, segments, targets;
  for (size_t n = 0; n < images.size(); ++n) {
    const auto index = static_cast<double>(n);
    prediction.insert(prediction.end(), images[n].prediction.begin(), images[n].prediction.end());
    target.insert(target.end(), images[n].target.begin(), images[n].target.end());
    for (const PlainSegment& s : images[n].segments) {
      segments.insert(segments.end(), {index, static_cast<double>(s.id), static_cast<double>(s.class_id)});
    }
    for (const PlainSegment& t : images[n].targets) {
      targets.insert(targets.end(),
                     {index, static_cast<double>(t.id), static_cast<double>(t.class_id), t.crowd ? 1. : 0.});
    }
  }
  const auto count = static_cast<int64_t>(images.size());
  OwnedBatch batch{"panoptic", {}};
  batch.tensors.emplace_back("prediction", DType::kU8, std::vector<int64_t>{count, kHeight, kWidth}, prediction);
  batch.tensors.emplace_back("target", DType::kI64, std::vector<int64_t>{count, kHeight, kWidth}, target);
  batch.tensors.emplace_back("segments", DType::kI32,
                             std::vector<int64_t>{static_cast<int64_t>(segments.size()) / 3, 3}, segments);
  batch.tensors.emplace_back("target_segments", DType::kI64,
                             std::vector<int64_t>{static_cast<int64_t>(targets.size()) / 4, 4}, targets);
  if (!stuff.empty()) {
    batch.tensors.emplace_back("stuff_classes", DType::kI32, std::vector<int64_t>{static_cast<int64_t>(stuff.size())},
                               stuff);
  }
  return batch;
}

struct PlainSum {
  long double iou = 0;
  int64_t found = 0, made_up = 0, missed = 0;
};

/// Pixels for which both hold.
template <typename Holds>
int64_t Pixels(Holds holds) {
  int64_t count = 0;
  for (size_t i = 0; i < kHeight * kWidth; ++i) count += holds(i) ? 1 : 0;
  return count;
}

/// By the definition, every target with every segment.
void AddPlain(const PlainImage& image, std::map<int, PlainSum>& sums) {
  std::set<int64_t> found;
  for (const PlainSegment& target : image.targets) {
    if (target.crowd) continue;
    bool hit = false;
    for (const PlainSegment& segment : image.segments) {
      const auto is_target = [&](size_t i) { return image.target[i] == target.id; };
      const auto is_segment = [&](size_t i) { return image.prediction[i] == segment.id && image.target[i] != 0; };
      const int64_t both = Pixels([&](size_t i) { return is_target(i) && is_segment(i); });
      const int64_t either = Pixels([&](size_t i) { return is_target(i) || is_segment(i); });
      if (segment.class_id != target.class_id || 2 * both <= either) continue;
      hit = true;
      found.insert(segment.id);
      sums[target.class_id].iou += static_cast<long double>(both) / static_cast<long double>(either);
    }
    ++(hit ? sums[target.class_id].found : sums[target.class_id].missed);
  }
  for (const PlainSegment& segment : image.segments) {
    if (found.contains(segment.id)) continue;
    int64_t crowd = 0;  // the last of its class
    for (const PlainSegment& target : image.targets) {
      if (target.crowd && target.class_id == segment.class_id) crowd = target.id;
    }
    const auto own = [&](size_t i) { return image.prediction[i] == segment.id; };
    const int64_t ignored =
        Pixels([&](size_t i) { return own(i) && (image.target[i] == 0 || image.target[i] == crowd); });
    if (2 * ignored <= Pixels(own)) ++sums[segment.class_id].made_up;
  }
}

double QualityOf(const PlainSum& sum) {
  return static_cast<double>(sum.iou /
                             (static_cast<long double>(sum.found) + .5L * static_cast<long double>(sum.made_up) +
                              .5L * static_cast<long double>(sum.missed)));
}

TEST(PanopticMetricsTest, RandomImagesAgreeWithTheDefinition) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  double worst = 0;
  for (int i = 0; i < 300 && !HasFailure(); ++i) {
    std::vector<OwnedBatch> pieces;
    std::map<int, PlainSum> sums;
    int64_t images = 0;
    for (size_t n = 1 + random() % 4; n > 0; --n) {
      std::vector<PlainImage> piece(random() % 3);
      for (PlainImage& image : piece) {
        image = RandomImage(random);
        AddPlain(image, sums);
      }
      images += static_cast<int64_t>(piece.size());
      pieces.push_back(BatchOf(piece, random() % 2 == 0 ? std::vector<double>{1} : std::vector<double>{}));
    }
    const MetricResult result = *Evaluate(kMetric, pieces);
    ASSERT_EQ(result.classes.size(), sums.size());
    double sum = 0;
    size_t next = 0;
    for (const auto& [class_id, own] : sums) {
      EXPECT_EQ(result.classes[next].index, class_id);
      EXPECT_EQ(result.classes[next].count, own.found + own.missed);
      EXPECT_NEAR(result.classes[next].value, QualityOf(own), 1e-15);
      worst = std::max(worst, std::abs(result.classes[next].value - QualityOf(own)));
      sum += QualityOf(own);
      ++next;
    }
    EXPECT_NEAR(result.value, sums.empty() ? 0 : sum / static_cast<double>(sums.size()), 1e-15);
    EXPECT_EQ(result.count, sums.empty() ? 0 : images);
    EXPECT_EQ(result.note.empty(), !sums.empty());
    ExpectSameForEveryPartition(kMetric, pieces, random);
  }
  std::printf("worst difference from the plain reference: %g\n", worst);
}

PlainImage HalfRight() {
  PlainImage image;
  image.target.assign(kHeight * kWidth, 9);
  image.prediction.assign(kHeight * kWidth, 2);
  image.segments = {{2, 1}};
  image.targets = {{9, 1}};
  return image;
}

std::map<std::string, std::string> WrongOf(const OwnedBatch& batch) {
  std::map<std::string, std::string> wrong;
  const absl::Status status = NewCounts(kMetric, "panoptic")->Add(batch.view());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const FieldViolation& violation : FieldViolationsOf(status)) wrong[violation.field] = violation.description;
  return wrong;
}

TEST(PanopticMetricsTest, WhatIsWrongIsNamed) {
  EXPECT_EQ(WrongOf({"panoptic", {}}).size(), 4u);
  PlainImage image = HalfRight();
  image.prediction[3] = 5;
  EXPECT_THAT(WrongOf(BatchOf({HalfRight(), image})).at("inputs.prediction"), HasSubstr("has segment 5 in image 1"));
  image = HalfRight();
  image.target[3] = 5;
  EXPECT_THAT(WrongOf(BatchOf({image})).at("inputs.target"), HasSubstr("has segment 5 in image 0"));
  image = HalfRight();
  image.segments.push_back({4, 1});
  EXPECT_THAT(WrongOf(BatchOf({image})).at("inputs.segments"), HasSubstr("lists segment 4 in image 0"));
  image = HalfRight();
  image.segments.push_back({2, 1});
  image.targets.push_back({0, 1});
  const auto both = WrongOf(BatchOf({image}));
  EXPECT_THAT(both.at("inputs.segments"), HasSubstr("has segment 2 at row 1; allowed: each once in image 0"));
  EXPECT_THAT(both.at("inputs.target_segments"), HasSubstr("has segment 0 at row 1"));
  OwnedBatch batch = BatchOf({HalfRight()}, {-1});
  batch.tensors[2] = OwnedTensor("segments", DType::kI32, {1, 3}, {1, 2, 1});
  batch.tensors[3] = OwnedTensor("target_segments", DType::kI32, {1, 4}, {0, 9, -1, 0});
  const auto rows = WrongOf(batch);
  EXPECT_THAT(rows.at("inputs.segments"), HasSubstr("has image 1 at row 0; allowed: 0 to 0"));
  EXPECT_THAT(rows.at("inputs.target_segments"), HasSubstr("has class -1 at row 0"));
  EXPECT_THAT(rows.at("inputs.stuff_classes"), HasSubstr("is -1 at item 0"));
  batch.tensors[0] = OwnedTensor("prediction", DType::kF32, {1, 2, 2}, {2, 2, 2, 2});
  batch.tensors[3] = OwnedTensor("target_segments", DType::kI32, {1, 3}, {0, 9, 1});
  const auto forms = WrongOf(batch);
  EXPECT_THAT(forms.at("inputs.prediction"), HasSubstr("type f32"));
  EXPECT_THAT(forms.at("inputs.target_segments"), HasSubstr("[1, 3]; allowed: [N, 4]"));
}

TEST(PanopticMetricsTest, MemoryIsBounded) {
  const std::unique_ptr<Counts> counts = NewCounts(kMetric, "panoptic", {}, 95), large = NewCounts(kMetric, "panoptic");
  ASSERT_TRUE(large->Add(BatchOf({HalfRight()}).view()).ok());
  for (const absl::Status& status : {counts->Add(BatchOf({HalfRight()}).view()), counts->Merge(large->Bytes())}) {
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("take 96 bytes; allowed: 95 (metrics.max_bytes)"));
  }
}

TEST(PanopticMetricsTest, BytesFromAnywhereAreRefusedOrASum) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const Metric& metric = **FindMetric(kMetric);
  int good = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::unique_ptr<Counts> one = NewCounts(kMetric, "panoptic");
    ASSERT_TRUE(one->Add(BatchOf({RandomImage(random)}, {1, 2}).view()).ok());
    std::string bytes = one->Bytes();
    for (size_t n = 1 + random() % 3; n > 0 && !bytes.empty(); --n) {
      const size_t at = random() % bytes.size();
      if (random() % 4 == 0) {
        bytes.resize(at);
      } else {
        bytes[at] = static_cast<char>(random());
      }
    }
    const std::unique_ptr<Counts> counts = NewCounts(kMetric, "panoptic"), again = NewCounts(kMetric, "panoptic");
    const std::string before = counts->Bytes();
    if (!counts->Merge(bytes).ok()) {
      EXPECT_EQ(counts->Bytes(), before);
      continue;
    }
    ++good;
    ASSERT_TRUE(again->Merge(counts->Bytes()).ok());
    ASSERT_EQ(again->Bytes(), counts->Bytes());
    const MetricResult result = metric.compute(*counts, {});
    EXPECT_TRUE(result.value >= 0 && result.value <= 1) << result.value;
  }
  EXPECT_GT(good, 0);
}

TEST(PanopticMetricsTest, SumsStayBelowTheirBound) {
  // No images, no stuff, one class (0) with 2^53 missed.
  std::string most;
  for (int i = 0; i < 7; ++i) most += '\x80';
  const std::string bytes = std::string("\0\0\1\0\0\0", 6) + most + '\x10';
  const std::unique_ptr<Counts> counts = NewCounts(kMetric, "panoptic");
  ASSERT_TRUE(counts->Merge(bytes).ok());
  EXPECT_THAT(std::string(counts->Merge(bytes).message()), HasSubstr("2^53"));
  EXPECT_EQ(counts->Bytes(), bytes);
}

}  // namespace
}  // namespace gradeline

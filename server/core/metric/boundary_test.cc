#include "server/core/metric/boundary.h"

#include <cmath>

#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/memory_limit.h"
#include "server/core/metric/test_counts_bytes.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;

struct Image {
  int64_t rows, columns;
  std::vector<int> said, right;  // -1 in `right`: ignored
};

/// Pixel by pixel, every pair of boundary pixels.
std::vector<std::pair<int64_t, int64_t>> BoundaryOf(const Image& image, const std::vector<int>& map, int index) {
  const auto at = [&](int64_t r, int64_t c) {
    const auto pixel = static_cast<size_t>(r * image.columns + c);
    const bool outside = r < 0 || c < 0 || r >= image.rows || c >= image.columns;
    return outside || image.right[pixel] < 0 ? -1 : map[pixel];
  };
  std::vector<std::pair<int64_t, int64_t>> boundary;
  for (int64_t r = 0; r < image.rows; ++r) {
    for (int64_t c = 0; c < image.columns; ++c) {
      if (at(r, c) != index) continue;
      for (const int other : {at(r - 1, c), at(r + 1, c), at(r, c - 1), at(r, c + 1)}) {
        if (other < 0 || other == index) continue;
        boundary.emplace_back(r, c);
        break;
      }
    }
  }
  return boundary;
}

/// NaN where the class does not occur.
long double ScoreOf(const Image& image, int index, double tolerance) {
  bool occurs = false;
  for (size_t i = 0; i < image.right.size(); ++i) {
    occurs |= image.right[i] >= 0 && (image.right[i] == index || image.said[i] == index);
  }
  if (!occurs) return NAN;
  const auto said = BoundaryOf(image, image.said, index), right = BoundaryOf(image, image.right, index);
  if (said.empty() && right.empty()) return 1;
  const double most =
      tolerance * tolerance * static_cast<double>(image.rows * image.rows + image.columns * image.columns);
  const auto share = [&](const auto& from, const auto& to) {
    long double near = 0;
    for (const auto& [r, c] : from) {
      bool found = false;
      for (const auto& [row, column] : to) {
        found |= static_cast<double>((r - row) * (r - row) + (c - column) * (c - column)) <= most;
      }
      near += found ? 1 : 0;
    }
    return from.empty() ? 0 : near / static_cast<long double>(from.size());
  };
  const long double precision = share(said, right), recall = share(right, said);
  return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
}

class BoundaryTest : public ::testing::Test {
 protected:
  int Below(int end) { return static_cast<int>(random_() % static_cast<uint64_t>(end)); }
  /// Rectangles over each other, the prediction with some of its own.
  Image Any(int64_t rows, int64_t columns, int classes) {
    Image image{rows, columns, {}, std::vector<int>(static_cast<size_t>(rows * columns))};
    Paint(image, image.right, classes, Below(6));
    image.said = image.right;
    Paint(image, image.said, classes, Below(3));
    if (Below(2) == 0) Paint(image, image.right, 0, 1);
    return image;
  }
  /// One batch for each signal's form; of binary ones class 1 is the positive.
  OwnedBatch Batch(const std::vector<Image>& images, int classes, bool binary, bool scores) {
    const int64_t count = static_cast<int64_t>(images.size()), rows = images[0].rows, columns = images[0].columns;
    const std::vector<int64_t> shape{count, rows, columns};
    OwnedTensor prediction("prediction", scores ? DType::kF32 : DType::kU8, shape, {});
    if (scores && !binary) prediction.shape = {count, classes, rows, columns};
    OwnedTensor target("target", DType::kU8, shape, {});
    for (const Image& image : images) {
      for (const int label : image.right) target.Append(label < 0 ? 255 : label);
      if (!scores || binary) {
        for (const int label : image.said) prediction.Append(scores ? label - 0.5 : label);
        continue;
      }
      for (int k = 0; k < classes; ++k) {
        for (const int label : image.said) prediction.Append(label == k ? 1 : 0);
      }
    }
    return {binary ? "pixel-binary" : "pixel-multiclass", {prediction, target}, 255};
  }

  const uint64_t seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};

 private:
  /// Without classes what is painted is ignored.
  void Paint(const Image& image, std::vector<int>& map, int classes, int times) {
    for (int time = 0; time < times; ++time) {
      const auto rows = static_cast<int>(image.rows), columns = static_cast<int>(image.columns);
      const int top = Below(rows), left = Below(columns), bottom = top + Below(rows - top),
                right = left + Below(columns - left);
      const int index = classes == 0 ? -1 : Below(classes);
      for (int r = top; r <= bottom; ++r) {
        for (int c = left; c <= right; ++c) map[static_cast<size_t>(r * image.columns + c)] = index;
      }
    }
  }
};

TEST_F(BoundaryTest, IsThatOfAllPairs) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 300; ++round) {
    const bool binary = Below(3) == 0, scores = Below(2) == 0;
    const bool wide = Below(10) == 0;  // so that more rows and columns are near than are looked through one by one
    const int classes = binary ? 2 : 1 + Below(4), rows = 1 + Below(wide ? 3 : 16),
              columns = 1 + Below(16) + (wide ? 150 : 0);
    const double tolerance = std::vector<double>{0, 0.0075, 0.06, 0.2, 1}[static_cast<size_t>(Below(5))];
    std::vector<OwnedBatch> batches;
    std::vector<long double> sums(static_cast<size_t>(classes)), counts(sums);
    for (int b = 0; b < 1 + Below(4); ++b) {
      std::vector<Image> images;
      for (int i = 0; i < 1 + Below(3); ++i) images.push_back(Any(rows, columns, classes));
      batches.push_back(Batch(images, classes, binary, scores));
      for (const Image& image : images) {
        for (int k = binary ? 1 : 0; k < classes; ++k) {
          const long double score = ScoreOf(image, k, tolerance);
          if (std::isnan(score)) continue;
          sums[static_cast<size_t>(k)] += score;
          counts[static_cast<size_t>(k)] += 1;
        }
      }
    }
    const ParamMap params{{"tolerance", tolerance}};
    const absl::StatusOr<MetricResult> got = Evaluate("boundary_f_score", batches, params);
    ASSERT_TRUE(got.ok()) << got.status();
    long double sum = 0, count = 0;
    std::vector<ClassNumber> wanted;
    for (int k = 0; k < classes; ++k) {
      const auto c = static_cast<size_t>(k);
      sum += sums[c];
      count += counts[c];
      if (counts[c] > 0) {
        wanted.push_back(
            {k - (binary ? 1 : 0), static_cast<double>(sums[c] / counts[c]), static_cast<int64_t>(counts[c])});
      }
    }
    ASSERT_EQ(got->count, static_cast<int64_t>(count));
    ASSERT_NEAR(got->value, count == 0 ? 0 : static_cast<double>(sum / count), 4e-16);
    ASSERT_EQ(got->classes.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(got->classes[i].index, wanted[i].index);
      EXPECT_EQ(got->classes[i].count, wanted[i].count);
      EXPECT_NEAR(got->classes[i].value, wanted[i].value, 4e-16);
    }
    ExpectSameForEveryPartition("boundary_f_score", batches, random_, params);
  }
}

TEST_F(BoundaryTest, AScoreIsRoundedOnce) {
  // One of two boundary pixels is found: precision 1, recall 1/2, F 2/3. 2^53 / 3 is 3002399751580330 and two thirds.
  const std::vector<int32_t> said = {1, 0, 0, 0, 0}, right = {1, 0, 0, 0, 1};
  const std::vector<BoundaryScore> scores = BoundaryScores({said, 1, 5, 1}, {right, 1, 5, 1}, 0);
  ASSERT_EQ(scores.size(), 1u);
  EXPECT_EQ(scores[0].scaled, 3002399751580331u);
}

TEST_F(BoundaryTest, ADistanceOfTheToleranceIsNear) {
  // Columns of a 3 x 4 image, diagonal 5: the boundary is one column off.
  const Image image{3, 4, {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}, {0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1}};
  const OwnedBatch batch = Batch({image}, 2, false, false);
  EXPECT_EQ(Evaluate("boundary_f_score", {batch}, {{"tolerance", 0.2}})->value, 1);
  EXPECT_EQ(Evaluate("boundary_f_score", {batch}, {{"tolerance", 0.19}})->value, 0);
}

TEST_F(BoundaryTest, ImagesWithoutABoundaryAgreeOrNot) {
  const Image same{2, 2, {0, 0, 0, 0}, {0, 0, 0, 0}}, other{2, 2, {1, 1, 1, 1}, {0, 0, 0, 0}};
  const Image ignored{2, 2, {0, 1, 1, 0}, {-1, -1, -1, -1}}, one_sided{2, 2, {0, 0, 0, 0}, {0, 0, 1, 1}};
  EXPECT_EQ(Evaluate("boundary_f_score", {Batch({same}, 2, false, true)})->value, 1);
  EXPECT_EQ(Evaluate("boundary_f_score", {Batch({one_sided}, 2, false, true)})->value, 0);
  EXPECT_EQ(*Evaluate("boundary_f_score", {Batch({ignored}, 2, false, true)}),
            (MetricResult{.note = "no class occurs in target or prediction"}));
  // Neither class has a boundary, although they are different: there is none to compare.
  EXPECT_EQ(Evaluate("boundary_f_score", {Batch({other}, 2, false, true)})->count, 2);
}

TEST_F(BoundaryTest, ShapesWithoutImagesAreRefused) {
  const std::unique_ptr<Counts> counts = NewCounts("boundary_f_score", "pixel-multiclass");
  const auto wrong = [&](const std::string& signal, DType dtype, std::vector<int64_t> shape,
                         std::vector<int64_t> target) {
    const OwnedBatch batch{
        signal,
        {{"prediction", dtype, shape, std::vector<double>(static_cast<size_t>(*ElementCount(shape)))},
         {"target", DType::kU8, target, std::vector<double>(static_cast<size_t>(*ElementCount(target)))}}};
    return FieldViolationsOf(counts->Add(batch.view()));
  };
  EXPECT_THAT(wrong("pixel-multiclass", DType::kF32, {1, 2, 3}, {1, 3}),
              ElementsAre(FieldViolation{
                  "inputs.prediction", "has shape [1, 2, 3]; allowed: scores [N, C, H, W] with 2^30 pixels at most"}));
  EXPECT_THAT(wrong("pixel-multiclass", DType::kU8, {1, 2, 3, 4}, {1, 2, 3, 4}),
              ElementsAre(FieldViolation{
                  "inputs.prediction", "has shape [1, 2, 3, 4]; allowed: classes [N, H, W] with 2^30 pixels at most"}));
  EXPECT_THAT(
      wrong("pixel-binary", DType::kF32, {4}, {4}),
      ElementsAre(FieldViolation{"inputs.prediction", "has shape [4]; allowed: [..., H, W] with 2^30 pixels at most"}));
  EXPECT_EQ(counts->Bytes(), "");
  EXPECT_THAT(wrong("pixel-multiclass", DType::kF32, {0, 2, 3, 4}, {0, 3, 4}), ElementsAre());
  EXPECT_THAT(wrong("pixel-multiclass", DType::kF32, {2, 2, 0, 4}, {2, 0, 4}), ElementsAre());
}

TEST_F(BoundaryTest, MemoryIsBounded) {
  const Image image{2, 2, {0, 0, 9, 9}, {0, 0, 9, 9}};
  const OwnedBatch batch = Batch({image}, 10, false, false);
  const std::unique_ptr<Counts> counts = NewCounts("boundary_f_score", "pixel-multiclass", {}, 319);
  EXPECT_EQ(
      counts->Add(batch.view()),
      absl::ResourceExhaustedError("boundary sums of 10 classes takes 320 B; allowed: 319 B (metrics.max_bytes)"));
  const std::unique_ptr<Counts> enough = NewCounts("boundary_f_score", "pixel-multiclass", {}, 320);
  ASSERT_TRUE(enough->Add(batch.view()).ok());
  EXPECT_EQ(counts->Merge(enough->Bytes()).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(counts->Bytes(), "");
}

std::string BytesOf(const std::vector<uint64_t>& numbers) {
  std::string bytes;
  for (const uint64_t number : numbers) PutUnsigned(number, bytes);
  return bytes;
}

TEST_F(BoundaryTest, GarbageIsRefusedOrASum) {
  SCOPED_TRACE(seed_);
  const std::unique_ptr<Counts> counts = NewCounts("boundary_f_score", "pixel-multiclass");
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(counts->Add(Batch({Any(9, 9, 5)}, 5, false, true).view()).ok());
  ExpectGarbageIsRefusedOrASum("boundary_f_score", "pixel-multiclass", counts->Bytes(), random_);
  constexpr uint64_t kOne = uint64_t{1} << 52;
  EXPECT_TRUE(NewCounts("boundary_f_score", "pixel-binary")->Merge(BytesOf({3, 3 * kOne, 0})).ok());
  EXPECT_FALSE(NewCounts("boundary_f_score", "pixel-binary")->Merge(BytesOf({3, 3 * kOne + 1, 0})).ok());
  EXPECT_FALSE(NewCounts("boundary_f_score", "pixel-binary")->Merge(BytesOf({3, 0, 1})).ok());
}

// 64 bits hold less than 2^12 scores of 1.
TEST_F(BoundaryTest, SumsOfManyScoresDoNotOverflow) {
  const std::unique_ptr<Counts> counts = NewCounts("boundary_f_score", "pixel-binary");
  const auto images = static_cast<uint64_t>(kMostCounted);
  const Boundary::Wide scaled = Boundary::Wide{images} << 52;
  const std::string all = BytesOf({images, static_cast<uint64_t>(scaled), static_cast<uint64_t>(scaled >> 64)});
  ASSERT_TRUE(counts->Merge(all).ok());
  EXPECT_EQ((*FindMetric("boundary_f_score"))->compute(*counts, {}).value, 1);
  EXPECT_FALSE(counts->Merge(BytesOf({1, 0, 0})).ok());
  EXPECT_EQ(counts->Bytes(), all);
}

}  // namespace
}  // namespace gradeline

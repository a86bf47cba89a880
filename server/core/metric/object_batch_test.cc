#include "server/core/metric/object_batch.h"

#include <limits>

#include "server/core/base/status.h"
#include "server/core/metric/test_objects.h"

namespace gradeline {
namespace {

using ::testing::HasSubstr;

/// What is wrong with the batch, by field. The metrics refuse it alike.
std::map<std::string, std::string> WrongOf(const OwnedBatch& batch) {
  std::map<std::string, std::string> wrong;
  const absl::Status status = NewCounts("coco_average_precision", batch.signal)->Add(batch.view());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const FieldViolation& violation : FieldViolationsOf(status)) wrong[violation.field] = violation.description;
  return wrong;
}

TestScene TwoObjects(bool masks) {
  TestScene scene{.masks = masks, .images = {7}};
  for (const int left : {0, 3}) {
    TestObject object{.image = 7, .class_id = 1};
    SetShape(object, masks, left, 1, 4, 4);
    scene.targets.push_back(object);
    object.score = .5;
    scene.detections.push_back(object);
  }
  return scene;
}

OwnedTensor& Tensor(OwnedBatch& batch, const std::string& name) {
  return *std::find_if(batch.tensors.begin(), batch.tensors.end(),
                       [&](const OwnedTensor& t) { return t.name == name; });
}

TEST(ObjectBatchTest, AllThatIsMissingIsNamed) {
  const auto boxes = WrongOf({"detections", {}});
  for (const char* name : {"scores", "classes", "images", "boxes", "target_classes", "target_images", "target_boxes"}) {
    EXPECT_EQ(boxes.count("inputs." + std::string(name)), 1u) << name;
  }
  EXPECT_EQ(boxes.size(), 7u);
  EXPECT_EQ(WrongOf({"instances", {}}).size(), 11u);
}

TEST(ObjectBatchTest, WrongNumbersAreNamedWithTheirItem) {
  OwnedBatch batch = BatchOf(TwoObjects(false));
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  Tensor(batch, "scores") = OwnedTensor("scores", DType::kF32, {2}, {.5, nan});
  Tensor(batch, "boxes") = OwnedTensor("boxes", DType::kF64, {2, 4}, {0, 0, 1, 1, 0, 0, infinite, 1});
  Tensor(batch, "target_boxes") = OwnedTensor("target_boxes", DType::kF32, {2, 4}, {0, nan, 1, 1, 0, 0, 1, 1});
  Tensor(batch, "classes") = OwnedTensor("classes", DType::kI64, {2}, {1, -1});
  Tensor(batch, "target_classes") = OwnedTensor("target_classes", DType::kI64, {2}, {1 << 24, 0});
  Tensor(batch, "target_crowd") = OwnedTensor("target_crowd", DType::kU8, {2}, {1, 2});
  Tensor(batch, "target_area") = OwnedTensor("target_area", DType::kF64, {2}, {nan, 2});
  const auto wrong = WrongOf(batch);
  EXPECT_EQ(wrong.size(), 7u);
  EXPECT_THAT(wrong.at("inputs.scores"), HasSubstr("nan at item 1; allowed: numbers"));
  EXPECT_THAT(wrong.at("inputs.boxes"), HasSubstr("inf at item 1"));
  EXPECT_THAT(wrong.at("inputs.target_boxes"), HasSubstr("nan at item 0"));
  EXPECT_THAT(wrong.at("inputs.classes"), HasSubstr("is -1 at item 1; allowed: 0 to 16777215"));
  EXPECT_THAT(wrong.at("inputs.target_classes"), HasSubstr("is 16777216 at item 0"));
  EXPECT_THAT(wrong.at("inputs.target_crowd"), HasSubstr("is 2 at item 1; allowed: 0, 1"));
  EXPECT_THAT(wrong.at("inputs.target_area"), HasSubstr("nan at item 0"));
}

TEST(ObjectBatchTest, InfiniteScoresAreNumbers) {
  OwnedBatch batch = BatchOf(TwoObjects(false));
  const double infinite = std::numeric_limits<double>::infinity();
  Tensor(batch, "scores") = OwnedTensor("scores", DType::kF32, {2}, {-infinite, infinite});
  EXPECT_EQ(Evaluate("coco_average_precision", {batch})->value, 1);
}

TEST(ObjectBatchTest, WrongTypesAndShapesAreNamed) {
  OwnedBatch batch = BatchOf(TwoObjects(false));
  Tensor(batch, "scores") = OwnedTensor("scores", DType::kI32, {2}, {1, 1});
  Tensor(batch, "classes") = OwnedTensor("classes", DType::kF32, {2}, {1, 1});
  Tensor(batch, "images") = OwnedTensor("images", DType::kI64, {3}, {7, 7, 7});
  Tensor(batch, "boxes") = OwnedTensor("boxes", DType::kF32, {2, 3}, {1, 1, 1, 1, 1, 1});
  Tensor(batch, "target_images") = OwnedTensor("target_images", DType::kI64, {2, 1}, {7, 7});
  Tensor(batch, "evaluated_images") = OwnedTensor("evaluated_images", DType::kI64, {}, {7});
  const auto wrong = WrongOf(batch);
  EXPECT_EQ(wrong.size(), 6u);
  EXPECT_THAT(wrong.at("inputs.scores"), HasSubstr("type i32; allowed: f32"));
  EXPECT_THAT(wrong.at("inputs.classes"), HasSubstr("type f32; allowed: u8"));
  EXPECT_THAT(wrong.at("inputs.images"), HasSubstr("[3]; allowed: [2]"));
  EXPECT_THAT(wrong.at("inputs.boxes"), HasSubstr("[2, 3]; allowed: [2, 4]"));
  EXPECT_THAT(wrong.at("inputs.target_images"), HasSubstr("[2, 1]; allowed: [2]"));
  EXPECT_THAT(wrong.at("inputs.evaluated_images"), HasSubstr("[]; allowed: [N]"));
}

TEST(ObjectBatchTest, MasksMustFillTheirImage) {
  const TestScene scene = TwoObjects(true);
  OwnedBatch batch = BatchOf(scene);
  ASSERT_TRUE(Evaluate("coco_average_precision", {batch}).ok());
  Tensor(batch, "mask_sizes") = OwnedTensor("mask_sizes", DType::kI64, {2, 2}, {12, 12, 12, 11});
  EXPECT_THAT(WrongOf(batch).at("inputs.mask_counts"), HasSubstr("do not add up to 12 * 11 at mask 1"));
  batch = BatchOf(scene);
  Tensor(batch, "target_mask_sizes") = OwnedTensor("target_mask_sizes", DType::kI64, {2, 2}, {9, 16, 9, 16});
  EXPECT_THAT(WrongOf(batch).at("inputs.target_mask_sizes"), HasSubstr("another mask of image 7 has 12, 12"));
  batch = BatchOf(scene);
  Tensor(batch, "mask_runs").bytes = Tensor(batch, "target_mask_runs").bytes;
  Tensor(batch, "mask_runs") = OwnedTensor("mask_runs", DType::kI64, {2}, {1, 0});
  EXPECT_EQ(WrongOf(batch).count("inputs.mask_counts"), 1u);
  Tensor(batch, "mask_runs") = OwnedTensor("mask_runs", DType::kI64, {2}, {1e18, 1e18});
  EXPECT_EQ(WrongOf(batch).count("inputs.mask_counts"), 1u);
  Tensor(batch, "mask_runs") = OwnedTensor("mask_runs", DType::kI64, {2}, {-1, 3});
  EXPECT_EQ(WrongOf(batch).count("inputs.mask_runs"), 1u);
}

}  // namespace
}  // namespace gradeline

#include "client/cli/coco_tensors.h"

#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradeline::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kTarget[] = R"({"info": {"year": 2017}, "licenses": [{"id": 1}, 2],
  "images": [{"id": 8, "height": 4, "width": 6}, {"id": 5, "height": 4, "width": 6}],
  "annotations": [{"id": 1, "image_id": 5, "category_id": 7, "bbox": [1, 2.5, 3e0, 1], "area": 3, "iscrowd": 0,
                   "segmentation": [[0, 0, 2, 0, 2, 4, 0, 4]]},
                  {"id": 2, "image_id": 8, "category_id": 3, "bbox": [0, 0, 1, 1], "area": 1.5, "iscrowd": 1,
                   "segmentation": {"size": [4, 6], "counts": [3, 1, 20]}}],
  "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]})";
constexpr char kPrediction[] = R"([{"image_id": 8, "category_id": 7, "bbox": [0, 0, 2, 2], "score": 0.5,
  "segmentation": {"size": [4, 6], "counts": "34j0"}}])";

absl::StatusOr<CocoTensors> Read(const std::string& target, const std::string& prediction, bool masks = false) {
  MemorySource of_target(target), of_prediction(prediction);
  return ParseCocoTensors(&of_target, &of_prediction, {"t", "p"}, masks);
}

template <typename T>
std::vector<T> Values(const CocoTensors& read, const std::string& name) {
  for (const v1::Tensor& tensor : read.tensors) {
    if (tensor.name() != name) continue;
    std::vector<T> values(tensor.data().size() / sizeof(T));
    std::memcpy(values.data(), tensor.data().data(), tensor.data().size());
    return values;
  }
  ADD_FAILURE() << name;
  return {};
}

// What is said of the files with some text of them replaced.
std::string Wrong(const char* from, const char* to, bool masks = false) {
  const auto read =
      Read(absl::StrReplaceAll(kTarget, {{from, to}}), absl::StrReplaceAll(kPrediction, {{from, to}}), masks);
  return read.ok() ? "nothing" : std::string(read.status().message());
}

TEST(CocoTensors, Boxes) {
  const auto read = Read(kTarget, kPrediction);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->classes, ElementsAre("cat", "dog")) << "by id";
  EXPECT_THAT(Values<int64_t>(*read, "target_classes"), ElementsAre(1, 0));
  EXPECT_THAT(Values<int64_t>(*read, "target_images"), ElementsAre(5, 8));
  EXPECT_THAT(Values<int64_t>(*read, "target_crowd"), ElementsAre(0, 1));
  EXPECT_THAT(Values<double>(*read, "target_area"), ElementsAre(3, 1.5));
  EXPECT_THAT(Values<double>(*read, "target_boxes"), ElementsAre(1, 2.5, 3, 1, 0, 0, 1, 1));
  EXPECT_THAT(Values<double>(*read, "boxes"), ElementsAre(0, 0, 2, 2));
  EXPECT_THAT(Values<double>(*read, "scores"), ElementsAre(0.5));
  EXPECT_THAT(Values<int64_t>(*read, "evaluated_images"), ElementsAre(5, 8));
}

TEST(CocoTensors, Masks) {
  const auto read = Read(kTarget, kPrediction, true);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(Values<int64_t>(*read, "target_mask_sizes"), ElementsAre(4, 6, 4, 6));
  EXPECT_THAT(Values<int64_t>(*read, "target_mask_runs"), ElementsAre(3, 3));
  EXPECT_THAT(Values<int64_t>(*read, "target_mask_counts"), ElementsAre(0, 8, 16, 3, 1, 20));
  EXPECT_THAT(Values<int64_t>(*read, "mask_counts"), ElementsAre(3, 4, 26));
}

TEST(CocoTensors, NothingFoundIsNoError) {
  const auto read = Read(kTarget, "[]");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(Values<double>(*read, "scores"), ElementsAre());
}

TEST(CocoTensors, ValuesOfWrongTypesAreNamed) {
  EXPECT_THAT(Wrong("\"image_id\": 5", "\"image_id\": \"5\""),
              HasSubstr("t: annotations[0]: image_id is no whole number"));
  EXPECT_THAT(Wrong("\"image_id\": 5", "\"image_id\": 18446744073709551615"), HasSubstr("image_id is no whole number"));
  EXPECT_THAT(Wrong("\"image_id\": 5", "\"image_id\": 1e30"), HasSubstr("image_id is no whole number"));
  EXPECT_THAT(Wrong("\"image_id\": 5, ", ""), HasSubstr("image_id is missing"));
  EXPECT_THAT(Wrong("\"image_id\": 5", "\"image_id\": 6"), HasSubstr("image_id 6 is no image"));
  EXPECT_THAT(Wrong("\"score\": 0.5", "\"score\": true"), HasSubstr("p: [0]: score is no number"));
  EXPECT_THAT(Wrong("\"score\": 0.5", "\"score\": 1e999"), HasSubstr("p at byte"));
  EXPECT_THAT(Wrong("\"score\": 0.5", "\"score\": NaN"), HasSubstr("p at byte"));
  EXPECT_THAT(Wrong("\"area\": 3", "\"area\": null"), HasSubstr("area is no number"));
  EXPECT_THAT(Wrong("\"iscrowd\": 1", "\"iscrowd\": 2"), HasSubstr("annotations[1]: iscrowd is neither 0 nor 1"));
  EXPECT_THAT(Wrong("[1, 2.5, 3e0, 1]", "[1, 2.5, 3, \"1\"]"), HasSubstr("bbox is no list of four numbers"));
  EXPECT_THAT(Wrong("\"id\": 7", "\"id\": 7.5"), HasSubstr("t: categories[0]: id is no whole number"));
  EXPECT_THAT(Wrong("\"width\": 6", "\"width\": -6"), HasSubstr("height or width is no whole number up to 65536"));
  EXPECT_THAT(Wrong("\"width\": 6", "\"width\": \"6\""), HasSubstr("height or width is no whole number"));
}

TEST(CocoTensors, IdsComeOnce) {
  EXPECT_THAT(Wrong("\"id\": 8", "\"id\": 5"), HasSubstr("t: images[1]: id 5 comes twice"));
  EXPECT_THAT(Wrong("\"id\": 3", "\"id\": 7"), HasSubstr("t: categories[1]: id 7 comes twice"));
  EXPECT_THAT(Wrong("{\"id\": 2", "{\"id\": 1"), HasSubstr("t: annotations[1]: id 1 comes twice"));
}

TEST(CocoTensors, WhatIsNoEntryIsNotLeftOut) {
  EXPECT_THAT(Wrong("\"images\": [", "\"images\": [5, "), HasSubstr("t: images[0]: is no object"));
  EXPECT_THAT(Wrong("\"annotations\": [", "\"annotations\": [[{}], "), HasSubstr("t: annotations[0]: is no object"));
  EXPECT_THAT(Wrong("\"annotations\"", "\"annotation\""), HasSubstr("t: has no list \"annotations\""));
  EXPECT_THAT(Wrong("\"categories\": [", "\"categories\": 1, \"other\": ["),
              HasSubstr("t: has no list \"categories\""));
  for (const char* wrong : {"[1]", "[[]]", "[null]", "[\"x\"]"}) {
    EXPECT_THAT(std::string(Read(kTarget, wrong).status().message()), HasSubstr("p: [0]: is no object"));
  }
  for (const char* wrong : {"{}", "1", "null", kTarget}) {
    EXPECT_THAT(std::string(Read(kTarget, wrong).status().message()), HasSubstr("p is no list of results"));
  }
  for (const char* wrong : {"[]", "1", kPrediction}) {
    EXPECT_THAT(std::string(Read(wrong, kPrediction).status().message()), HasSubstr("t is no object of lists"));
  }
  EXPECT_THAT(std::string(Read(kTarget, "[{").status().message()), HasSubstr("p at byte"));
}

TEST(CocoTensors, MasksThatAreNoneAreNamed) {
  const auto wrong = [](const char* to) { return Wrong("[[0, 0, 2, 0, 2, 4, 0, 4]]", to, true); };
  EXPECT_THAT(wrong("null"), HasSubstr("segmentation is neither polygons nor run lengths"));
  EXPECT_THAT(wrong("[[1, 2]]"), HasSubstr("segmentation has a polygon of 2 numbers"));
  EXPECT_THAT(wrong("[1, 2]"), HasSubstr("segmentation has a polygon that is no list of numbers"));
  EXPECT_THAT(wrong("[[1, 2, 3, 4, 5, \"6\"]]"), HasSubstr("that is no list of numbers"));
  EXPECT_THAT(wrong("{}"), HasSubstr("segmentation size is not two whole numbers"));
  EXPECT_THAT(wrong("{\"size\": [4, 1e300], \"counts\": [24]}"), HasSubstr("size is not two whole numbers"));
  EXPECT_THAT(wrong("{\"size\": [4, 6], \"counts\": [1e300]}"), HasSubstr("counts is neither text nor a list"));
  EXPECT_THAT(wrong("{\"size\": [4, 6], \"counts\": {}}"), HasSubstr("counts is neither text nor a list"));
  EXPECT_THAT(wrong("{\"size\": [4, 6], \"counts\": \"P\"}"), HasSubstr("counts is no compressed run lengths"));
  EXPECT_THAT(Wrong(", \"height\": 4, \"width\": 6", "", true),
              HasSubstr("t: annotations[0]: segmentation is polygons, and the image has no height and width"));
}

TEST(CocoTensors, AnyBytesAreReadOrRefused) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const auto mutated = [&](std::string text) {
    for (int change = 0; change < 3; ++change) {
      const size_t at = random() % text.size();
      if (random() % 2 == 0)
        text[at] = "[]{},:\"-0e9."[random() % 12];
      else
        text.erase(at, random() % 8);
    }
    return text;
  };
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto read = Read(mutated(kTarget), mutated(kPrediction), i % 2 == 0);
    refused += read.ok() ? 0 : 1;
    EXPECT_TRUE(read.ok() || absl::IsInvalidArgument(read.status())) << read.status();
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace gradeline::cli

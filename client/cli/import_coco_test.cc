#include "client/cli/import_coco.h"

#include <sys/resource.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"

namespace gradeline::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kImages[] =
    R"("images": [{"id": 30, "file_name": "a.jpg", "height": 2}, {"file_name": "b.jpg", "id": 10}, {"id": 20, "file_name": "c.jpg"}])";
constexpr char kAnnotations[] = R"("annotations": [
  {"id": 1, "image_id": 10, "category_id": 7, "bbox": [1, 2.5, 3e1, 0], "segmentation": [[1, 2, 3, 4, 5, 6]], "iscrowd": 0},
  {"id": 2, "image_id": 10, "category_id": 3, "iscrowd": 1, "segmentation": {"counts": [1, 2], "size": [3, 4]}},
  {"category_id": 7, "image_id": 10}, {"image_id": 30, "category_id": 3, "bbox": null}])";
constexpr char kCategories[] =
    R"("categories": [{"id": 7, "name": "dog", "supercategory": "animal"}, {"id": 3, "name": "cat"}, {"id": 90, "name": "cow"}])";

absl::StatusOr<Findings> Read(const std::string& text) {
  MemorySource source(text);
  return ReadCoco(&source);
}

std::string Message(const std::string& text) {
  const auto found = Read(text);
  EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(found.status().message());
}

std::string File(const std::string& a, const std::string& b, const std::string& c) {
  return absl::StrCat("{\"info\": {\"images\": [1]}, ", a, ", \"licenses\": [{\"id\": \"x\"}], ", b, ", ", c, "}");
}

TEST(ImportCoco, SectionsComeInAnyOrder) {
  const std::vector<std::string> files = {
      File(kImages, kAnnotations, kCategories), File(kImages, kCategories, kAnnotations),
      File(kAnnotations, kImages, kCategories), File(kAnnotations, kCategories, kImages),
      File(kCategories, kImages, kAnnotations), File(kCategories, kAnnotations, kImages)};
  for (const std::string& file : files) {
    const auto found = Read(file);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE(found->multi_label);
    EXPECT_THAT(found->classes, ElementsAre("cat", "dog", "cow")) << "by id";
    ASSERT_EQ(found->items.size(), 3u) << "in the file's order";
    EXPECT_EQ(found->items[0].uri(), "a.jpg");
    EXPECT_THAT(found->items[0].labels(), ElementsAre(0));
    EXPECT_THAT(found->items[0].tags(), IsEmpty());
    EXPECT_THAT(found->items[1].labels(), ElementsAre(0, 1, 1));
    EXPECT_THAT(found->items[1].tags(), ElementsAre("crowd"));
    EXPECT_THAT(found->items[2].labels(), IsEmpty()) << "images without annotations stay";
  }
}

TEST(ImportCoco, PanopticSegmentsHaveCategories) {
  const auto found = Read(File(kImages, kCategories, R"("annotations": [{"image_id": 20, "file_name": "c.png",
      "segments_info": [{"id": 1, "category_id": 7, "iscrowd": 0, "bbox": [1, 2, 3, 4]}, {"category_id": 90, "iscrowd": 1}]},
      {"image_id": 10, "segments_info": []}])"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->items[2].labels(), ElementsAre(1, 2));
  EXPECT_THAT(found->items[2].tags(), ElementsAre("crowd"));
  EXPECT_THAT(found->items[1].labels(), IsEmpty());
}

TEST(ImportCoco, ABrokenImageOrCategoryBreaksNoneOfItsAnnotations) {
  const std::string file = File(kImages, kAnnotations, kCategories);
  const std::string broken = absl::StrReplaceAll(
      file, {{"b.jpg", std::string(5000, 'b')}, {"\"dog\"", absl::StrCat("\"", std::string(300, 'd'), "\"")}});
  EXPECT_THAT(Message(broken), testing::StartsWith("2 problems; "));
}

TEST(ImportCoco, AnnotationsMayBeAbsentAndSoMayFileNames) {
  const auto found =
      Read(R"({"images": [{"id": 1, "coco_url": "http://x/1.jpg"}], "categories": [{"id": 1, "name": "a"}]})");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->items[0].uri(), "http://x/1.jpg");
}

TEST(ImportCoco, EveryBrokenEntryIsTold) {
  const std::string file = R"({"images": [
{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}, {"file_name": "c"}, {"id": "4", "file_name": 4}, {"id": 5}, 6,
[7], {"id": 8.5, "file_name": {"x": [1]}}],
"annotations": [{"image_id": 1, "category_id": 1}, {"image_id": 2, "category_id": 3}, {"category_id": 1}, {"image_id": 1},
{"image_id": 1, "category_id": 1, "iscrowd": 2}, {"image_id": 1, "category_id": 1, "bbox": [1, 2, -3, 4]},
{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3]}, {"image_id": 1, "category_id": 1, "bbox": {"x": 1}},
{"image_id": 1, "segments_info": [{"id": 1}]}, {"image_id": 1, "segments_info": [1]}],
"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}, {"id": 2, "name": "a"}, {"id": 3, "name": ""}, null]})";
  const auto at = [&](const std::string& text, int nth = 0) {
    size_t found = file.find(text);
    for (; nth > 0; --nth) found = file.find(text, found + 1);
    return absl::StrCat(" at byte ", found, ": ");
  };
  const std::string message = Message(file);
  for (const std::string& expected : {
           "images[1]" + at(R"({"id": 1, "file_name": "b"})") + "id 1 is that of an image before it\n",
           "images[2]" + at(R"({"file_name": "c"})") + "has no id\n",
           "images[3]" + at(R"({"id": "4")") + "id is \"4\", must be a whole number\n",
           "images[3]" + at(R"({"id": "4")") + "file_name is 4, must be a string\n",
           "images[4]" + at(R"({"id": 5})") + "has no file_name\n",
           std::string("images[5] at byte "),
           "images[6]" + at("[7]") + "is a list, must be an object\n",
           "images[7]" + at(R"({"id": 8.5)") + "id is 8.5, must be a whole number\n",
           "images[7]" + at(R"({"id": 8.5)") + "file_name is an object, must be a string\n",
           "annotations[1]" + at(R"({"image_id": 2)") + "image_id is 2, but the file has no such image\n",
           "annotations[1]" + at(R"({"image_id": 2)") + "category_id is 3, but the file has no such category",
           "annotations[2]" + at(R"({"category_id": 1})") + "has no image_id\n",
           "annotations[3]" + at(R"({"image_id": 1})") + "has no category_id\n",
           "annotations[4]" + at(R"({"image_id": 1, "category_id": 1, "is)") + "iscrowd is \"2\", must be 0 or 1\n",
           "annotations[5]" + at(R"({"image_id": 1, "category_id": 1, "bbox": [1, 2, -)") + "bbox must be four numbers",
           "annotations[6]" + at(R"({"image_id": 1, "category_id": 1, "bbox": [1, 2, 3]})") +
               "bbox must be four numbers",
           "annotations[7]" + at(R"({"image_id": 1, "category_id": 1, "bbox": {)") +
               "bbox must be a list of four numbers\n",
           "annotations[8]" + at(R"({"image_id": 1, "segments_info": [{)") + "segments_info[0] has no category_id\n",
           "annotations[9]" + at(R"({"image_id": 1, "segments_info": [1)") +
               "segments_info has an entry that is no object\n",
           "categories[1]" + at(R"({"id": 1, "name": "b"})") + "id 1 is that of a category before it\n",
           "categories[2]" + at(R"({"id": 2)") + "name \"a\" is that of a category before it\n",
           "categories[3]" + at(R"({"id": 3)") + "has no name\n",
           std::string("categories[4] at byte "),
       }) {
    EXPECT_THAT(message, HasSubstr(expected));
  }
  EXPECT_THAT(message, testing::StartsWith("23 problems; nothing was imported:\n"));
}

TEST(ImportCoco, WhatIsNoCocoFileIsTold) {
  EXPECT_THAT(Message(""), HasSubstr("is no JSON"));
  EXPECT_THAT(Message("[]"), HasSubstr("the file is a list"));
  EXPECT_THAT(Message("3"), HasSubstr("the file is one value"));
  EXPECT_THAT(Message("{}"), HasSubstr("has no section images\n  the file: has no section categories"));
  EXPECT_THAT(Message(File(kImages, kCategories, kImages)), HasSubstr("the section is there twice"));
  EXPECT_THAT(Message(R"({"images": {"1": {}}, "categories": 4})"),
              HasSubstr("images at byte 11: is an object, must be a list"));
  EXPECT_THAT(Message(R"({"images": [], "categories": []})"), HasSubstr("has no image"));
  const std::string file = File(kImages, kAnnotations, kCategories);
  const std::string cut = Message(file.substr(0, file.size() / 2));
  EXPECT_THAT(cut, testing::StartsWith("1 problem; nothing was imported:\n  byte ")) << "not also what is missing";
  EXPECT_THAT(cut, HasSubstr("is no JSON, and the file is read no further: parse error at line "));
  EXPECT_THAT(Message(file + "{"), HasSubstr("is no JSON"));
  EXPECT_THAT(Message(absl::StrReplaceAll(file, {{"a.jpg", "a\xff"}})), HasSubstr("is no JSON"));
  EXPECT_THAT(Message(absl::StrCat("{\"x\": ", std::string(100'000, '['))),
              HasSubstr("lists and objects are in one another"));
}

// A file that is generated while it is read: what is kept of it must not grow with it.
class LongFile : public ByteSource {
 public:
  LongFile(std::string head, std::string repeated, int64_t times, std::string tail)
      : head_(std::move(head)), repeated_(std::move(repeated)), times_(times), tail_(std::move(tail)) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    if (at_ == piece_->size()) {
      at_ = 0;
      piece_ = times_-- > 0 ? &repeated_ : &tail_;
      if (times_ < -1) return size_t{0};
    }
    const size_t count = std::min(size, piece_->size() - at_);
    std::copy_n(piece_->data() + at_, count, buffer);
    at_ += count;
    return count;
  }

 private:
  const std::string head_, repeated_;
  int64_t times_;
  const std::string tail_;
  const std::string* piece_ = &head_;
  size_t at_ = 0;
};

int64_t PeakBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

TEST(ImportCoco, PolygonsTakeNoMemory) {
  std::string points = "1.25";
  while (points.size() < 1'000'000) points += ",33.5";
  const int64_t before = PeakBytes();
  LongFile file(R"({"images":[{"id":1,"file_name":"a"}],"categories":[{"id":1,"name":"x"}],"annotations":[)",
                absl::StrCat(R"({"image_id":1,"category_id":1,"segmentation":[[)", points, "]]},"), 64,
                R"({"image_id":1,"category_id":1}]})");
  const auto found = ReadCoco(&file);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->items[0].labels_size(), 65);
  EXPECT_LT(PeakBytes() - before, 16 << 20);
}

TEST(ImportCoco, AStringWithoutEndIsGivenUp) {
  LongFile file("{\"x\": \"", std::string(1'000'000, 'a'), 1000, "\"}");
  const auto found = ReadCoco(&file);
  EXPECT_THAT(std::string(found.status().message()), HasSubstr("a value is longer than 67108864 bytes"));
}

}  // namespace
}  // namespace gradeline::cli

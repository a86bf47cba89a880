#include "client/cli/import_folder.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"

namespace gradeline::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ImportFolder : public testing::Test {
 protected:
  ImportFolder() {
    std::string pattern = (fs::temp_directory_path() / "folder-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~ImportFolder() override { fs::remove_all(root_); }
  void Put(const std::string& path) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << "x";
  }
  std::string Message() {
    const auto found = ReadFolder(root_.string());
    EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(found.status().message());
  }
  std::vector<std::string> Uris(const Findings& found) {
    std::vector<std::string> uris;
    for (const v1::Item& item : found.items) uris.push_back(item.uri());
    return uris;
  }
  fs::path root_;
};

TEST_F(ImportFolder, ClassesAreFoldersInOrderOfName) {
  for (const char* path : {"dog/2.PNG", "dog/1.jpg", "dog/deep/3.webp", "cat/a.jpeg", "Zebra/z.tif", "dog/notes.txt",
                           "readme.md", "stray.jpg", ".git/x.png", "cat/.hidden.png", "cat/.cache/b.png"}) {
    Put(path);
  }
  const auto found = ReadFolder(root_.string());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->multi_label);
  EXPECT_THAT(found->classes, ElementsAre("Zebra", "cat", "dog"));
  EXPECT_THAT(Uris(*found), ElementsAre("Zebra/z.tif", "cat/a.jpeg", "dog/1.jpg", "dog/2.PNG", "dog/deep/3.webp"));
  EXPECT_EQ(found->items[4].label(), 2);
  EXPECT_EQ(found->items[4].subset(), "");
  EXPECT_THAT(found->notes, ElementsAre("images that lie in no folder of a class, skipped: 1",
                                        "files that are no images, skipped: 2"));
}

TEST_F(ImportFolder, FoldersOfPartsAreSubsets) {
  for (const char* path : {"train/dog/1.jpg", "train/cat/2.jpg", "val/ant/3.jpg", "val/cat/4.jpg", "val/stray.png"}) {
    Put(path);
  }
  const auto found = ReadFolder(root_.string());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->classes, ElementsAre("ant", "cat", "dog"));
  EXPECT_THAT(Uris(*found), ElementsAre("train/cat/2.jpg", "train/dog/1.jpg", "val/ant/3.jpg", "val/cat/4.jpg"));
  EXPECT_EQ(found->items[1].label(), 2);
  EXPECT_EQ(found->items[1].subset(), "train");
  EXPECT_EQ(found->items[2].label(), 0);
  EXPECT_EQ(found->items[2].subset(), "val");
  EXPECT_THAT(found->notes, ElementsAre("images that lie in no folder of a class, skipped: 1"));
}

TEST_F(ImportFolder, AClassMayBeCalledTest) {
  Put("test/1.jpg");
  Put("production/2.jpg");
  EXPECT_THAT(ReadFolder(root_.string())->classes, ElementsAre("production", "test"));
}

TEST_F(ImportFolder, EverythingThatIsWrongIsTold) {
  EXPECT_THAT(Message(), HasSubstr("has no folders of classes"));
  Put("empty/notes.txt");
  Put("cat/1.jpg");
  Put("cat/\xff.jpg");
  fs::create_symlink("/nowhere", root_ / "cat/lost.jpg");
  fs::create_symlink("..", root_ / "cat/round");
  const std::string message = Message();
  EXPECT_THAT(message, HasSubstr("class \"empty\": has no images"));
  EXPECT_THAT(message, HasSubstr("\"cat/\\xff.jpg\": the path \"cat/\\xff.jpg\" is no UTF-8"));
  EXPECT_THAT(message, HasSubstr("\"cat/lost.jpg\": "));
  EXPECT_THAT(message, HasSubstr("\"cat/round/cat\": is a link to a folder that it lies in"));
  EXPECT_THAT(std::string(ReadFolder("/nonexistent").status().message()), HasSubstr("cannot be read"));
}

TEST_F(ImportFolder, LinksAreFollowed) {
  Put("elsewhere/cat/1.jpg");
  fs::create_directories(root_ / "data");
  fs::create_directory_symlink(root_ / "elsewhere/cat", root_ / "data/cat");
  const auto found = ReadFolder((root_ / "data").string());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(Uris(*found), ElementsAre("cat/1.jpg"));
}

}  // namespace
}  // namespace gradeline::cli

// For tests: a folder that goes away with the test.
#ifndef GRADELINE_SERVER_STORE_TEST_FOLDER_H_
#define GRADELINE_SERVER_STORE_TEST_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace gradeline {

class TestFolder {
 public:
  explicit TestFolder(const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
    std::string name = (parent / "gradeline-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_TEST_FOLDER_H_

// See import_folder.h.
#include "client/cli/import_folder.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

namespace fs = std::filesystem;

// torchvision's IMG_EXTENSIONS.
constexpr std::array<absl::string_view, 9> kEndings = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                                       ".pgm", ".tif",  ".tiff", ".webp"};
constexpr std::array<absl::string_view, 5> kSubsets = {"train", "val", "valid", "validation", "test"};

bool IsImage(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](absl::string_view ending) { return absl::EndsWith(lower, ending); });
}

struct Content {
  std::vector<std::string> folders, files;  // sorted names, none hidden
};

class FolderImport {
 public:
  explicit FolderImport(const std::string& root) : root_(root) {}

  absl::StatusOr<Findings> Run() {
    const Content top = List("");
    const bool subsets =
        !top.folders.empty() && std::all_of(top.folders.begin(), top.folders.end(), [](const auto& name) {
          return std::find(kSubsets.begin(), kSubsets.end(), name) != kSubsets.end();
        });
    if (subsets) {
      NoteSkipped(top.files);
      for (const std::string& subset : top.folders) ReadClasses(subset + "/", subset, List(subset));
    } else {
      ReadClasses("", "", top);
    }
    if (faults_.empty() && classes_.empty()) faults_.Add("the folder", "has no folders of classes");
    NumberClasses();
    if (absl::Status status = faults_.ToStatus(); !status.ok()) return status;
    if (beside_ > 0)
      found_.notes.push_back(absl::StrCat("images that lie in no folder of a class, skipped: ", beside_));
    if (skipped_ > 0) found_.notes.push_back(absl::StrCat("files that are no images, skipped: ", skipped_));
    return std::move(found_);
  }

 private:
  // `below`: a path below the root, "" for the root itself.
  Content List(const std::string& below) {
    Content content;
    std::error_code error;
    for (fs::directory_iterator entry(fs::path(root_) / below, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (absl::StartsWith(name, ".")) continue;
      std::error_code unknown;
      const fs::file_status status = entry->status(unknown);
      if (fs::is_directory(status)) {
        content.folders.push_back(name);
      } else if (fs::is_regular_file(status)) {
        content.files.push_back(name);
      } else {
        faults_.Add(Quoted(absl::StrCat(below, below.empty() ? "" : "/", name)),
                    unknown ? unknown.message() : "is neither a file nor a folder");
      }
    }
    if (error)
      faults_.Add(below.empty() ? "the folder" : Quoted(below), absl::StrCat("cannot be read: ", error.message()));
    std::sort(content.folders.begin(), content.folders.end());
    std::sort(content.files.begin(), content.files.end());
    return content;
  }

  void ReadClasses(const std::string& prefix, const std::string& subset, const Content& content) {
    NoteSkipped(content.files);
    for (const std::string& name : content.folders) {
      if (!CheckText(Quoted(prefix + name), "the class's name", name, 1, kLongestClass, faults_)) continue;
      const int label = classes_.try_emplace(name, static_cast<int>(classes_.size())).first->second;
      images_.resize(classes_.size());
      ReadImages(prefix + name, subset, label);
    }
  }

  void NoteSkipped(const std::vector<std::string>& files) {
    for (const std::string& file : files) ++(IsImage(file) ? beside_ : skipped_);
  }

  void ReadImages(const std::string& below, const std::string& subset, int label) {
    std::error_code error;
    const auto [here, entered] = open_.insert(fs::canonical(fs::path(root_) / below, error));
    if (!entered) return faults_.Add(Quoted(below), "is a link to a folder that it lies in");
    const Content content = List(below);
    for (const std::string& file : content.files) {
      if (!IsImage(file)) {
        ++skipped_;
        continue;
      }
      const std::string uri = absl::StrCat(below, "/", file);
      if (!CheckText(Quoted(uri), "the path", uri, 1, kLongestUri, faults_)) continue;
      v1::Item& item = found_.items.emplace_back();
      item.set_uri(uri);
      item.set_label(label);
      item.set_subset(subset);
      ++images_[static_cast<size_t>(label)];
    }
    for (const std::string& folder : content.folders) ReadImages(absl::StrCat(below, "/", folder), subset, label);
    open_.erase(here);
  }

  // Labels were given as classes appeared, in one subset after another; now in order of name.
  void NumberClasses() {
    std::vector<int> place(classes_.size());
    for (const auto& [name, label] : classes_) {
      place[static_cast<size_t>(label)] = static_cast<int>(found_.classes.size());
      found_.classes.push_back(name);
      if (images_[static_cast<size_t>(label)] == 0) faults_.Add(absl::StrCat("class ", Quoted(name)), "has no images");
    }
    for (v1::Item& item : found_.items) item.set_label(place[static_cast<size_t>(item.label())]);
  }

  const std::string root_;
  std::map<std::string, int> classes_;
  std::vector<int64_t> images_;       // of each label
  std::set<fs::path> open_;           // folders above the one being read, without links
  int64_t skipped_ = 0, beside_ = 0;  // files that are no images; images that are of no class
  Faults faults_;
  Findings found_;
};

}  // namespace

absl::StatusOr<Findings> ReadFolder(const std::string& folder) { return FolderImport(folder).Run(); }

}  // namespace gradeline::cli

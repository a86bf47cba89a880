// See import_coco.h.
#include "client/cli/import_coco.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/coco_events.h"

namespace gradeline::cli {
namespace {

constexpr char kCrowdTag[] = "crowd";

// What is kept of an annotation until all sections are read, in any order: 40 bytes.
struct Mark {
  int64_t image, category, index, byte;
  bool crowd;
};

struct Category {
  std::string name;
  int64_t index, byte;
  int label = 0;
};

class CocoImport {
 public:
  absl::StatusOr<Findings> Run(ByteSource* source) {
    std::set<CocoSection> sections;
    absl::Status read = ReadCocoEvents(
        source, [this](CocoEntry& entry) { Take(entry); }, sections, faults_);
    if (!read.ok()) return read;
    // Where the file ends early, what it lacks says nothing.
    if (faults_.empty()) {
      for (const auto& [section, name] :
           {std::pair(CocoSection::kImages, "images"), std::pair(CocoSection::kCategories, "categories")}) {
        if (!sections.contains(section)) faults_.Add("the file", absl::StrCat("has no section ", name));
      }
      if (sections.contains(CocoSection::kImages) && found_.items.empty()) faults_.Add("the file", "has no image");
    }
    NumberClasses();
    if (sections.contains(CocoSection::kImages) && sections.contains(CocoSection::kCategories)) PutMarks();
    if (absl::Status status = faults_.ToStatus(); !status.ok()) return status;
    for (v1::Item& item : found_.items) std::sort(item.mutable_labels()->begin(), item.mutable_labels()->end());
    found_.multi_label = true;
    return std::move(found_);
  }

 private:
  void Take(CocoEntry& entry) {
    const std::string where = WhereOf(entry.section, entry.index, entry.byte);
    switch (entry.section) {
      case CocoSection::kImages:
        return TakeImage(entry, where);
      case CocoSection::kCategories:
        return TakeCategory(entry, where);
      case CocoSection::kAnnotations:
        for (const CocoMark& mark : entry.marks) {
          marks_.push_back({*entry.image, *mark.category, entry.index, entry.byte, mark.crowd});
        }
        return;
      case CocoSection::kOther:
        return;
    }
  }

  void TakeImage(CocoEntry& entry, const std::string& where) {
    // First of all its id, so that annotations of a broken image are not broken too.
    const auto [at, added] = images_.emplace(*entry.id, static_cast<int>(found_.items.size()));
    if (!added) return faults_.Add(where, absl::StrCat("id ", *entry.id, " is that of an image before it"));
    std::string& uri = entry.file_name.empty() ? entry.coco_url : entry.file_name;
    if (!CheckText(where, "file_name", uri, 1, kLongestUri, faults_)) return;
    found_.items.emplace_back().set_uri(std::move(uri));
  }

  void TakeCategory(CocoEntry& entry, const std::string& where) {
    const auto [at, added] = categories_.try_emplace(*entry.id, Category{entry.name, entry.index, entry.byte});
    if (!added) return faults_.Add(where, absl::StrCat("id ", *entry.id, " is that of a category before it"));
    if (!CheckText(where, "name", entry.name, 1, kLongestClass, faults_)) return;
    if (!names_.insert(entry.name).second) {
      faults_.Add(where, absl::StrCat("name ", Quoted(entry.name), " is that of a category before it"));
    }
  }

  void NumberClasses() {
    if (categories_.size() > kMostClasses) {
      faults_.Add("categories", absl::StrCat("has ", categories_.size(), " entries; allowed: up to ", kMostClasses));
    }
    for (auto& [id, category] : categories_) {
      category.label = static_cast<int>(found_.classes.size());
      found_.classes.push_back(category.name);
    }
  }

  void PutMarks() {
    for (const Mark& mark : marks_) {
      const auto image = images_.find(mark.image);
      const auto category = categories_.find(mark.category);
      if (image == images_.end()) Lost(mark, "image_id", mark.image, "image");
      if (category == categories_.end()) Lost(mark, "category_id", mark.category, "category");
      if (!faults_.empty()) continue;
      v1::Item& item = found_.items[static_cast<size_t>(image->second)];
      item.add_labels(category->second.label);
      if (item.labels_size() == kMostLabels + 1) {
        faults_.Add(
            WhereOf(CocoSection::kAnnotations, mark.index, mark.byte),
            absl::StrCat("is number ", kMostLabels + 1, " of image ", mark.image, "; allowed: up to ", kMostLabels));
      }
      if (mark.crowd && item.tags_size() == 0) item.add_tags(kCrowdTag);
    }
  }

  void Lost(const Mark& mark, const char* field, int64_t id, const char* kind) {
    faults_.Add(WhereOf(CocoSection::kAnnotations, mark.index, mark.byte),
                absl::StrCat(field, " is ", id, ", but the file has no such ", kind));
  }

  Faults faults_;
  Findings found_;
  std::unordered_map<int64_t, int> images_;  // id -> item
  std::map<int64_t, Category> categories_;   // by id, which is the order of classes
  std::set<std::string> names_;
  std::vector<Mark> marks_;
};

}  // namespace

absl::StatusOr<Findings> ReadCoco(ByteSource* source) { return CocoImport().Run(source); }

}  // namespace gradeline::cli

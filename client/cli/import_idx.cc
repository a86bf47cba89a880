// See import_idx.h.
#include "client/cli/import_idx.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/byte_source.h"
#include "client/cli/idx.h"

namespace gradeline::cli {
namespace {

namespace fs = std::filesystem;

// A file of images and the labels of the same items.
struct IdxPair {
  std::string prefix, images_path, labels_path;
  std::string images_file;  // without the folder
};

absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read the folder: ", error.message()));
  }
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    const bool train_a = absl::StartsWith(a, "train"), train_b = absl::StartsWith(b, "train");
    return train_a != train_b ? train_a : a < b;
  });
  return names;
}

absl::StatusOr<std::vector<IdxPair>> FindPairs(const std::string& folder) {
  static const std::string kImages = "-images-idx3-ubyte", kLabels = "-labels-idx1-ubyte";
  const absl::StatusOr<std::vector<std::string>> names = FilesOf(folder);
  if (!names.ok()) return names.status();
  std::vector<IdxPair> out;
  for (const std::string& name : *names) {
    const size_t at = name.find(kImages);
    if (at == std::string::npos || (name.size() > at + kImages.size() && name.substr(at + kImages.size()) != ".gz")) {
      continue;
    }
    IdxPair pair{name.substr(0, at), (fs::path(folder) / name).string(), "", name};
    for (const char* ending : {".gz", ""}) {
      const std::string labels = absl::StrCat(pair.prefix, kLabels, ending);
      if (std::find(names->begin(), names->end(), labels) != names->end()) {
        pair.labels_path = (fs::path(folder) / labels).string();
      }
    }
    if (pair.labels_path.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is there, but not its labels ", pair.prefix, kLabels, "[.gz]"));
    }
    out.push_back(std::move(pair));
  }
  if (out.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are no files PREFIX", kImages, "[.gz] and PREFIX", kLabels, "[.gz]"));
  }
  return out;
}

// What `read` gives of a file, its errors with the file's name.
template <typename T>
absl::StatusOr<T> ReadFrom(const std::string& path, absl::StatusOr<T> (*read)(ByteSource*)) {
  absl::StatusOr<std::unique_ptr<ByteSource>> source = OpenSource(path, nullptr);
  absl::StatusOr<T> out = source.ok() ? read(source->get()) : absl::StatusOr<T>(source.status());
  if (out.ok()) return out;
  return absl::Status(out.status().code(), absl::StrCat(path, ": ", out.status().message()));
}

absl::Status CheckLabels(const Findings& found, bool given) {
  for (const v1::Item& item : found.items) {
    if (given && item.label() >= static_cast<int>(found.classes.size())) {
      return absl::InvalidArgumentError(absl::StrCat(item.uri(), ": its label is ", item.label(),
                                                     ", but --classes names ", found.classes.size(),
                                                     " classes, so allowed are 0 to ", found.classes.size() - 1));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Findings> ReadIdxFolder(const std::string& folder, const std::vector<std::string>& classes) {
  const absl::StatusOr<std::vector<IdxPair>> pairs = FindPairs(folder);
  if (!pairs.ok()) return pairs.status();
  Findings found;
  found.classes = classes;
  for (const IdxPair& pair : *pairs) {
    Faults faults;
    CheckText(Quoted(pair.images_file), "the name", pair.images_file, 1, kLongestUri, faults);
    CheckText(Quoted(pair.images_file), "what precedes -images", pair.prefix, 0, kLongestSubset, faults);
    if (!faults.empty()) return faults.ToStatus();
    const absl::StatusOr<std::vector<uint8_t>> labels = ReadFrom(pair.labels_path, ReadIdxLabels);
    if (!labels.ok()) return labels.status();
    const absl::StatusOr<int64_t> images = ReadFrom(pair.images_path, CountIdxImages);
    if (!images.ok()) return images.status();
    if (*images != static_cast<int64_t>(labels->size())) {
      return absl::InvalidArgumentError(absl::StrCat(pair.images_path, ": it has ", *images, " images, but ",
                                                     pair.labels_path, " has ", labels->size(), " labels"));
    }
    for (size_t i = 0; i < labels->size(); ++i) {
      v1::Item& item = found.items.emplace_back();
      item.set_uri(absl::StrCat(pair.images_file, "#", i));
      item.set_label((*labels)[i]);
      item.set_subset(pair.prefix);
      while (classes.empty() && item.label() >= static_cast<int>(found.classes.size())) {
        found.classes.push_back(absl::StrCat(found.classes.size()));
      }
    }
    found.notes.push_back(absl::StrCat("read ", pair.images_file, ": ", *images, " images"));
  }
  if (absl::Status status = CheckLabels(found, !classes.empty()); !status.ok()) return status;
  return found;
}

}  // namespace gradeline::cli

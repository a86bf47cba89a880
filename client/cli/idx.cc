// See idx.h. Format: two zero bytes, the element type (8: unsigned byte), the number of dimensions, the sizes as
// big-endian 32-bit integers, the elements.
#include "client/cli/idx.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace gradeline::cli {
namespace {

struct CloseGz {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

// A file opened at the first element.
class IdxFile {
 public:
  static absl::StatusOr<IdxFile> Open(const std::string& path, int dimensions) {
    errno = 0;
    IdxFile out(path);
    if (out.file_ == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": cannot open the file: ", errno != 0 ? std::strerror(errno) : "no memory"));
    }
    if (absl::Status status = out.ReadHeader(dimensions); !status.ok()) return status;
    return out;
  }

  const std::vector<int64_t>& sizes() const { return sizes_; }
  // Elements as the header says; the sizes of three dimensions below 2^20 cannot overflow.
  int64_t elements() const {
    int64_t out = 1;
    for (const int64_t size : sizes_) out *= size;
    return out;
  }

  // Reads exactly `count` bytes; `kept` may be null.
  absl::Status Read(int64_t count, std::vector<uint8_t>* kept) {
    std::vector<uint8_t> buffer(1 << 16);
    for (int64_t done = 0; done < count;) {
      const int got =
          gzread(file_.get(), buffer.data(),
                 static_cast<unsigned>(std::min<int64_t>(count - done, static_cast<int64_t>(buffer.size()))));
      if (got <= 0) return Ended(done, count);
      if (kept != nullptr) kept->insert(kept->end(), buffer.begin(), buffer.begin() + got);
      done += got;
    }
    return absl::OkStatus();
  }

  // The file must end here.
  absl::Status CheckEnd() {
    uint8_t byte = 0;
    const int got = gzread(file_.get(), &byte, 1);
    if (got > 0) return Wrong(absl::StrCat("it goes on after the ", elements(), " elements that its header announces"));
    return got < 0 ? Ended(elements(), elements()) : absl::OkStatus();
  }

 private:
  explicit IdxFile(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
    if (file_ != nullptr) gzbuffer(file_.get(), 1 << 17);
  }

  absl::Status Wrong(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what));
  }

  absl::Status Ended(int64_t done, int64_t count) {
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (code != Z_OK && code != Z_BUF_ERROR && code != Z_STREAM_END) {
      return Wrong(absl::StrCat("the compressed data is damaged after ", done, " bytes: ", text));
    }
    return Wrong(absl::StrCat("it is cut short: ", done, " of ", count, " bytes are there"));
  }

  absl::Status ReadHeader(int dimensions) {
    std::vector<uint8_t> header;
    if (absl::Status status = Read(4 + 4 * dimensions, &header); !status.ok()) return status;
    if (header[0] != 0 || header[1] != 0 || header[2] != 8 || header[3] != dimensions) {
      return Wrong(
          absl::StrFormat("it begins with %02x %02x %02x %02x, expected 00 00 08 %02x (idx%d of unsigned bytes)",
                          header[0], header[1], header[2], header[3], dimensions, dimensions));
    }
    for (int i = 0; i < dimensions; ++i) {
      const uint8_t* at = &header[4 + 4 * i];
      sizes_.push_back(int64_t{at[0]} << 24 | int64_t{at[1]} << 16 | int64_t{at[2]} << 8 | at[3]);
    }
    for (int i = 1; i < dimensions; ++i) {
      if (sizes_[i] < 1 || sizes_[i] > 65536) {
        return Wrong(absl::StrCat("its images have ", sizes_[i], " rows or columns, allowed are 1 to 65536"));
      }
    }
    if (sizes_[0] > 100'000'000) {
      return Wrong(absl::StrCat("its header announces ", sizes_[0], " items, allowed are up to 100,000,000"));
    }
    return absl::OkStatus();
  }

  std::string path_;
  std::unique_ptr<gzFile_s, CloseGz> file_;
  std::vector<int64_t> sizes_;
};

}  // namespace

absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(const std::string& path) {
  absl::StatusOr<IdxFile> file = IdxFile::Open(path, 1);
  if (!file.ok()) return file.status();
  std::vector<uint8_t> out;
  if (absl::Status status = file->Read(file->elements(), &out); !status.ok()) return status;
  if (absl::Status status = file->CheckEnd(); !status.ok()) return status;
  return out;
}

absl::StatusOr<int64_t> CountIdxImages(const std::string& path) {
  absl::StatusOr<IdxFile> file = IdxFile::Open(path, 3);
  if (!file.ok()) return file.status();
  if (absl::Status status = file->Read(file->elements(), nullptr); !status.ok()) return status;
  if (absl::Status status = file->CheckEnd(); !status.ok()) return status;
  return file->sizes()[0];
}

absl::StatusOr<std::vector<IdxPair>> FindIdxPairs(const std::string& folder) {
  static const std::string kImages = "-images-idx3-ubyte", kLabels = "-labels-idx1-ubyte";
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("--from ", folder, ": cannot read the folder: ", error.message()));
  }
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    const bool train_a = absl::StartsWith(a, "train"), train_b = absl::StartsWith(b, "train");
    return train_a != train_b ? train_a : a < b;
  });
  std::vector<IdxPair> out;
  for (const std::string& name : names) {
    const size_t at = name.find(kImages);
    if (at == std::string::npos || (name.size() > at + kImages.size() && name.substr(at + kImages.size()) != ".gz")) {
      continue;
    }
    const std::string prefix = name.substr(0, at);
    IdxPair pair{(fs::path(folder) / name).string(), "", name};
    for (const char* ending : {".gz", ""}) {
      const std::string labels = absl::StrCat(prefix, kLabels, ending);
      if (std::find(names.begin(), names.end(), labels) != names.end())
        pair.labels_path = (fs::path(folder) / labels).string();
    }
    if (pair.labels_path.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--from ", folder, ": ", name, " is there, but not its labels ", prefix, kLabels, "[.gz]"));
    }
    out.push_back(std::move(pair));
  }
  if (out.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--from ", folder, ": there are no files PREFIX", kImages, "[.gz] and PREFIX", kLabels, "[.gz]"));
  }
  return out;
}

}  // namespace gradeline::cli

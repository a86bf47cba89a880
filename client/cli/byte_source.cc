// See byte_source.h.
#include "client/cli/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

struct CloseGz {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

class FileSource : public ByteSource {
 public:
  FileSource(gzFile_s* file, std::function<void(int64_t)> progress) : file_(file), progress_(std::move(progress)) {
    gzbuffer(file, 1 << 17);
  }

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    errno = 0;
    const int got = gzread(file_.get(), buffer, static_cast<unsigned>(std::min(size, size_t{1} << 30)));
    if (progress_) progress_(gzoffset(file_.get()));
    if (got > 0) {
      done_ += got;
      return static_cast<size_t>(got);
    }
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (code == Z_ERRNO)
      return absl::InvalidArgumentError(absl::StrCat("cannot read the file: ", std::strerror(errno)));
    if (code == Z_BUF_ERROR) {
      return absl::InvalidArgumentError(absl::StrCat("the compressed data is cut short after ", done_, " bytes"));
    }
    if (got < 0) {
      return absl::InvalidArgumentError(absl::StrCat("the compressed data is damaged after ", done_, " bytes: ", text));
    }
    return size_t{0};
  }

 private:
  const std::unique_ptr<gzFile_s, CloseGz> file_;
  const std::function<void(int64_t)> progress_;
  int64_t done_ = 0;
};

}  // namespace

absl::StatusOr<size_t> MemorySource::Read(char* buffer, size_t size) {
  const size_t count = std::min(size, left_.size());
  std::copy_n(left_.data(), count, buffer);
  left_.remove_prefix(count);
  return count;
}

absl::StatusOr<std::unique_ptr<ByteSource>> OpenSource(const std::string& path,
                                                       std::function<void(int64_t done_bytes)> progress) {
  const auto failed = [](int error) {
    return absl::InvalidArgumentError(absl::StrCat("cannot open the file: ", std::strerror(error)));
  };
  const int descriptor = path == "-" ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failed(errno);
  struct stat about {};
  gzFile_s* file = nullptr;
  if (fstat(descriptor, &about) == 0 && S_ISDIR(about.st_mode)) {
    errno = EISDIR;
  } else {
    errno = ENOMEM;
    file = gzdopen(descriptor, "rb");
  }
  if (file == nullptr) {
    const int error = errno;
    close(descriptor);
    return failed(error);
  }
  return std::make_unique<FileSource>(file, std::move(progress));
}

bool ByteReader::Fill() {
  if (ended_) return false;
  before_ += static_cast<int64_t>(filled_);
  at_ = filled_ = 0;
  absl::StatusOr<size_t> got = source_->Read(buffer_, sizeof(buffer_));
  if (got.ok()) {
    filled_ = *got;
  } else {
    status_ = got.status();
  }
  ended_ = filled_ == 0;
  return !ended_;
}

}  // namespace gradeline::cli

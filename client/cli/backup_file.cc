// See backup_file.h.
#include "client/cli/backup_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

absl::Status Exists(const std::string& path) {
  return absl::AlreadyExistsError(absl::StrCat(path, " exists; --force replaces it"));
}

bool SyncFolderOf(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int fd = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

}  // namespace

BackupFile::BackupFile(std::string path, bool replace)
    : path_(std::move(path)), replace_(replace), digest_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  EVP_DigestInit_ex(digest_.get(), EVP_sha256(), nullptr);
}

absl::Status BackupFile::Failed(const char* doing) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ": cannot ", doing, " the file: ", std::strerror(errno)));
}

absl::StatusOr<std::unique_ptr<BackupFile>> BackupFile::Create(const std::string& path, bool replace) {
  if (!replace && access(path.c_str(), F_OK) == 0) return Exists(path);
  std::unique_ptr<BackupFile> file(new BackupFile(path, replace));
  std::string part = path + ".part-XXXXXX";
  file->fd_ = mkostemp(part.data(), O_CLOEXEC);  // mode 0600
  if (file->fd_ < 0) return file->Failed("make");
  file->part_ = part;
  return file;
}

BackupFile::~BackupFile() {
  if (fd_ >= 0) close(fd_);
  if (!part_.empty()) unlink(part_.c_str());
}

absl::Status BackupFile::Append(absl::string_view bytes) {
  EVP_DigestUpdate(digest_.get(), bytes.data(), bytes.size());
  size_ += static_cast<int64_t>(bytes.size());
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("write");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status BackupFile::Keep(int64_t size, absl::string_view sha256) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_size = 0;
  EVP_DigestFinal_ex(digest_.get(), digest, &digest_size);
  if (size != size_ || sha256 != absl::string_view(reinterpret_cast<const char*>(digest), digest_size)) {
    return absl::DataLossError(absl::StrCat(path_, ": what came is not what the server sent (", size_, " bytes of ",
                                            size, "); nothing was kept"));
  }
  if (fsync(fd_) != 0) return Failed("flush");
  if (renameat2(AT_FDCWD, part_.c_str(), AT_FDCWD, path_.c_str(), replace_ ? 0 : RENAME_NOREPLACE) != 0) {
    return errno == EEXIST ? Exists(path_) : Failed("rename");
  }
  part_.clear();
  return SyncFolderOf(path_) ? absl::OkStatus() : Failed("flush the folder of");
}

}  // namespace gradeline::cli

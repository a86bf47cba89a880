// A file that is there whole or not at all: written beside its place under another name, then renamed into it.
#ifndef GRADELINE_CLIENT_CLI_BACKUP_FILE_H_
#define GRADELINE_CLIENT_CLI_BACKUP_FILE_H_

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gradeline::cli {

class BackupFile {
 public:
  /// Makes the other file, PATH.part-XXXXXX, readable by its owner alone. ALREADY_EXISTS if `path` is there, unless
  /// `replace`; INVALID_ARGUMENT naming the file and why it cannot be made.
  static absl::StatusOr<std::unique_ptr<BackupFile>> Create(const std::string& path, bool replace);
  ~BackupFile();  ///< removes the other file, unless it was kept
  BackupFile(const BackupFile&) = delete;

  absl::Status Append(absl::string_view bytes);
  /// Renames it into its place, durably. DATA_LOSS unless what was appended has this size and SHA-256.
  absl::Status Keep(int64_t size, absl::string_view sha256);

 private:
  BackupFile(std::string path, bool replace);
  absl::Status Failed(const char* doing) const;

  const std::string path_;
  const bool replace_;
  std::string part_;
  int fd_ = -1;
  int64_t size_ = 0;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest_;
};

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_BACKUP_FILE_H_

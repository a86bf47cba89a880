#include "server/wire/catalog_source.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "absl/strings/escaping.h"

namespace gradeline {

namespace fs = std::filesystem;

absl::StatusOr<std::vector<SourceFile>> ReadCatalogFolder(const std::string& directory, const std::string& folder,
                                                          bool may_lack) {
  std::vector<SourceFile> files;
  std::error_code error;
  if (may_lack && !fs::exists(fs::path(directory) / folder, error) && !error) return files;
  for (fs::directory_iterator at(fs::path(directory) / folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".yaml")
      files.push_back({absl::StrCat(folder, "/", at->path().filename().string()), ""});
  }
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("cannot read the catalog's folder ", directory, "/", folder, ": ", error.message()));
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (SourceFile& file : files)
    GRADELINE_RETURN_IF_ERROR(ReadTextFile(absl::StrCat(directory, "/", file.name), file.text));
  return files;
}

std::string CatalogDigest(const std::vector<SourceFile>& files) {
  std::string all;
  for (const SourceFile& file : files) absl::StrAppend(&all, file.name, "\n", file.text.size(), "\n", file.text);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest.data());
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

}  // namespace gradeline

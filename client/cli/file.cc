// See file.h.
#include "client/cli/file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

constexpr size_t kMaxBytes = size_t{2} << 30;

struct Close {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

absl::Status Failed(const std::string& path, const char* doing) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": cannot ", doing, " the file: ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, Close> file(path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return Failed(path, "open");
  std::string out;
  while (std::feof(file.get()) == 0 && std::ferror(file.get()) == 0) {
    const size_t size = out.size();
    const size_t step = std::max<size_t>(size_t{64} << 10, size);
    out.resize(size + step);
    out.resize(size + std::fread(out.data() + size, 1, step, file.get()));
    if (out.size() > kMaxBytes) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": the file is larger than the allowed 2 GiB"));
    }
  }
  if (std::ferror(file.get())) return Failed(path, "read");
  return out;
}

absl::Status WriteFile(const std::string& path, absl::string_view content) {
  std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr) return Failed(path, "open");
  if (std::fwrite(content.data(), 1, content.size(), file.get()) != content.size()) return Failed(path, "write");
  if (std::fclose(file.release()) != 0) return Failed(path, "write");
  return absl::OkStatus();
}

}  // namespace gradeline::cli

#include "server/plugin_host/plugin_file.h"

#include <dlfcn.h>
#include <openssl/evp.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace gradeline {
namespace {

constexpr int kOtherMajors = 16;  // how far to look for the symbol of another major

std::string SymbolOf(int major) { return absl::StrCat("gradeline_loss_plugin_v", major); }

}  // namespace

absl::StatusOr<std::string> DigestOfFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  std::array<char, 1 << 16> block;
  while (file.read(block.data(), block.size()) || file.gcount() > 0) {
    EVP_DigestUpdate(context.get(), block.data(), static_cast<size_t>(file.gcount()));
  }
  if (!file.eof()) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

absl::StatusOr<const GdlPlugin*> OpenPlugin(const std::string& path) {
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error).string();  // a bare name would be searched for
  void* library = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    const char* why = dlerror();
    return absl::FailedPreconditionError(
        absl::StrCat("cannot be opened as a library: ", why == nullptr ? "no reason given" : why));
  }
  const void* table = dlsym(library, SymbolOf(0).c_str());
  if (table != nullptr) return static_cast<const GdlPlugin*>(table);
  for (int major = 1; major <= kOtherMajors; ++major) {
    if (dlsym(library, SymbolOf(major).c_str()) == nullptr) continue;
    return absl::FailedPreconditionError(absl::StrCat("exports ", SymbolOf(major), ", a plugin of ABI major ", major,
                                                      "; this host has major 0 and looks for ", SymbolOf(0)));
  }
  return absl::FailedPreconditionError(absl::StrCat("exports no symbol ", SymbolOf(0), ", so it is no plugin"));
}

}  // namespace gradeline

// SHA-256 of bytes that come in pieces.
#ifndef GRADELINE_SERVER_CORE_BASE_SHA256_H_
#define GRADELINE_SERVER_CORE_BASE_SHA256_H_

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

namespace gradeline {

class Sha256 {
 public:
  Sha256();
  void Add(std::string_view bytes);
  /// The 32 bytes; the last call.
  std::string Finish();

 private:
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_BASE_SHA256_H_

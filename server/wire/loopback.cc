#include "server/wire/loopback.h"

#include <arpa/inet.h>

#include <string>

#include "absl/strings/match.h"

namespace gradeline {

bool IsLoopbackHost(std::string_view host) {
  const std::string text(host);
  if (absl::EqualsIgnoreCase(text, "localhost")) return true;
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace gradeline

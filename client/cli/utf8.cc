// See utf8.h.
#include "client/cli/utf8.h"

#include <cstddef>

namespace gradeline::cli {

bool IsUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    size_t more = 0;                          // bytes that follow
    unsigned char least = 0x80, most = 0xbf;  // of the first of them
    if (lead < 0x80) {
      ++i;
      continue;
    } else if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) least = 0xa0;
      if (lead == 0xed) most = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) least = 0x90;
      if (lead == 0xf4) most = 0x8f;
    }
    if (more == 0 || more >= text.size() - i) return false;
    for (size_t k = 1; k <= more; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if (byte < least || byte > most) return false;
      least = 0x80, most = 0xbf;
    }
    i += more + 1;
  }
  return true;
}

}  // namespace gradeline::cli

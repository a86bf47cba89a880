// Whether bytes from a file are text.
#ifndef GRADELINE_CLIENT_CLI_UTF8_H_
#define GRADELINE_CLIENT_CLI_UTF8_H_

#include "absl/strings/string_view.h"

namespace gradeline::cli {

/// Whether the text is well-formed UTF-8 (Unicode 15, table 3-7). Protos take no other text.
bool IsUtf8(absl::string_view text);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_UTF8_H_

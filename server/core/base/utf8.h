// Whether bytes from outside are text: names and messages travel in protos, which take nothing else.
#ifndef GRADELINE_SERVER_CORE_BASE_UTF8_H_
#define GRADELINE_SERVER_CORE_BASE_UTF8_H_

#include <string_view>

namespace gradeline {

/// Whether `text` is well-formed UTF-8: shortest forms, no surrogates, up to U+10FFFF.
bool IsUtf8(std::string_view text);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_BASE_UTF8_H_

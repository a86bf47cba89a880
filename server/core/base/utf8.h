// Bytes from outside as text: names and messages travel in protos, which take nothing else.
#ifndef GRADELINE_SERVER_CORE_BASE_UTF8_H_
#define GRADELINE_SERVER_CORE_BASE_UTF8_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace gradeline {

/// Whether `text` is well-formed UTF-8: shortest forms, no surrogates, up to U+10FFFF.
bool IsUtf8(std::string_view text);

/// The beginning of a well-formed text that whole characters leave of `most` bytes.
std::string_view Utf8Prefix(std::string_view text, size_t most);

/// A value from outside, fit for an error message: in quotes, what is not printable ASCII escaped, cut when long.
std::string Quoted(std::string_view value);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_BASE_UTF8_H_

#include "server/core/base/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace gradeline {
namespace {

std::string Encoded(uint32_t code) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xc0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xe0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | code >> 18), tail(12), tail(6), tail(0)};
}

TEST(IsUtf8Test, EveryCodePointButSurrogates) {
  for (uint32_t code = 0; code <= 0x10ffff; ++code) {
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    ASSERT_EQ(IsUtf8(Encoded(code)), !surrogate) << code;
  }
  EXPECT_FALSE(IsUtf8(Encoded(0x110000)));
}

TEST(IsUtf8Test, BrokenSequences) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("gr\xc3\xbc\xc3\x9f"));
  for (const char* bad : {"\x80", "\xff", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xc3",
                          "\xe2\x82", "\xe2\x82x", "a\xf0\x9f\x98", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

TEST(Utf8, PrefixesEndBetweenCharacters) {
  const std::string text = "a\xc3\xbc\xe2\x82\xac";
  const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6};
  for (size_t most = 0; most < std::size(expected); ++most) EXPECT_EQ(Utf8Prefix(text, most).size(), expected[most]);
}

TEST(Utf8, QuotedIsPrintableAndShort) {
  EXPECT_EQ(Quoted("a\n\xff"), "\"a\\n\\xff\"");
  EXPECT_EQ(Quoted(std::string(100, 'x')), "\"" + std::string(80, 'x') + "...\"");
}

}  // namespace
}  // namespace gradeline

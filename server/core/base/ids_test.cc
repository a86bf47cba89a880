#include "server/core/base/ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace gradeline {
namespace {

using ::testing::HasSubstr;

TEST(CheckIdTest, Grammar) {
  for (const char* good : {"a", "fashion-mnist", "a1", "a--b", "z0-9"}) EXPECT_TRUE(CheckId(good).ok()) << good;
  EXPECT_TRUE(CheckId(std::string(63, 'a')).ok());
  for (const char* bad : {"", "1a", "-a", "a-", "A", "a_b", "a/b", "a b", "\xc3\xa4"}) {
    EXPECT_EQ(CheckId(bad).code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(CheckId(std::string(64, 'a')).ok());
}

TEST(CheckIdTest, MessageShowsTheValueSafely) {
  EXPECT_THAT(std::string(CheckId("A\n").message()), HasSubstr("\"A\\n\""));
  EXPECT_LT(CheckId(std::string(1 << 20, 'A')).message().size(), 300u);
}

TEST(IdOfNameTest, TakesOnlyItsCollection) {
  EXPECT_EQ(*IdOfName("datasets", "datasets/fashion"), "fashion");
  for (const char* bad :
       {"", "fashion", "datasets", "datasets/", "splits/fashion", "datasets/a/b", "datasetsx/a", "datasets/A"}) {
    const auto id = IdOfName("datasets", bad);
    EXPECT_EQ(id.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(id.status().message()), HasSubstr("\"datasets/{id}\""));
  }
}

TEST(RandomHexTest, LengthAlphabetAndNoRepeats) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(RandomHex(16));
  EXPECT_EQ(seen.size(), 1000u);
  for (const std::string& hex : seen) {
    EXPECT_EQ(hex.size(), 32u);
    EXPECT_EQ(hex.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  EXPECT_EQ(RandomHex(0), "");
}

TEST(Ids, OfLosses) {
  for (const char* good : {"mse", "cross_entropy", "acme/focal-2.1"}) EXPECT_TRUE(IsLossId(good)) << good;
  for (const char* bad : {"", "MSE", "a b", "a\n", "ä", "a+b"}) EXPECT_FALSE(IsLossId(bad)) << bad;
  for (const char* good : {"mse", "cross_entropy+acme/focal-2.1"}) EXPECT_TRUE(IsLossExpression(good)) << good;
  for (const char* bad : {"", "mse + l1", "MSE+l1"}) EXPECT_FALSE(IsLossExpression(bad)) << bad;
}

}  // namespace
}  // namespace gradeline

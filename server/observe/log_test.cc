#include "server/observe/log.h"

#include <gtest/gtest.h>

namespace gradeline {
namespace {

TEST(Log, TextQuotesOnlyWhereNeeded) {
  EXPECT_EQ(LogLine(LogForm::kText, "listening", {{"grpc", "127.0.0.1:1"}, {"why", "two words"}, {"none", ""}}),
            R"(listening grpc=127.0.0.1:1 why="two words" none="")");
}

TEST(Log, NothingFromOutsideBreaksALine) {
  EXPECT_EQ(LogLine(LogForm::kText, "x", {{"name", "a\nb\"c"}}), R"(x name="a\u000ab\"c")");
  EXPECT_EQ(LogLine(LogForm::kJson, "x", {{"name", "a\nb\"\\"}}), R"("event":"x","name":"a\u000ab\"\\")");
}

}  // namespace
}  // namespace gradeline

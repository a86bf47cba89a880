#include "client/cli/import_csv.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace gradeline::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

absl::StatusOr<Findings> Read(const std::string& text, const std::vector<std::string>& classes = {}) {
  MemorySource source(text);
  return ReadCsv(&source, classes);
}

std::string Message(const std::string& text, const std::vector<std::string>& classes = {}) {
  const auto found = Read(text, classes);
  EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(found.status().message());
}

TEST(ImportCsv, ReadsOneClassEach) {
  const auto found = Read(
      "path,label,group,tags,subset\n"
      "a.png,dog,g1,night; rain,train\n"
      "b.png, cat ,,,\n"
      "c.png,dog,g1,,val\n");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->multi_label);
  EXPECT_THAT(found->classes, ElementsAre("cat", "dog"));
  ASSERT_EQ(found->items.size(), 3u);
  const v1::Item& first = found->items[0];
  EXPECT_EQ(first.uri(), "a.png");
  EXPECT_EQ(first.label(), 1);
  EXPECT_EQ(first.group(), "g1");
  EXPECT_THAT(first.tags(), ElementsAre("night", "rain"));
  EXPECT_EQ(first.subset(), "train");
  EXPECT_EQ(found->items[1].label(), 0);
  EXPECT_EQ(found->items[1].ByteSizeLong(), 9u) << "only a path and a class";
  EXPECT_THAT(found->notes, IsEmpty());
}

TEST(ImportCsv, ReadsAnyNumberOfLabels) {
  const auto found = Read("labels,path,width\ndog;cat;dog,a,3\n,b,4\ncat,c,5");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->multi_label);
  EXPECT_THAT(found->classes, ElementsAre("cat", "dog"));
  EXPECT_THAT(found->items[0].labels(), ElementsAre(0, 1, 1));
  EXPECT_THAT(found->items[1].labels(), IsEmpty());
  EXPECT_THAT(found->items[2].labels(), ElementsAre(0));
  EXPECT_THAT(found->notes, ElementsAre("columns that are not read: \"width\""));
}

TEST(ImportCsv, ClassesAreSortedAsNumbersOrWordsOrAsGiven) {
  EXPECT_THAT(Read("path,label\na,10\nb,9\n")->classes, ElementsAre("9", "10"));
  EXPECT_THAT(Read("path,label\na,10\nb,9\nc,007\n")->classes, ElementsAre("007", "10", "9"));
  const auto given = Read("path,label\na,cat\n", {"dog", "cat"});
  EXPECT_THAT(given->classes, ElementsAre("dog", "cat"));
  EXPECT_EQ(given->items[0].label(), 1);
  EXPECT_THAT(Message("path,label\na,cow\nb,dog\n", {"dog", "cat"}),
              HasSubstr("line 2: label is \"cow\", which --classes does not name"));
  const std::string long_name = "\xc3\xa9" + std::string(77, 'x') + "\xc3\xa9\xc3\xa9";
  EXPECT_THAT(Message("path,label\na," + long_name + "\n", {"dog"}),
              HasSubstr("label is \"\xc3\xa9" + std::string(77, 'x') + "...\", which"))
      << "letters stay readable and whole";
}

TEST(ImportCsv, QuotesFollowTheStandard) {
  const auto found = Read("\xef\xbb\xbf\"path\",label\r\n\"a,\"\"b\"\"\nc\",dog\r\n\r\n\"\",x\r\n\"d\",\"dog\"");
  EXPECT_EQ(found.status().message(), "1 problem; nothing was imported:\n  line 5: path is empty");
  const auto good = Read("\xef\xbb\xbf\"path\",label\r\n\"a,\"\"b\"\"\nc\",dog\r\n\r\n\"d\",\"dog\"");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->items[0].uri(), "a,\"b\"\nc");
  EXPECT_EQ(good->items[1].uri(), "d");
}

TEST(ImportCsv, EveryBrokenRowIsToldWithItsLine) {
  const std::string message = Message(absl::StrCat("path,label,group,tags,subset\n",                      // 1
                                                   "a,dog\n",                                             // 2
                                                   "a,dog,,,,\n",                                         // 3
                                                   ",dog,,,\n",                                           // 4
                                                   "a,,,,\n",                                             // 5
                                                   "\"a\"x,dog,,,\n",                                     // 6
                                                   "a\"b,dog,,,\n",                                       // 7
                                                   "a,d\xff,,,\n",                                        // 8
                                                   "good,dog,,,\n",                                       // 9
                                                   "\"two\nlines\",dog,", std::string(257, 'g'), ",,\n",  // 10, 11
                                                   "a,dog,,x;;y,", std::string(65, 's'), "\n",            // 12
                                                   "a,dog,,", std::string(32, ';'), ",\n",                // 13
                                                   "a\rb,dog,,,\n",                                       // 14
                                                   std::string(4097, 'u'), ",dog,,,\n",                   // 15
                                                   "\"a,dog,,,\n"));                                      // 16
  EXPECT_EQ(message,
            "14 problems; nothing was imported:\n"
            "  line 2: the row has 2 fields, the header has 5\n"
            "  line 3: the row has 6 fields, the header has 5\n"
            "  line 4: path is empty\n"
            "  line 5: label is empty\n"
            "  line 6: field 1 goes on after its closing quote\n"
            "  line 7: field 1 has a quote but does not begin with one\n"
            "  line 8: label \"d\\xff\" is no UTF-8\n"
            "  line 10: group has 257 bytes; allowed: 0 to 256\n"
            "  line 12: subset has 65 bytes; allowed: 0 to 64\n"
            "  line 12: a tag is empty\n"
            "  line 13: the row has 33 tags; allowed: up to 32\n"
            "  line 14: field 1 has a carriage return outside quotes\n"
            "  line 15: path has 4097 bytes; allowed: 1 to 4096\n"
            "  line 16: a quote that opens in this row is never closed");
}

TEST(ImportCsv, TheFirstThousandAreToldAndTheRestCounted) {
  std::string text = "path,label\n";
  for (int i = 0; i < 1234; ++i) absl::StrAppend(&text, "a", i, "\n");
  const std::string message = Message(text);
  EXPECT_TRUE(absl::StartsWith(message, "1234 problems;"));
  EXPECT_THAT(message, HasSubstr("line 1001: "));
  EXPECT_THAT(message, testing::Not(HasSubstr("line 1002: ")));
  EXPECT_THAT(message, testing::EndsWith("and 234 more"));
}

TEST(ImportCsv, WhatIsWrongWithTheHeaderIsToldOnce) {
  EXPECT_THAT(Message(""), HasSubstr("line 1: the file is empty"));
  EXPECT_THAT(Message("path,label\n"), HasSubstr("no row after the header"));
  EXPECT_THAT(Message("a,b\n1,2\n3,4\n"), testing::StartsWith("2 problems;"));
  EXPECT_THAT(Message("path,label,labels\n1,2,3\n"), HasSubstr("columns label and labels"));
  EXPECT_THAT(Message("path,label,path\n1,2,3\n"), HasSubstr("column path is there twice"));
  EXPECT_THAT(Message("\"path,label\na,b\n"), HasSubstr("line 1: a quote"));
}

TEST(ImportCsv, AQuoteThatIsNeverClosedSwallowsNoWholeFile) {
  std::string text = "path,label\nshort\n\"open,dog\n";
  while (text.size() < 3'000'000) text += "a.png,dog\n";
  const std::string message = Message(text);
  EXPECT_THAT(message, HasSubstr("line 2: the row has 1 fields"));
  EXPECT_THAT(message, HasSubstr("line 3: the row is longer than 1048576 bytes"));
}

}  // namespace
}  // namespace gradeline::cli

// The readers of annotation files never crash, and what they take is a dataset that the server would take.
#include <algorithm>

#include "client/cli/byte_source.h"
#include "client/cli/idx.h"
#include "client/cli/import_coco.h"
#include "client/cli/import_csv.h"
#include "gtest/gtest.h"
#include "tests/fuzz/mutate.h"

namespace gradeline {
namespace {

using cli::Findings;
using cli::MemorySource;

// A source that gives its bytes in small pieces, so that every boundary falls between two reads sometimes.
class Piecemeal : public cli::ByteSource {
 public:
  explicit Piecemeal(const std::string& bytes) : whole_(bytes) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    return whole_.Read(buffer, std::min<size_t>(size, 7));
  }

 private:
  MemorySource whole_;
};

bool CheckFindings(const absl::StatusOr<Findings>& whole, const absl::StatusOr<Findings>& pieces) {
  EXPECT_EQ(whole.status(), pieces.status());
  if (!whole.ok()) {
    EXPECT_EQ(whole.status().code(), absl::StatusCode::kInvalidArgument);
    return false;
  }
  const auto classes = static_cast<int>(whole->classes.size());
  EXPECT_FALSE(whole->items.empty());
  for (const std::string& name : whole->classes) EXPECT_TRUE(!name.empty() && name.size() <= cli::kLongestClass);
  for (const v1::Item& item : whole->items) {
    EXPECT_TRUE(!item.uri().empty() && item.uri().size() <= cli::kLongestUri);
    EXPECT_TRUE(whole->multi_label ? item.label() == 0 : item.label() >= 0 && item.label() < classes);
    EXPECT_TRUE(whole->multi_label || item.labels().empty());
    EXPECT_TRUE(std::is_sorted(item.labels().begin(), item.labels().end()));
    for (const int label : item.labels()) EXPECT_TRUE(label >= 0 && label < classes);
    EXPECT_TRUE(item.IsInitialized());
    v1::Item back;  // parsing refuses what is no UTF-8
    EXPECT_TRUE(back.ParseFromString(item.SerializeAsString()));
  }
  return true;
}

TEST(ImportFuzz, Coco) {
  const FuzzCorpus corpus{
      {R"({"info":{"a":[1,{"b":null}]},"images":[{"id":1,"file_name":"a.jpg","width":3},{"id":2,"coco_url":"http://b"}],)"
       R"("annotations":[{"id":7,"image_id":2,"category_id":5,"bbox":[0,0.5,1e2,4],"iscrowd":0,"segmentation":[[1,2,3.5]]},)"
       R"({"image_id":1,"category_id":3,"iscrowd":1,"segmentation":{"counts":"abc","size":[1,2]}}],)"
       R"("categories":[{"id":5,"name":"dog"},{"id":3,"name":"\u00e9t\u00e9","supercategory":"x"}]})",
       R"({"annotations":[{"image_id":-9,"segments_info":[{"id":1,"category_id":0,"iscrowd":0},{"category_id":0}]}],)"
       R"("categories":[{"id":0,"name":"sky"}],"images":[{"file_name":"b.png","id":-9}]})",
       "{\"images\":[{\"id\":1,\"file_name\":\"\xc3\xa9\"}],\n \"categories\":[{\"id\":1,\"name\":\"x\"}]}"},
      {"\"images\"",
       "\"annotations\"",
       "\"categories\"",
       "\"id\"",
       "\"image_id\"",
       "\"category_id\"",
       "\"file_name\"",
       "\"coco_url\"",
       "\"name\"",
       "\"iscrowd\"",
       "\"bbox\"",
       "\"segments_info\"",
       "\"segmentation\"",
       "{",
       "}",
       "[",
       "]",
       ",",
       ":",
       "null",
       "true",
       "false",
       "0",
       "1",
       "-1",
       "9223372036854775807",
       "9223372036854775808",
       "1e400",
       "-0",
       "1.5",
       "\"\\ud800\"",
       "\"\\u0000\"",
       "\\",
       "\"",
       "{}",
       "[]",
       "\"\"",
       "\xff",
       "\xed\xa0\x80",
       "\n",
       "[[[[[[[[",
       "{\"a\":"}};
  Fuzz(corpus, 1, [](const std::string& input) {
    MemorySource whole(input);
    Piecemeal pieces(input);
    return CheckFindings(cli::ReadCoco(&whole), cli::ReadCoco(&pieces));
  });
}

TEST(ImportFuzz, Csv) {
  const FuzzCorpus corpus{
      {"path,label,group,tags,subset\na.png,cat,g1,x;y,train\r\n\"b,\"\"c\"\".png\",dog,,,\n\n\"d\ne\",cat,g,,val\n",
       "\xef\xbb\xbfwidth,labels,path\n3,cat; dog;cat,a\n4,,b", "path,label\na,10\nb,9\n"},
      {"path",
       "label",
       "labels",
       "group",
       "tags",
       "subset",
       ",",
       ";",
       "\"",
       "\"\"",
       "\n",
       "\r\n",
       "\r",
       "\xef\xbb\xbf",
       "path,label\n",
       "path,labels\n",
       "\xc3\xa9",
       "\xff",
       std::string(1, '\0'),
       "a.png,cat\n",
       "007",
       "-1",
       std::string(300, 'x'),
       ";;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;"}};
  Fuzz(corpus, 2, [](const std::string& input) {
    MemorySource whole(input);
    Piecemeal pieces(input);
    return CheckFindings(cli::ReadCsv(&whole, {}), cli::ReadCsv(&pieces, {}));
  });
}

TEST(ImportFuzz, Idx) {
  const std::string labels("\0\0\10\1\0\0\0\3abc", 11);
  const std::string images("\0\0\10\3\0\0\0\2\0\0\0\2\0\0\0\1abcd", 20);
  const FuzzCorpus corpus{{labels, images},
                          {std::string("\0\0\0\1", 4), std::string("\0\0\10\1", 4), std::string("\0\0\10\3", 4),
                           "\xff\xff\xff\xff", std::string("\5\xf5\xe1\0", 4), std::string("\0\1\0\0", 4)}};
  Fuzz(corpus, 3, [&](const std::string& input) {
    MemorySource as_labels(input), as_images(input);
    const auto read = cli::ReadIdxLabels(&as_labels);
    const auto counted = cli::CountIdxImages(&as_images);
    EXPECT_FALSE(read.ok() && counted.ok()) << "a file is one of the two";
    EXPECT_TRUE(!read.ok() || read->size() + 8 == input.size());
    EXPECT_TRUE(!counted.ok() || *counted <= static_cast<int64_t>(input.size()));
    return read.ok() || counted.ok();
  });
}

}  // namespace
}  // namespace gradeline

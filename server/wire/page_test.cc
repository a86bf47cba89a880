#include "server/wire/page.h"

#include <gtest/gtest.h>

#include "gradeline/v1/split.pb.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

TEST(Page, DefaultAndLoweredSize) {
  v1::ListSplitsRequest request;
  EXPECT_EQ(PageOf(request)->size, 100);
  request.set_page_size(5000);
  EXPECT_EQ(PageOf(request)->size, 1000);
  request.set_page_size(7);
  EXPECT_EQ(PageOf(request)->size, 7);
}

TEST(Page, NegativeSizeIsRefused) {
  v1::ListSplitsRequest request;
  request.set_page_size(-1);
  const auto page = PageOf(request);
  EXPECT_EQ(page.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldViolationsOf(page.status()),
            (std::vector<FieldViolation>{{"pageSize", "-1 is negative; allowed: 0 (the default of 100) to 1000"}}));
}

TEST(Page, TokenGoesOnWhereThePageEnded) {
  v1::ListItemsRequest request;
  request.set_parent("splits/a");
  const auto first = PageOf(request);
  EXPECT_EQ(first->after, "");
  request.set_page_token(NextPageToken(*first, "99"));
  request.set_page_size(3);
  const auto second = PageOf(request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->after, "99");
  EXPECT_EQ(NextPageToken(*second, ""), "");
}

TEST(Page, TokenOfOtherArgumentsIsRefused) {
  v1::ListItemsRequest request;
  request.set_parent("splits/a");
  const std::string token = NextPageToken(*PageOf(request), "99");
  request.set_parent("splits/b");
  request.set_page_token(token);
  EXPECT_EQ(FieldViolationsOf(PageOf(request).status())[0].field, "pageToken");
  v1::ListSplitsRequest other;
  other.set_page_token(token);
  EXPECT_FALSE(PageOf(other).ok());
}

TEST(Page, GarbageIsRefused) {
  v1::ListSplitsRequest request;
  const std::string good = NextPageToken(*PageOf(request), "x");
  for (const std::string& token : {std::string("?"), std::string("AAAA"), good.substr(0, 20), "A" + good}) {
    request.set_page_token(token);
    EXPECT_FALSE(PageOf(request).ok()) << token;
  }
}

}  // namespace
}  // namespace gradeline

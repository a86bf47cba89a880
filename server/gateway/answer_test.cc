#include "server/gateway/answer.h"

#include <gmock/gmock.h>

namespace gradeline {
namespace {

HttpOptions Options(const absl::Status& ready) {
  HttpOptions options;
  options.ready = [ready] { return ready; };
  options.metrics = [] { return std::string("up 1\n"); };
  return options;
}

int StatusOf(std::string_view method, std::string_view target, std::string_view host = "localhost:8080") {
  return AnswerHttp(Options(absl::OkStatus()), method, target, host).status;
}

TEST(Answer, ThreePaths) {
  EXPECT_EQ(StatusOf("GET", "/healthz"), 200);
  EXPECT_EQ(StatusOf("HEAD", "/readyz"), 200);
  const HttpAnswer metrics = AnswerHttp(Options(absl::OkStatus()), "GET", "/metrics?x=1", "127.0.0.1");
  EXPECT_EQ(metrics.body, "up 1\n");
  EXPECT_EQ(metrics.type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST(Answer, NotReadySaysWhy) {
  const HttpAnswer answer = AnswerHttp(Options(absl::UnavailableError("disk full")), "GET", "/readyz", "localhost");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "not ready: disk full\n");
}

TEST(Answer, OtherPathsAndMethods) {
  EXPECT_EQ(StatusOf("GET", "/"), 404);
  EXPECT_EQ(StatusOf("GET", "/healthz/"), 404);
  EXPECT_EQ(StatusOf("POST", "/metrics"), 405);
  EXPECT_EQ(AnswerHttp(Options(absl::OkStatus()), "POST", "/metrics", "localhost").allow, "GET, HEAD");
}

TEST(Answer, OnlyLoopbackHosts) {
  for (const char* host : {"localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.0.0.2", "[::1]", "[::1]:9"}) {
    EXPECT_EQ(StatusOf("GET", "/healthz", host), 200) << host;
  }
  for (const char* host : {"", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "[::1", "localhost:x",
                           "127.0.0.1:", "10.0.0.1", "[::2]"}) {
    EXPECT_EQ(StatusOf("GET", "/healthz", host), 421) << host;
  }
}

}  // namespace
}  // namespace gradeline

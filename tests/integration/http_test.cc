// The HTTP side: health, readiness, metrics, and clients that behave badly.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/server_fixture.h"

namespace gradeline {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Http : public ServerTest {
 protected:
  /// What comes back for raw bytes, until the server closes or an answer that keeps the connection is whole.
  std::string Raw(const std::string& bytes) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(std::stoi(server_.http().substr(server_.http().rfind(':') + 1))));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    std::string answer;
    char buffer[65536];
    for (ssize_t got = 0; (got = recv(fd, buffer, sizeof(buffer), 0)) > 0;)
      answer.append(buffer, static_cast<size_t>(got));
    close(fd);
    return answer;
  }
  std::string Get(const std::string& path, const std::string& host = "localhost") {
    return Raw("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
  }
};

TEST_F(Http, HealthReadinessAndOtherPaths) {
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get("/other"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Raw("DELETE /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD")));
  EXPECT_THAT(Get("/metrics", "evil.example"), StartsWith("HTTP/1.1 421 "));
  const std::string head = Raw("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head, testing::AllOf(StartsWith("HTTP/1.1 200 "), testing::EndsWith("\r\n\r\n")));
}

TEST_F(Http, OneConnectionTakesSeveralRequests) {
  const std::string keep = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string answers = Raw(keep + keep + "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answers, testing::AllOf(HasSubstr("alive"), HasSubstr("ready\n")));
}

TEST_F(Http, BadRequestsAreRefused) {
  EXPECT_THAT(Raw("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Get("/healthz?" + std::string(10'000, 'x')), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Raw("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(Http, MetricsCountWhatHappened) {
  const auto started = Started("m");
  RankStream stream(training_.get(), started, 0, 1);
  ASSERT_TRUE(stream.Send(RankStream::Batch(1, v1::PHASE_TRAIN, 0, 0)));
  v1::TrainRequest bad = RankStream::Batch(2, v1::PHASE_TRAIN, 0, 1);
  *bad.mutable_batch()->mutable_inputs(1) = I64("target", {2}, {0, 9});
  ASSERT_TRUE(stream.Send(bad));
  stream.NextCommitted(2);
  v1::GetLossRequest unknown;
  unknown.set_name("losses/none");
  Refused<v1::Loss>(&v1::CatalogService::Stub::GetLoss, catalog_, unknown);
  // A batch stops being in flight some time after its answer.
  std::string text;
  const auto deadline = SoonEnough();
  do {
    text = Get("/metrics");
  } while (text.find("gradeline_stream_inflight_batches 0\n") == std::string::npos &&
           std::chrono::system_clock::now() < deadline);
  EXPECT_THAT(text, HasSubstr("gradeline_stream_inflight_batches 0\n"));
  EXPECT_THAT(text, HasSubstr("gradeline_loss_evaluations_total{loss=\"cross_entropy\",outcome=\"ok\"} 1"));
  EXPECT_THAT(text, HasSubstr("gradeline_loss_evaluations_total{loss=\"cross_entropy\",outcome=\"refused\"} 1"));
  EXPECT_THAT(text, HasSubstr("gradeline_experiments{state=\"RUNNING\"} 1"));
  EXPECT_THAT(text, HasSubstr("grpc_method=\"CatalogService/GetLoss\",grpc_status=\"NOT_FOUND\""));
  EXPECT_THAT(text, HasSubstr("gradeline_build_info{version="));
  EXPECT_THAT(text, testing::Not(HasSubstr("\"m\""))) << "a name that a user chose is a label";
}

}  // namespace
}  // namespace gradeline

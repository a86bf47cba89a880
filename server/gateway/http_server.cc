#include "server/gateway/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/gateway/answer.h"

namespace gradeline {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr uint32_t kMostHeaderBytes = 8 << 10;
constexpr uint64_t kMostBodyBytes = 1 << 10;  // nothing here takes a body

// One connection: reads a request, answers, reads the next. A client that is slower than the timeout is cut off.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const HttpOptions* options, int* connections)
      : stream_(std::move(socket)), options_(options), connections_(connections) {
    ++*connections_;
  }
  ~Session() { --*connections_; }
  Session(const Session&) = delete;

  void Read() {
    parser_.emplace();
    parser_->header_limit(kMostHeaderBytes);
    parser_->body_limit(kMostBodyBytes);
    stream_.expires_after(options_->timeout);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) {
      if (error == http::error::end_of_stream || error == beast::error::timeout) return self->Close();
      error ? self->Refuse(error) : self->Answer();
    });
  }

 private:
  void Answer() {
    const auto& request = parser_->get();
    const auto text = [](beast::string_view view) { return std::string_view(view.data(), view.size()); };
    Write(
        AnswerHttp(*options_, text(request.method_string()), text(request.target()), text(request[http::field::host])),
        request.version(), request.keep_alive(), request.method() == http::verb::head);
  }

  void Refuse(error_code error) {
    const bool large = error == http::error::header_limit || error == http::error::body_limit;
    HttpAnswer answer;
    answer.status = error == http::error::body_limit ? 413 : large ? 431 : 400;
    answer.body = absl::StrCat(error.message(), "\n");
    Write(std::move(answer), 11, false, false);
  }

  void Write(HttpAnswer answer, unsigned version, bool keep_alive, bool head) {
    response_ = {static_cast<http::status>(answer.status), version};
    response_.set(http::field::content_type, answer.type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    if (!answer.allow.empty()) response_.set(http::field::allow, answer.allow);
    response_.keep_alive(keep_alive);
    response_.content_length(answer.body.size());
    if (!head) response_.body() = std::move(answer.body);
    stream_.expires_after(options_->timeout);
    serializer_.emplace(response_);
    auto written = [self = shared_from_this(), keep_alive](error_code error, size_t) {
      if (error || !keep_alive) return self->Close();
      self->Read();
    };
    if (head) {
      http::async_write_header(stream_, *serializer_, std::move(written));
    } else {
      http::async_write(stream_, *serializer_, std::move(written));
    }
  }

  void Close() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{kMostHeaderBytes + kMostBodyBytes};
  const HttpOptions* options_;
  int* connections_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
};

absl::Status CannotListen(const std::string& listen, const std::string& why) {
  return WithReason(absl::UnavailableError(absl::StrCat("cannot listen on ", listen, " (http.listen): ", why)),
                    "CANNOT_LISTEN", {{"address", listen}, {"key", "http.listen"}});
}

}  // namespace

struct HttpServer::Impl {
  explicit Impl(HttpOptions o) : options(std::move(o)) {}

  absl::Status Bind() {
    const size_t colon = options.listen.rfind(':');
    uint32_t port = 0;
    if (colon == std::string::npos || !absl::SimpleAtoi(options.listen.substr(colon + 1), &port) || port > 65535) {
      return CannotListen(options.listen, "it is not HOST:PORT");
    }
    std::string host = options.listen.substr(0, colon);
    if (host == "localhost") host = "127.0.0.1";
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    error_code error;
    const tcp::endpoint endpoint(asio::ip::make_address(host, error), static_cast<uint16_t>(port));
    if (!error) acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return CannotListen(options.listen, error.message());
    address = absl::StrCat(options.listen.substr(0, colon), ":", acceptor.local_endpoint().port());
    return absl::OkStatus();
  }

  void Accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return Wait();
      if (connections < options.most_connections) {
        std::make_shared<Session>(std::move(socket), &options, &connections)->Read();
      }
      Accept();
    });
  }

  // Out of descriptors: accepting again at once would only spin.
  void Wait() {
    pause.expires_after(std::chrono::milliseconds(100));
    pause.async_wait([this](error_code error) {
      if (!error) Accept();
    });
  }

  HttpOptions options;
  std::string address;
  int connections = 0;  // of the one thread; outlives io, whose handlers hold the sessions
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer pause{io};
  std::thread thread;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  GRADELINE_RETURN_IF_ERROR(impl->Bind());
  impl->Accept();
  impl->thread = std::thread([raw = impl.get()] { raw->io.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  impl_->io.stop();
  impl_->thread.join();
}

const std::string& HttpServer::address() const { return impl_->address; }

}  // namespace gradeline

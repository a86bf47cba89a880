// HTTP for people and machines that watch the server: /healthz, /readyz, /metrics. Deliberately knows nothing of what
// is served: readiness and metrics are asked from functions.
#ifndef GRADELINE_SERVER_GATEWAY_HTTP_SERVER_H_
#define GRADELINE_SERVER_GATEWAY_HTTP_SERVER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace gradeline {

struct HttpOptions {
  std::string listen;                         ///< "127.0.0.1:8080"; port 0: any
  std::function<absl::Status()> ready;        ///< OK while the server can do its work; may block for a moment
  std::function<std::string()> metrics;       ///< Prometheus' text format
  std::chrono::milliseconds timeout{10'000};  ///< for a whole request, and for a client to take its answer
  int most_connections = 256;
};

/// One thread answers all requests.
class HttpServer {
 public:
  /// Listens at once. UNAVAILABLE: the address cannot be had (it and the key http.listen are named).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpOptions options);
  ~HttpServer();

  /// As in `listen`, with the port that was bound.
  const std::string& address() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_GATEWAY_HTTP_SERVER_H_

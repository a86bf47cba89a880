#include "server/gateway/answer.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/str_cat.h"

namespace gradeline {
namespace {

bool IsLoopbackHost(std::string_view host) {
  if (host.empty()) return false;
  std::string name;
  if (host.front() == '[') {
    const size_t end = host.find(']');
    if (end == std::string_view::npos) return false;
    name = std::string(host.substr(0, end + 1));
    host.remove_prefix(end + 1);
  } else {
    const size_t end = std::min(host.find(':'), host.size());
    name = std::string(host.substr(0, end));
    host.remove_prefix(end);
  }
  const bool port =
      host.empty() || (host.size() > 1 && host.front() == ':' &&
                       std::all_of(host.begin() + 1, host.end(), [](unsigned char c) { return std::isdigit(c) != 0; }));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return port && (name == "localhost" || name == "127.0.0.1" || name == "[::1]");
}

HttpAnswer Text(int status, std::string body) { return {status, "text/plain; charset=utf-8", std::move(body), ""}; }

HttpAnswer Ready(const HttpOptions& options) {
  const absl::Status status = options.ready();
  return status.ok() ? Text(200, "ready\n") : Text(503, absl::StrCat("not ready: ", status.message(), "\n"));
}

}  // namespace

HttpAnswer AnswerHttp(const HttpOptions& options, std::string_view method, std::string_view target,
                      std::string_view host) {
  if (!IsLoopbackHost(host)) {
    return Text(421, "this server answers to the hosts localhost, 127.0.0.1 and [::1] only\n");
  }
  const std::string_view path = target.substr(0, target.find('?'));
  const bool known = path == "/healthz" || path == "/readyz" || path == "/metrics";
  if (!known) return Text(404, "not found; there are /healthz, /readyz and /metrics\n");
  if (method != "GET" && method != "HEAD") {
    HttpAnswer answer = Text(405, "allowed: GET, HEAD\n");
    answer.allow = "GET, HEAD";
    return answer;
  }
  if (path == "/healthz") return Text(200, "alive\n");
  if (path == "/readyz") return Ready(options);
  return {200, "text/plain; version=0.0.4; charset=utf-8", options.metrics(), ""};
}

}  // namespace gradeline

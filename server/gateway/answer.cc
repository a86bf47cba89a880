#include "server/gateway/answer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/wire/loopback.h"

namespace gradeline {
namespace {

// The host of a Host header, without its port; empty if it is malformed.
std::string_view HostOf(std::string_view header) {
  const bool bracket = !header.empty() && header.front() == '[';
  const size_t end = bracket ? header.find(']') : std::min(header.find(':'), header.size());
  if (end == std::string_view::npos) return {};
  const std::string_view port = header.substr(bracket ? end + 1 : end);
  const bool good = port.empty() || (port.size() > 1 && port.front() == ':' &&
                                     std::all_of(port.begin() + 1, port.end(), absl::ascii_isdigit));
  if (!good) return {};
  return bracket ? header.substr(1, end - 1) : header.substr(0, end);
}

HttpAnswer Text(int status, std::string body) { return {status, "text/plain; charset=utf-8", std::move(body), ""}; }

HttpAnswer Ready(const HttpOptions& options) {
  const absl::Status status = options.ready();
  return status.ok() ? Text(200, "ready\n") : Text(503, absl::StrCat("not ready: ", status.message(), "\n"));
}

}  // namespace

HttpAnswer AnswerHttp(const HttpOptions& options, std::string_view method, std::string_view target,
                      std::string_view host) {
  if (!IsLoopbackHost(HostOf(host))) {
    return Text(421, "this server answers to localhost and loopback addresses only\n");
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

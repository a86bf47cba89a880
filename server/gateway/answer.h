// What the HTTP server answers, apart from sockets.
#ifndef GRADELINE_SERVER_GATEWAY_ANSWER_H_
#define GRADELINE_SERVER_GATEWAY_ANSWER_H_

#include <string>
#include <string_view>

#include "server/gateway/http_server.h"

namespace gradeline {

struct HttpAnswer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow;  ///< with 405: the methods that are allowed
};

/// `host`: the Host header. A name other than the loopback's is refused, so that no web page can reach the server
/// through a name of its own that points here.
HttpAnswer AnswerHttp(const HttpOptions& options, std::string_view method, std::string_view target,
                      std::string_view host);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_GATEWAY_ANSWER_H_

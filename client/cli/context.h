// What every command has at hand: the global flags, the streams, and calls to the server with a deadline.
#ifndef GRADELINE_CLIENT_CLI_CONTEXT_H_
#define GRADELINE_CLIENT_CLI_CONTEXT_H_

#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/output_form.h"
#include "client/cpp/connection.h"
#include "client/cpp/route.h"
#include "client/cpp/status.h"

namespace gradeline::cli {

class Context {
 public:
  Context(std::ostream& results, std::ostream& messages) : out(results), err(messages) {}

  std::ostream& out;  ///< results only
  std::ostream& err;  ///< errors, notes, progress
  std::string server = "127.0.0.1:50051";
  OutputForm form = OutputForm::kTable;
  /// Of the whole command; zero: a minute per call, no end for watch, wait, db backup and db check.
  absl::Duration timeout = absl::ZeroDuration();
  /// The command that was chosen; set while the command line is parsed.
  std::function<absl::Status()> action;

  /// The connection, made at the first call.
  absl::StatusOr<std::shared_ptr<client::Connection>> Connect();

  /// When a call that lasts `usual` at most must be done.
  std::chrono::system_clock::time_point Deadline(absl::Duration usual = absl::Minutes(1)) const {
    return absl::ToChronoTime(absl::Now() + (timeout > absl::ZeroDuration() ? timeout : usual));
  }

  /// One unary call: Call(&Connection::catalog, &Stub::GetLoss, request, &response). Made at the server that owns the
  /// experiment; while that one is away, again, until another takes the experiment over or the time runs out.
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(Stub& (client::Connection::*service)(),
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    auto connection = Connect();
    if (!connection.ok()) return connection.status();
    client::Route route(*std::move(connection));
    const auto deadline = Deadline();
    for (int failed = 0;;) {
      grpc::ClientContext call;
      call.set_deadline(deadline);
      const std::string called = route.connection()->address();
      const absl::Status status =
          client::StatusFromGrpc((((*route.connection()).*service)().*method)(&call, request, response));
      if (status.ok() || !MayRepeat(status, deadline, &route, &failed)) return Explained(status, called);
    }
  }

  /// The status of a call, in words that name the server where the transport's own do not. `called`: its address, if
  /// that is not `server`.
  absl::Status Explained(const absl::Status& status, const std::string& called = "") const;

  /// A List call with all pages joined; `next_page_token` of the result is empty.
  template <typename Stub, typename Request, typename Response>
  absl::Status CallAllPages(Stub& (client::Connection::*service)(),
                            grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                            Request request, Response* response) {
    do {
      Response page;
      if (absl::Status status = Call(service, method, request, &page); !status.ok()) return status;
      request.set_page_token(page.next_page_token());
      response->MergeFrom(page);
    } while (!request.page_token().empty());
    response->clear_next_page_token();
    return absl::OkStatus();
  }

 private:
  /// Whether a call that failed because the owner is elsewhere, or away, is to be made again by `route`; if it is away,
  /// after a pause that grows with `failed`.
  bool MayRepeat(const absl::Status& status, std::chrono::system_clock::time_point deadline, client::Route* route,
                 int* failed);

  std::shared_ptr<client::Connection> connection_;
};

/// "datasets/x" of ("datasets", "x"); a name that already has a slash stays as it is.
std::string ResourceName(const char* collection, const std::string& id);

/// A random UUID (version 4), for the request ids that make a repeat harmless.
std::string RandomUuid();

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_CONTEXT_H_

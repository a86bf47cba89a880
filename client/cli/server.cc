// server status: what the server is and where it listens.
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/looks.h"
#include "client/cli/output.h"

namespace gradeline::cli {
namespace {

absl::Status Status(Context& context) {
  v1::ServerInfo info;
  if (absl::Status status = context.Call(&client::Connection::admin, &v1::AdminService::Stub::GetServerInfo,
                                         v1::GetServerInfoRequest(), &info);
      !status.ok()) {
    return status;
  }
  if (context.form != OutputForm::kTable) {
    const Look look{{}, [&](const google::protobuf::Message&) { return info.grpc_address(); }};
    PrintOne(info, look, context.form, false, context.out);
    return absl::OkStatus();
  }
  context.out << "version   " << info.version() << "\nstarted   " << ShortTime(info.start_time().seconds())
              << " UTC\ngrpc      " << info.grpc_address() << "\nhttp      " << info.http_address() << "\nthreads   "
              << info.threads() << "\nnumerics  " << info.numerics() << "\ncatalog   " << info.catalog_digest()
              << "\nmessages  up to " << info.max_message_bytes() << " bytes\nmemory    " << info.memory_budget_bytes()
              << " bytes for batches\n";
  return absl::OkStatus();
}

}  // namespace

void AddServer(CLI::App& app, Context& context) {
  CLI::App* server = app.add_subcommand("server", "The server itself");
  server->require_subcommand(1);
  CLI::App* status = server->add_subcommand("status", "Show version, addresses and limits");
  status->callback([&context] { context.action = [&context] { return Status(context); }; });
}

}  // namespace gradeline::cli

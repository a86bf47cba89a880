#include "server/rpc/admin_service.h"

#include <algorithm>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/check.h"
#include "server/rpc/backup_stream.h"
#include "server/wire/catalog.h"
#include "server/wire/page.h"

namespace gradeline {
namespace {

// Refused plugins may have no name or an equal one, so pages go on by position; the list never changes.
absl::StatusOr<v1::ListPluginsResponse> ListPluginsPage(const LossRegistry& registry,
                                                        const v1::ListPluginsRequest& request) {
  GRADELINE_ASSIGN_OR_RETURN(const PageRequest page, PageOf(request));
  const auto& plugins = registry.plugins();
  size_t begin = 0;
  if (!page.after.empty() && !absl::SimpleAtoi(page.after, &begin)) begin = plugins.size();
  begin = std::min(begin, plugins.size());
  const size_t end = std::min(plugins.size(), begin + static_cast<size_t>(page.size));
  v1::ListPluginsResponse response;
  for (size_t i = begin; i < end; ++i) *response.add_plugins() = ToProto(*plugins[i]);
  if (end < plugins.size()) response.set_next_page_token(NextPageToken(page, absl::StrCat(end)));
  return response;
}

absl::StatusOr<v1::CheckDatabaseResponse> CheckDatabaseNow(const Experiments& experiments,
                                                           const std::function<bool()>& go_on) {
  GRADELINE_ASSIGN_OR_RETURN(const auto snapshot, experiments.TakeSnapshot(go_on));
  GRADELINE_ASSIGN_OR_RETURN(const auto store, snapshot->Open());
  GRADELINE_ASSIGN_OR_RETURN(const CheckReport report, CheckStore(*store, go_on));
  v1::CheckDatabaseResponse response;
  for (const Flaw& flaw : report.flaws) {
    v1::Flaw& added = *response.add_flaws();
    if (!flaw.experiment.empty()) added.set_experiment(absl::StrCat("experiments/", flaw.experiment));
    added.set_attempt(flaw.attempt);
    added.set_what(flaw.what);
  }
  response.set_flaw_count(report.flaw_count);
  response.set_experiments(report.experiments);
  response.set_records(report.records);
  return response;
}

}  // namespace

void AdminServiceImpl::SetInfo(v1::ServerInfo info) {
  const std::lock_guard lock(mutex_);
  info_ = std::move(info);
}

grpc::ServerUnaryReactor* AdminServiceImpl::GetServerInfo(grpc::CallbackServerContext* context,
                                                          const v1::GetServerInfoRequest* request,
                                                          v1::ServerInfo* response) {
  return calls_->Answer(context, "AdminService/GetServerInfo", request, response,
                        [this]() -> absl::StatusOr<v1::ServerInfo> {
                          const std::lock_guard lock(mutex_);
                          return info_;
                        });
}

grpc::ServerUnaryReactor* AdminServiceImpl::ListPlugins(grpc::CallbackServerContext* context,
                                                        const v1::ListPluginsRequest* request,
                                                        v1::ListPluginsResponse* response) {
  return calls_->Answer(context, "AdminService/ListPlugins", request, response,
                        [this, request] { return ListPluginsPage(*registry_, *request); });
}

grpc::ServerWriteReactor<v1::BackupDatabaseResponse>* AdminServiceImpl::BackupDatabase(
    grpc::CallbackServerContext* context, const v1::BackupDatabaseRequest*) {
  return BackupStream::Open(experiments_, calls_, context);
}

grpc::ServerUnaryReactor* AdminServiceImpl::CheckDatabase(grpc::CallbackServerContext* context,
                                                          const v1::CheckDatabaseRequest* request,
                                                          v1::CheckDatabaseResponse* response) {
  return calls_->Answer(context, "AdminService/CheckDatabase", request, response, [this, context] {
    return CheckDatabaseNow(*experiments_, [context] { return !context->IsCancelled(); });
  });
}

}  // namespace gradeline

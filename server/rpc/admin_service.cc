#include "server/rpc/admin_service.h"

#include <algorithm>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
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

}  // namespace gradeline

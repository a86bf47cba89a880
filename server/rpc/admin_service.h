// gradeline.v1.AdminService: facts about this server and its plugins, and the care of its database.
#ifndef GRADELINE_SERVER_RPC_ADMIN_SERVICE_H_
#define GRADELINE_SERVER_RPC_ADMIN_SERVICE_H_

#include <mutex>

#include "gradeline/v1/admin.grpc.pb.h"
#include "server/core/experiment/experiments.h"
#include "server/core/loss/registry.h"
#include "server/rpc/calls.h"

namespace gradeline {

class AdminServiceImpl final : public v1::AdminService::CallbackService {
 public:
  AdminServiceImpl(Experiments* experiments, Calls* calls)
      : experiments_(experiments), registry_(&experiments->registry()), calls_(calls) {}
  /// The answer to GetServerInfo.
  void SetInfo(v1::ServerInfo info);

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context, const v1::GetServerInfoRequest* request,
                                          v1::ServerInfo* response) override;
  grpc::ServerUnaryReactor* ListPlugins(grpc::CallbackServerContext* context, const v1::ListPluginsRequest* request,
                                        v1::ListPluginsResponse* response) override;
  grpc::ServerWriteReactor<v1::BackupDatabaseResponse>* BackupDatabase(
      grpc::CallbackServerContext* context, const v1::BackupDatabaseRequest* request) override;
  grpc::ServerUnaryReactor* CheckDatabase(grpc::CallbackServerContext* context, const v1::CheckDatabaseRequest* request,
                                          v1::CheckDatabaseResponse* response) override;

 private:
  Experiments* experiments_;
  const LossRegistry* registry_;
  Calls* calls_;
  std::mutex mutex_;
  v1::ServerInfo info_;  // guarded by mutex_
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_RPC_ADMIN_SERVICE_H_

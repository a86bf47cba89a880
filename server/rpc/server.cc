#include "server/rpc/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/rpc/admin_service.h"
#include "server/rpc/catalog_service.h"
#include "server/rpc/dataset_service.h"
#include "server/rpc/experiment_service.h"
#include "server/rpc/library_logs.h"
#include "server/rpc/listen_check.h"
#include "server/rpc/roles.h"
#include "server/rpc/split_service.h"
#include "server/rpc/training_service.h"
#include "server/wire/dataset.h"

namespace gradeline {

struct RpcServer::Impl {
  Impl(RpcOptions o, Experiments* experiments, Engine* e, ServerMetrics* metrics)
      : options(std::move(o)),
        engine(e),
        registry(&experiments->registry()),
        calls(metrics, options.max_message_bytes, options.stall_limit, options.worker_threads),
        catalog(registry, &calls),
        dataset(experiments, &calls),
        split(experiments, &calls),
        experiment(experiments, &calls),
        training(experiments, e, &calls, options.metric_bytes),
        admin(experiments, &calls) {}

  RpcOptions options;
  Engine* engine;
  const LossRegistry* registry;
  Calls calls;
  CatalogServiceImpl catalog;
  DatasetServiceImpl dataset;
  SplitServiceImpl split;
  ExperimentServiceImpl experiment;
  TrainingServiceImpl training;
  AdminServiceImpl admin;
  std::string address;
  std::unique_ptr<grpc::Server> server;
};

namespace {

constexpr std::chrono::milliseconds kLastAnswers{300};
constexpr int kMostCallsOfAConnection = 256;

std::vector<const google::protobuf::FileDescriptor*> ServiceFiles() {
  return {v1::ListTasksRequest::descriptor()->file(),
          v1::Dataset::descriptor()->file(),
          v1::Split::descriptor()->file(),
          v1::Experiment::descriptor()->file(),
          v1::TrainRequest::descriptor()->file(),
          v1::ServerInfo::descriptor()->file()};
}

absl::Status CheckAllRoles() {
  for (const auto* file : ServiceFiles()) {
    for (int i = 0; i < file->service_count(); ++i) GRADELINE_RETURN_IF_ERROR(CheckRoles(*file->service(i)));
  }
  return absl::OkStatus();
}

// Of the server ("") and of each of its services.
void SetHealth(grpc::Server& server, bool serving) {
  grpc::HealthCheckServiceInterface* const health = server.GetHealthCheckService();
  health->SetServingStatus(serving);
  for (const auto* file : ServiceFiles()) {
    for (int i = 0; i < file->service_count(); ++i) health->SetServingStatus(file->service(i)->full_name(), serving);
  }
}

void SetLimits(int64_t max_message_bytes, grpc::ServerBuilder* builder) {
  // Messages up to twice the limit are read and refused with an error that names the key, and their stream lives on;
  // above that gRPC itself refuses with its own words.
  const int64_t hard = std::min<int64_t>(2 * max_message_bytes, std::numeric_limits<int>::max());
  builder->SetMaxReceiveMessageSize(static_cast<int>(hard));
  builder->SetMaxSendMessageSize(static_cast<int>(hard));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostCallsOfAConnection);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port in use is an error, not a share of its calls
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  // A gigabyte of zeros costs its sender a megabyte if the server inflates it.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);  // reflection alone is synchronous
  builder->SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 2);
}

std::string BoundAddress(const std::string& listen, int port) {
  if (absl::StartsWith(listen, "unix:")) return listen;
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(RpcOptions options, Experiments* experiments,
                                                            Engine* engine, ServerMetrics* metrics) {
  TakeLibraryLogs();
  // Without an end: gRPC 1.51 stops its threads with the last of its objects, and one that waits for a slow client's
  // socket returns only after 10 s (grpc/grpc issue 41050).
  static const bool library_is_up = (grpc_init(), true);
  static_cast<void>(library_is_up);
  GRADELINE_RETURN_IF_ERROR(CheckAllRoles());
  GRADELINE_RETURN_IF_ERROR(CheckUnixSocketFree(options.listen));
  auto impl = std::make_unique<Impl>(std::move(options), experiments, engine, metrics);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetLimits(impl->options.max_message_bytes, &builder);
  int port = 0;
  builder.AddListeningPort(impl->options.listen, grpc::InsecureServerCredentials(), &port);
  grpc::Service* services[] = {&impl->catalog,    &impl->dataset,  &impl->split,
                               &impl->experiment, &impl->training, &impl->admin};
  for (grpc::Service* service : services) builder.RegisterService(service);
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr) {
    return WithReason(
        absl::UnavailableError(absl::StrCat("cannot listen on ", impl->options.listen,
                                            " (grpc.listen): the address is in use or not this machine's")),
        "CANNOT_LISTEN", {{"address", impl->options.listen}, {"key", "grpc.listen"}});
  }
  impl->address = BoundAddress(impl->options.listen, port);
  SetHealth(*impl->server, false);
  return std::unique_ptr<RpcServer>(new RpcServer(std::move(impl)));
}

RpcServer::RpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

RpcServer::~RpcServer() { Drain(std::chrono::steady_clock::now()); }

const std::string& RpcServer::address() const { return impl_->address; }

void RpcServer::Serve(const std::string& http_address) {
  v1::ServerInfo info;
  info.set_version(impl_->options.version);
  *info.mutable_start_time() = TimestampOf(impl_->options.start_unix_ms);
  info.set_grpc_address(impl_->address);
  info.set_http_address(http_address);
  info.set_max_message_bytes(impl_->options.max_message_bytes);
  info.set_threads(impl_->engine->threads());
  info.set_catalog_digest(impl_->registry->catalog().digest());
  info.set_numerics(impl_->engine->numerics());
  info.set_memory_budget_bytes(impl_->options.memory_budget_bytes);
  impl_->admin.SetInfo(std::move(info));
  SetHealth(*impl_->server, true);
}

void RpcServer::Drain(std::chrono::steady_clock::time_point deadline) {
  if (impl_->server == nullptr) return;
  SetHealth(*impl_->server, false);
  impl_->calls.DrainStreams();
  impl_->calls.running().WaitForNone(deadline);
  // gRPC also waits for idle connections, whose clients may be slow to notice: only as long as last answers need.
  impl_->server->Shutdown(std::chrono::system_clock::now() + kLastAnswers);
  impl_->server->Wait();
  impl_->server.reset();
}

}  // namespace gradeline

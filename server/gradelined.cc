#include "server/gradelined.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/base/status.h"
#include "server/core/engine/engine.h"
#include "server/core/experiment/experiments.h"
#include "server/core/experiment/names.h"
#include "server/core/loss/registry.h"
#include "server/core/metric/metric.h"
#include "server/gateway/http_server.h"
#include "server/observe/log.h"
#include "server/observe/metrics.h"
#include "server/plugin_host/plugin_host.h"
#include "server/rpc/server.h"
#include "server/store/postgres/postgres_store.h"
#include "server/store/sqlite/sqlite_store.h"
#include "server/system_clock.h"
#include "server/wire/catalog_files.h"

namespace gradeline {
namespace {

// Of the ten that SIGTERM may take, its end on a busy machine included.
constexpr std::chrono::seconds kLongestDrain{6};
constexpr int kExperimentsPerPage = 1000;

/// Metrics of tasks that there are not, fields as of Catalog::Make.
absl::Status CheckCatalogMetrics(const Catalog& catalog) {
  Violations violations;
  for (const TaskInfo& task : catalog.tasks()) {
    for (size_t i = 0; i < task.metrics.size(); ++i) {
      const absl::Status found = FindMetric(task.metrics[i]).status();
      if (found.ok()) continue;
      violations.Add(absl::StrCat("tasks.", task.id, ".metrics[", i, "]"), std::string(found.message()));
    }
  }
  return violations.ToStatus();
}

// `cache_file`: where what was learned of the plugins' files is kept; empty: nowhere.
absl::StatusOr<std::shared_ptr<const LossRegistry>> BuildRegistry(const ServerConfig& config,
                                                                  const std::string& cache_file) {
  PluginOptions options;
  options.directories = config.plugins.directories;
  options.probe_deadline_ms = config.plugins.probe_deadline_ms;
  options.strict = config.plugins.strict;
  options.cache_file = cache_file;
  GRADELINE_ASSIGN_OR_RETURN(LossRegistry::Builder builder, LoadPlugins(options));
  const auto check = [&builder](const Catalog& read) {
    Violations violations;
    violations.Merge("", builder.CheckCatalog(read));
    violations.Merge("", CheckCatalogMetrics(read));
    return violations.ToStatus();
  };
  GRADELINE_ASSIGN_OR_RETURN(Catalog catalog, LoadCatalog(config.catalog.path, check));
  if (const std::vector<std::string> missing = builder.MissingLosses(catalog); !missing.empty()) {
    Log(LogLevel::kWarning, "the catalog names losses that are not loaded", {{"losses", absl::StrJoin(missing, ", ")}});
  }
  std::shared_ptr<const LossRegistry> registry =
      std::move(builder).Build(std::make_shared<const Catalog>(std::move(catalog)));
  for (const auto& plugin : registry->plugins()) {
    if (plugin->refusal.empty()) continue;
    Log(LogLevel::kWarning, "plugin refused", {{"file", plugin->source}, {"why", plugin->refusal}});
  }
  return registry;
}

int RefusedPlugins(const LossRegistry& registry) {
  int refused = 0;
  for (const auto& plugin : registry.plugins()) refused += plugin->refusal.empty() ? 0 : 1;
  return refused;
}

absl::StatusOr<std::shared_ptr<Store>> OpenStore(const ServerConfig& config) {
  if (!config.store.postgres.empty()) {
    return OpenPostgresStore({config.store.postgres, std::chrono::milliseconds(config.store.takeover_ms),
                              [](const std::string& what) { Log(LogLevel::kWarning, what); }});
  }
  const std::filesystem::path folder = std::filesystem::path(config.store.path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("cannot make the folder of store.path, ", folder.string(), ": ", error.message()));
  }
  return OpenSqliteStore({config.store.path});
}

std::map<std::string, int64_t> CountByState(const Experiments& experiments) {
  std::map<std::string, int64_t> counts;
  std::string after;
  do {
    const auto page = experiments.ListExperiments({}, kExperimentsPerPage, after);
    if (!page.ok()) break;
    for (const Experiment& experiment : page->items) ++counts[NameOf(experiment.state)];
    after = page->next;
  } while (!after.empty());
  return counts;
}

// A disk that failed a write may have lost what it said it kept: only a new start, from the log, can be trusted.
void EndAtOnce(const absl::Status& status) {
  Log(LogLevel::kError, "the store is lost, ending at once", {{"why", std::string(status.message())}});
  _exit(1);
}

}  // namespace

struct Gradelined::Impl {
  explicit Impl(const ServerConfig& config)
      : metrics(Version()), engine({config.engine.threads, config.engine.memory_budget_bytes}) {}

  absl::Status Open(const ServerConfig& config) {
    GRADELINE_ASSIGN_OR_RETURN(store, OpenStore(config));
    GRADELINE_ASSIGN_OR_RETURN(std::shared_ptr<const LossRegistry> registry,
                               BuildRegistry(config, config.store.path.empty() ? "" : config.store.path + ".plugins"));
    metrics.AddPluginLoadFailures(RefusedPlugins(*registry));
    Experiments::Options options;
    options.numerics = engine.numerics();
    options.leases = {config.leases.suspect_ms, config.leases.gone_ms, config.leases.progress_ms};
    options.metric_bytes = config.metrics.max_bytes;
    options.on_fatal = EndAtOnce;
    experiments = std::make_unique<Experiments>(store, std::move(registry), &clock, std::move(options));
    metrics.CountExperimentsBy([this] { return CountByState(*experiments); });
    return Listen(config);
  }

  absl::Status Listen(const ServerConfig& config) {
    RpcOptions rpc_options;
    rpc_options.listen = config.grpc.listen;
    rpc_options.max_message_bytes = config.grpc.max_message_bytes;
    rpc_options.stall_limit = std::chrono::milliseconds(config.grpc.stall_limit_ms);
    rpc_options.version = Version();
    rpc_options.start_unix_ms = clock.UnixMillis();
    rpc_options.metric_bytes = config.metrics.max_bytes;
    rpc_options.memory_budget_bytes = config.engine.memory_budget_bytes;
    GRADELINE_ASSIGN_OR_RETURN(rpc, RpcServer::Start(rpc_options, experiments.get(), &engine, &metrics));
    GRADELINE_RETURN_IF_ERROR(store->Advertise(config.grpc.advertise.empty() ? rpc->address() : config.grpc.advertise));
    HttpOptions http_options;
    http_options.listen = config.http.listen;
    http_options.ready = [this] { return draining ? absl::UnavailableError("draining") : store->Check(); };
    http_options.metrics = [this] { return metrics.Text(); };
    GRADELINE_ASSIGN_OR_RETURN(http, HttpServer::Start(std::move(http_options)));
    rpc->Serve(http->address());
    return absl::OkStatus();
  }

  SystemClock clock;
  std::atomic<bool> draining{false};
  ServerMetrics metrics;
  Engine engine;
  std::shared_ptr<Store> store;
  std::unique_ptr<Experiments> experiments;
  std::unique_ptr<RpcServer> rpc;
  std::unique_ptr<HttpServer> http;
};

absl::StatusOr<std::unique_ptr<Gradelined>> Gradelined::Start(const ServerConfig& config) {
  auto impl = std::make_unique<Impl>(config);
  GRADELINE_RETURN_IF_ERROR(impl->Open(config));
  return std::unique_ptr<Gradelined>(new Gradelined(std::move(impl)));
}

absl::StatusOr<std::string> Gradelined::Check(const ServerConfig& config) {
  GRADELINE_ASSIGN_OR_RETURN(const std::shared_ptr<const LossRegistry> registry, BuildRegistry(config, ""));
  const Catalog& catalog = registry->catalog();
  const TrainingOffer& offer = catalog.offer();
  return absl::StrCat(registry->losses().size(), " losses, ", RefusedPlugins(*registry), " plugins refused, ",
                      catalog.tasks().size(), " tasks, ", catalog.architectures().size(), " architectures, ",
                      offer.solvers.size(), " solvers, ", offer.schedulers.size(), " schedulers, ",
                      offer.augmentations.size(), " augmentations");
}

Gradelined::Gradelined(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gradelined::~Gradelined() = default;

const std::string& Gradelined::grpc_address() const { return impl_->rpc->address(); }
const std::string& Gradelined::http_address() const { return impl_->http->address(); }

void Gradelined::Drain() {
  impl_->draining = true;
  impl_->rpc->Drain(std::chrono::steady_clock::now() + kLongestDrain);
}

std::string Gradelined::Version() { return GRADELINE_VERSION; }

}  // namespace gradeline

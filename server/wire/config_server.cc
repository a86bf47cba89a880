#include "server/wire/config_server.h"

#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gradeline/config/v1/server.pb.h"
#include "server/core/base/status.h"
#include "server/wire/loopback.h"
#include "server/wire/yaml_reader.h"

namespace gradeline {
namespace {

namespace fs = std::filesystem;
namespace pb = config::v1;

constexpr absl::string_view kLoopbackForm = "127.0.0.1:port, [::1]:port or localhost:port, port 0 to 65535";

ServerConfig ToStruct(const pb::ServerFile& file) {
  ServerConfig config;
  if (file.grpc().has_listen()) config.grpc.listen = file.grpc().listen();
  if (file.grpc().has_max_message_bytes()) config.grpc.max_message_bytes = file.grpc().max_message_bytes();
  if (file.grpc().has_stall_limit_ms()) config.grpc.stall_limit_ms = file.grpc().stall_limit_ms();
  config.grpc.advertise = file.grpc().advertise();
  if (file.http().has_listen()) config.http.listen = file.http().listen();
  config.store.postgres = file.store().postgres();
  if (file.store().has_takeover_ms()) config.store.takeover_ms = file.store().takeover_ms();
  // Of both, where both are given: so that one can be refused.
  if (file.store().has_path() || file.store().has_postgres()) config.store.path = file.store().path();
  if (file.leases().has_suspect_ms()) config.leases.suspect_ms = file.leases().suspect_ms();
  if (file.leases().has_gone_ms()) config.leases.gone_ms = file.leases().gone_ms();
  if (file.leases().has_progress_ms()) config.leases.progress_ms = file.leases().progress_ms();
  if (file.engine().has_threads()) config.engine.threads = file.engine().threads();
  if (file.engine().has_memory_budget_bytes()) config.engine.memory_budget_bytes = file.engine().memory_budget_bytes();
  if (file.metrics().has_max_bytes()) config.metrics.max_bytes = file.metrics().max_bytes();
  config.plugins.directories.assign(file.plugins().directories().begin(), file.plugins().directories().end());
  if (file.plugins().has_probe_deadline_ms()) config.plugins.probe_deadline_ms = file.plugins().probe_deadline_ms();
  if (file.plugins().has_strict()) config.plugins.strict = file.plugins().strict();
  if (file.catalog().has_path()) config.catalog.path = file.catalog().path();
  constexpr const char* kLevels[] = {"info", "debug", "info", "warn", "error"};
  if (file.log().has_level()) config.log.level = kLevels[file.log().level()];
  if (file.log().has_format()) config.log.format = file.log().format() == pb::LOG_FORMAT_JSON ? "json" : "text";
  return config;
}

// Whether clients can call it without guessing a port.
bool IsTarget(const std::string& target) {
  if (target.rfind("unix:", 0) == 0) return target.size() > 5;
  const size_t colon = target.rfind(':');
  uint32_t port = 0;
  return colon != std::string::npos && colon > 0 && absl::SimpleAtoi(target.substr(colon + 1), &port) && port > 0 &&
         port <= 65535;
}

/// Checks values; says where each came from: line of the file or a setting.
class ValueCheck {
 public:
  ValueCheck(std::string file, const YamlLines& lines, const std::vector<std::string>& settings)
      : file_(std::move(file)), lines_(lines), settings_(settings) {}

  absl::Status Run(const ServerConfig& config) {
    if (config.grpc.listen.rfind("unix:", 0) == 0) {
      Check(config.grpc.listen.size() > 5, "grpc.listen", "names no path behind \"unix:\"");
    } else {
      Listen("grpc.listen", config.grpc.listen, " or unix:path");
    }
    Listen("http.listen", config.http.listen, "");
    Check(config.grpc.advertise.empty() || IsTarget(config.grpc.advertise), "grpc.advertise",
          absl::StrCat("is \"", config.grpc.advertise, "\"; allowed is a target of gRPC with a port, or unix:path"));
    Range("grpc.max_message_bytes", config.grpc.max_message_bytes, 64 << 10, std::numeric_limits<int32_t>::max());
    Range("grpc.stall_limit_ms", config.grpc.stall_limit_ms, 100, 3'600'000);
    Check(config.store.path.empty() != config.store.postgres.empty(), "store.path",
          config.store.postgres.empty() ? "is empty; allowed is the path of a file, or store.postgres instead"
                                        : "is given beside store.postgres; allowed is one of them");
    Range("store.takeover_ms", config.store.takeover_ms, 1'000, 3'600'000);
    Range("leases.suspect_ms", config.leases.suspect_ms, 100, 3'600'000);
    Range("leases.gone_ms", config.leases.gone_ms, std::min(config.leases.suspect_ms, int64_t{3'600'000}) + 1,
          86'400'000);
    Range("leases.progress_ms", config.leases.progress_ms, config.leases.gone_ms, 604'800'000);
    Range("engine.threads", config.engine.threads, 0, 1024);
    Range("engine.memory_budget_bytes", config.engine.memory_budget_bytes, config.grpc.max_message_bytes,
          std::numeric_limits<int64_t>::max());
    Range("metrics.max_bytes", config.metrics.max_bytes, 64 << 10, int64_t{1} << 40);
    Range("plugins.probe_deadline_ms", config.plugins.probe_deadline_ms, 100, 600'000);
    for (size_t i = 0; i < config.plugins.directories.size(); ++i) {
      const std::string& directory = config.plugins.directories[i];
      std::error_code error;
      Check(fs::is_directory(directory, error), absl::StrCat("plugins.directories[", i, "]"),
            absl::StrCat("is \"", directory, "\", which is no folder"));
    }
    std::error_code error;
    Check(fs::is_directory(config.catalog.path, error), "catalog.path",
          absl::StrCat("is \"", config.catalog.path, "\", which is no folder"));
    return violations_.ToStatus();
  }

 private:
  void Check(bool good, const std::string& path, std::string description) {
    if (!good) violations_.Add(absl::StrCat(Where(path), path), std::move(description));
  }

  std::string Where(const std::string& path) const {
    const std::string key = path.substr(0, path.find('['));
    for (auto setting = settings_.rbegin(); setting != settings_.rend(); ++setting) {
      if (setting->rfind(key + "=", 0) == 0) return absl::StrCat("--set ", *setting, ": ");
    }
    if (lines_.count(key) == 0) return "";  // a default
    return absl::StrCat(file_, ":", LineOf(lines_, path), ": ");
  }

  void Listen(const std::string& path, const std::string& listen, absl::string_view also) {
    const auto address = ParseLoopback(listen);
    Check(address.ok(), path, absl::StrCat(address.status().message(), also));
  }

  void Range(const std::string& path, int64_t value, int64_t least, int64_t most) {
    Check(value >= least && value <= most, path, absl::StrCat("is ", value, "; allowed are ", least, " to ", most));
  }

  const std::string file_;
  const YamlLines& lines_;
  const std::vector<std::string>& settings_;
  Violations violations_;
};

}  // namespace

absl::StatusOr<ListenAddress> ParseLoopback(const std::string& listen) {
  ListenAddress address;
  const size_t colon = listen.rfind(':');
  int port = -1;
  if (colon != std::string::npos) {
    address.host = listen.substr(0, colon);
    const std::string text = listen.substr(colon + 1);
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || !absl::SimpleAtoi(text, &port) || port > 65535) port = -1;
  }
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    port = -1;
  }
  if (port < 0) return absl::InvalidArgumentError(absl::StrCat("is \"", listen, "\"; allowed is ", kLoopbackForm));
  if (!IsLoopbackHost(address.host)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "is \"", listen, "\", which other machines could reach, and there is no authentication yet; allowed is ",
        kLoopbackForm));
  }
  address.port = port;
  return address;
}

std::string DefaultCatalogPath() {
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  const fs::path of_tree = (folder / "../../../configs/catalog").lexically_normal();
  const fs::path installed = (folder / "../share/gradeline/catalog").lexically_normal();
  if (fs::is_directory(of_tree, error) || !fs::is_directory(installed, error)) return of_tree.string();
  return installed.string();
}

absl::StatusOr<ServerConfig> LoadServerConfig(const std::string& file, const std::vector<std::string>& settings) {
  pb::ServerFile message;
  YamlLines lines;
  Violations violations;
  if (!file.empty()) {
    std::string text;
    GRADELINE_RETURN_IF_ERROR(ReadTextFile(file, text));
    violations.Merge("", ReadYaml(text, file, message, &lines));
  }
  for (const std::string& setting : settings) violations.Merge("", ApplySetting(setting, message));
  ServerConfig config = ToStruct(message);  // what could not be read has its default
  if (config.catalog.path.empty()) config.catalog.path = DefaultCatalogPath();
  violations.Merge("", ValueCheck(file, lines, settings).Run(config));
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return config;
}

}  // namespace gradeline

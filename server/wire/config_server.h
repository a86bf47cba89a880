// The server's configuration: a YAML file and "--set path=value" over it, checked, as a plain struct.
// Deliberately opens nothing but the file: listening, storing and loading are for those who do them.
#ifndef GRADELINE_SERVER_WIRE_CONFIG_SERVER_H_
#define GRADELINE_SERVER_WIRE_CONFIG_SERVER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace gradeline {

struct ServerConfig {
  struct Grpc {
    std::string listen = "127.0.0.1:50051";  ///< loopback "host:port" or "unix:path"
    int64_t max_message_bytes = int64_t{256} << 20;
    int64_t stall_limit_ms = 60'000;
    std::string advertise;  ///< empty: the address that is listened at
  } grpc;
  struct Http {
    std::string listen = "127.0.0.1:8080";  ///< loopback "host:port"
  } http;
  struct Store {
    std::string path = "./var/gradeline.db";  ///< empty if postgres is not
    std::string postgres;                     ///< a connection string of libpq; may hold a password
    int64_t takeover_ms = 10'000;
  } store;
  struct Leases {
    int64_t suspect_ms = 10'000, gone_ms = 60'000, progress_ms = 600'000;
  } leases;
  struct Engine {
    int threads = 0;  ///< 0: one per core
    int64_t memory_budget_bytes = int64_t{2} << 30;
  } engine;
  struct Metrics {
    int64_t max_bytes = int64_t{64} << 20;
  } metrics;
  struct Plugins {
    std::vector<std::string> directories;
    int64_t probe_deadline_ms = 10'000;
    bool strict = false;
  } plugins;
  struct Catalog {
    std::string path;  ///< never empty after LoadServerConfig
  } catalog;
  struct Log {
    std::string level = "info";   ///< debug, info, warn, error
    std::string format = "text";  ///< text, json
  } log;
};

/// "host:port" taken apart; "[::1]:0" gives "::1" and 0.
struct ListenAddress {
  std::string host;
  int port = 0;
};

/// Reads `file` (empty: none) and lays `settings` ("grpc.listen=...") over it. INVALID_ARGUMENT with every problem of
/// the form (with lines) and of the values that could be read.
absl::StatusOr<ServerConfig> LoadServerConfig(const std::string& file, const std::vector<std::string>& settings);

/// INVALID_ARGUMENT unless `listen` is a loopback address with a port.
absl::StatusOr<ListenAddress> ParseLoopback(const std::string& listen);

/// The catalog that belongs to the running program: of the source tree (<bin>/../../../configs/catalog) or installed
/// (<bin>/../share/gradeline/catalog). The first of these names if neither is there.
std::string DefaultCatalogPath();

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_CONFIG_SERVER_H_

// The server as a whole: its objects in the order they need each other, and its end.
#ifndef GRADELINE_SERVER_GRADELINED_H_
#define GRADELINE_SERVER_GRADELINED_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/wire/config_server.h"

namespace gradeline {

class Gradelined {
 public:
  /// Serves when it returns. Any error names what to change.
  static absl::StatusOr<std::unique_ptr<Gradelined>> Start(const ServerConfig& config);
  /// What Start would say of plugins and catalog; opens and writes nothing. The text says how much was found.
  static absl::StatusOr<std::string> Check(const ServerConfig& config);
  ~Gradelined();

  /// With the ports that were bound.
  const std::string& grpc_address() const;
  const std::string& http_address() const;

  /// Readiness off, streams told, what runs may end for at most eight seconds. Blocks.
  void Drain();

  static std::string Version();

 private:
  struct Impl;
  explicit Gradelined(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_GRADELINED_H_

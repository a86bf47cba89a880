#include "server/rpc/library_logs.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>

#include "server/observe/log.h"

namespace gradeline {

void TakeLibraryLogs() {
  gpr_set_log_function([](gpr_log_func_args* args) { Log(LogLevel::kDebug, "grpc", {{"message", args->message}}); });
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*, int, const std::string& message) {
    Log(LogLevel::kDebug, "protobuf", {{"message", message}});
  });
}

}  // namespace gradeline

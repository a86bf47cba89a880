// gradelined: reads the configuration, builds the server, waits for a signal, drains. No logic.
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <iostream>

#include "server/flags.h"
#include "server/gradelined.h"
#include "server/observe/log.h"
#include "server/plugin_host/probe.h"
#include "server/store/sqlite/restore.h"
#include "server/wire/config_server.h"

namespace gradeline {
namespace {

// Keeps freed message buffers instead of giving their pages back: fresh pages cost more than what fills them.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

LogLevel LevelOf(const std::string& level) {
  if (level == "debug") return LogLevel::kDebug;
  if (level == "warn") return LogLevel::kWarning;
  return level == "error" ? LogLevel::kError : LogLevel::kInfo;
}

int Fail(const absl::Status& status) {
  std::cerr << "gradelined: " << status.message() << "\n";
  return 1;
}

// Ten seconds are more than a drain and the end of everything take, unless something never returns: a loss, a database.
void EndWithoutWhatHangs() {
  std::signal(SIGALRM, [](int) {
    constexpr char kSaid[] = "gradelined: something hangs, ending without it; what was acknowledged is kept\n";
    static_cast<void>(!write(STDERR_FILENO, kSaid, sizeof(kSaid) - 1));
    _exit(1);
  });
  alarm(10);
}

int Serve(const Flags& flags) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread is made, which inherit it
  const absl::StatusOr<ServerConfig> config = LoadServerConfig(flags.config, flags.settings);
  if (!config.ok()) return Fail(config.status());
  StartLog(config->log.format == "json" ? LogForm::kJson : LogForm::kText, LevelOf(config->log.level));
  const auto server = Gradelined::Start(*config);
  if (!server.ok()) return Fail(server.status());
  Log(LogLevel::kInfo, "listening",
      {{"grpc", (*server)->grpc_address()}, {"http", (*server)->http_address()}, {"version", Gradelined::Version()}});

  int signal = 0;
  sigwait(&signals, &signal);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // a second signal ends the process at once
  EndWithoutWhatHangs();
  Log(LogLevel::kInfo, "draining", {{"signal", strsignal(signal)}});
  (*server)->Drain();
  Log(LogLevel::kInfo, "stopped");
  return 0;
}

int Check(const Flags& flags) {
  const absl::StatusOr<ServerConfig> config = LoadServerConfig(flags.config, flags.settings);
  if (!config.ok()) return Fail(config.status());
  StartLog(config->log.format == "json" ? LogForm::kJson : LogForm::kText, LevelOf(config->log.level));
  const absl::StatusOr<std::string> found = Gradelined::Check(*config);
  if (!found.ok()) return Fail(found.status());
  std::cout << "gradelined: " << *found << "\n";
  return 0;
}

// The codes that `gradeline` has for the same errors, which runs this program for `gradeline db restore`.
int RestoreExitCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kNotFound:
      return 3;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return 5;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDataLoss:
      return 6;
    default:
      return 1;
  }
}

int Restore(const Flags& flags) {
  const absl::StatusOr<ServerConfig> config = LoadServerConfig(flags.config, flags.settings);
  if (!config.ok()) return Fail(config.status());
  const absl::Status status = RestoreSqliteStore(flags.restore, config->store.path, flags.force);
  if (!status.ok()) {
    Fail(status);
    return RestoreExitCode(status);
  }
  std::cerr << "gradelined: restored " << config->store.path << " from " << flags.restore << "\n";
  return 0;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<Flags> flags = ParseFlags(argc, argv);
  if (!flags.ok()) {
    Fail(flags.status());
    return 2;
  }
  if (flags->help) {
    std::cout << HelpText();
    return 0;
  }
  if (flags->version) {
    std::cout << Gradelined::Version() << "\n";
    return 0;
  }
  if (!flags->probe_plugin.empty()) return ProbePluginMain(flags->probe_plugin);
  if (flags->check) return Check(*flags);
  if (!flags->restore.empty()) return Restore(*flags);
  KeepFreedMemory();
  return Serve(*flags);
}

}  // namespace
}  // namespace gradeline

int main(int argc, char** argv) { return gradeline::Main(argc, argv); }

#include "server/plugin_host/probe_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/plugin_host/probe.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgets to say that it is C
}

namespace gradeline {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kReportFd = 3;
constexpr size_t kLongestReport = 64 << 10;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

/// What a probe wrote: its last stage and its verdict.
struct Report {
  std::string stage = "starting the probe";
  bool passed = false;
  std::string refusal;
};

Report Read(const std::string& text) {
  Report report;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    if (line.rfind("stage ", 0) == 0) report.stage = line.substr(6);
    if (line == "passed") report.passed = true;
    if (line.rfind("refused ", 0) == 0) report.refusal = line.substr(8);
  }
  return report;
}

absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& command, const std::string& file, int report) {
  std::vector<std::string> arguments = command;
  arguments.push_back(file);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string prefix = absl::StrCat(kProbeReportVariable, "=");
  std::string variable = absl::StrCat(prefix, kReportFd);
  std::vector<char*> environment{variable.data()};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, prefix.c_str(), prefix.size()) != 0) environment.push_back(*entry);
  }
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, report, kReportFd);
  posix_spawn_file_actions_addclosefrom_np(&actions, kReportFd + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);  // a group of its own, so that all of it can be ended
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    return absl::InternalError(absl::StrCat("cannot start the probe ", command[0], ": ", std::strerror(error)));
  return pid;
}

/// Reads what is there without waiting; false at the end of the pipe.
bool Drain(int fd, std::string& text) {
  std::array<char, 4096> block;
  for (;;) {
    const ssize_t got = read(fd, block.data(), block.size());
    if (got > 0)
      text.append(block.data(),
                  std::min(static_cast<size_t>(got), kLongestReport - std::min(text.size(), kLongestReport)));
    if (got == 0) return false;
    if (got < 0 && errno != EINTR) return true;
  }
}

/// Waits until the process has ended; false at the deadline.
bool AwaitEnd(int process, int report, SteadyClock::time_point deadline, std::string& text) {
  bool open = true;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    if (left <= 0) return false;
    std::array<pollfd, 2> polled{{{process, POLLIN, 0}, {open ? report : -1, POLLIN, 0}}};
    if (poll(polled.data(), polled.size(), static_cast<int>(std::min<int64_t>(left, 1 << 30))) < 0 && errno != EINTR)
      return false;
    if (polled[1].revents != 0) open = Drain(report, text);
    if (polled[0].revents != 0) return true;
  }
}

std::string EndText(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = sigdescr_np(WTERMSIG(status));
    return absl::StrCat("died of signal ", WTERMSIG(status), name == nullptr ? "" : absl::StrCat(" (", name, ")"));
  }
  return absl::StrCat("ended the process with code ", WEXITSTATUS(status));
}

}  // namespace

absl::Status RunProbe(const std::vector<std::string>& command, const std::string& file, int64_t deadline_ms) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    return absl::InternalError(absl::StrCat("no pipe for the probe: ", std::strerror(errno)));
  const Fd report(ends[0]);
  Fd written(ends[1]);
  fcntl(report.get(), F_SETFL, O_NONBLOCK);
  const auto deadline = SteadyClock::now() + std::chrono::milliseconds(deadline_ms);
  const absl::StatusOr<pid_t> pid = Spawn(command, file, written.get());
  if (!pid.ok()) return pid.status();
  written.Close();
  const Fd process(pidfd_open(*pid, 0));

  std::string text;
  const bool in_time = process.get() >= 0 && AwaitEnd(process.get(), report.get(), deadline, text);
  kill(-*pid, SIGKILL);  // also what the plugin may have started
  int status = 0;
  while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  Drain(report.get(), text);
  const Report said = Read(text);
  if (!said.refusal.empty()) return absl::FailedPreconditionError(said.refusal);
  if (!in_time) {
    return absl::FailedPreconditionError(absl::StrCat("was not ready after ", deadline_ms, " ms, at: ", said.stage));
  }
  if (said.passed && WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(EndText(status), ", at: ", said.stage));
}

}  // namespace gradeline

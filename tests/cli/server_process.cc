#include "tests/cli/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

namespace gradeline::testing {

ServerProcess::ServerProcess(std::vector<std::string> settings) : settings_(std::move(settings)) {
  std::string name = (std::filesystem::temp_directory_path() / "gradeline-cli-XXXXXX").string();
  folder_ = mkdtemp(name.data());
  Start("127.0.0.1:0");
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  std::filesystem::remove_all(folder_);
}

void ServerProcess::Kill() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void ServerProcess::StartAgain() { Start(address_); }

void ServerProcess::Start(const std::string& listen) {
  std::vector<std::string> words = {std::string(GRADELINE_BINARY_DIR) + "/bin/gradelined",
                                    "--set",
                                    "grpc.listen=" + listen,
                                    "--set",
                                    "http.listen=127.0.0.1:0",
                                    "--set",
                                    "store.path=" + folder_ + "/gradeline.db"};
  for (const std::string& setting : settings_) {
    words.push_back("--set");
    words.push_back(setting);
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int log[2];
  if (pipe2(log, O_CLOEXEC) != 0) std::abort();
  pid_ = fork();
  if (pid_ == 0) {
    dup2(log[1], STDERR_FILENO);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(log[1]);
  std::FILE* lines = fdopen(log[0], "r");
  if (lines == nullptr) std::abort();
  char line[4096];
  address_.clear();
  while (address_.empty() && std::fgets(line, sizeof(line), lines) != nullptr) {
    const std::string text = line;
    const size_t at = text.find("listening grpc=");
    if (at != std::string::npos) address_ = text.substr(at + 15, text.find(' ', at + 15) - at - 15);
  }
  if (address_.empty()) {
    std::cerr << "gradelined did not start: " << line << "\n";
    std::abort();
  }
  // Its later lines go to the test's output.
  std::thread([lines] {
    char rest[4096];
    while (std::fgets(rest, sizeof(rest), lines) != nullptr) std::fputs(rest, stderr);
    std::fclose(lines);
  }).detach();
}

}  // namespace gradeline::testing

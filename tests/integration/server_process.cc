#include "tests/integration/server_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace gradeline {
namespace {

// The word after `key` in `line`.
std::string ValueOf(const std::string& line, const std::string& key) {
  const size_t begin = line.find(key);
  if (begin == std::string::npos) return "";
  return line.substr(begin + key.size(), line.find(' ', begin) - begin - key.size());
}

}  // namespace

ServerProcess::ServerProcess(std::vector<std::string> settings, std::string folder)
    : folder_(std::move(folder)), own_folder_(folder_.empty()) {
  if (own_folder_) {
    std::string name = (std::filesystem::temp_directory_path() / "gradelined-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  std::vector<std::string> words{GRADELINED_PATH};
  const bool postgres = std::any_of(settings.begin(), settings.end(),
                                    [](const std::string& setting) { return setting.starts_with("store.postgres="); });
  if (!postgres) settings.insert(settings.begin(), "store.path=" + folder_ + "/g.db");
  settings.insert(settings.begin(), {"grpc.listen=127.0.0.1:0", "http.listen=127.0.0.1:0"});
  for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe(ends) != 0) abort();
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(ends[1]);
  pipe_ = ends[0];
  char byte = 0;
  for (size_t line = 0; !listening() && read(pipe_, &byte, 1) == 1;) {
    log_.push_back(byte);
    if (byte != '\n') continue;
    const std::string text = log_.substr(line, log_.size() - line - 1);
    line = log_.size();
    if (text.find(" listening ") == std::string::npos) continue;
    grpc_ = ValueOf(text, "grpc=");
    http_ = ValueOf(text, "http=");
  }
  reader_ = std::thread([this] { ReadLog(); });
}

ServerProcess::~ServerProcess() {
  Signal(SIGKILL);
  Wait();
  std::error_code ignored;
  if (own_folder_) std::filesystem::remove_all(folder_, ignored);
}

void ServerProcess::ReadLog() {
  char buffer[4096];
  for (ssize_t got = 0; (got = read(pipe_, buffer, sizeof(buffer))) > 0;) log_.append(buffer, static_cast<size_t>(got));
}

void ServerProcess::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

int ServerProcess::Wait() {
  if (pid_ <= 0) return exit_code_;
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  reader_.join();
  close(pipe_);
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_code_;
}

}  // namespace gradeline

// A gradelined in a process of its own, on free ports, with its data in a folder of its own.
#ifndef GRADELINE_TESTS_INTEGRATION_SERVER_PROCESS_H_
#define GRADELINE_TESTS_INTEGRATION_SERVER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <thread>
#include <vector>

namespace gradeline {

class ServerProcess {
 public:
  /// Starts it with --set for each of `settings` and waits until it listens or ends. `folder` empty: a new one.
  explicit ServerProcess(std::vector<std::string> settings = {}, std::string folder = "");
  ~ServerProcess();  ///< kills it; removes the folder if it is its own
  ServerProcess(const ServerProcess&) = delete;

  bool listening() const { return !grpc_.empty(); }
  const std::string& grpc() const { return grpc_; }
  const std::string& http() const { return http_; }
  const std::string& folder() const { return folder_; }
  void Signal(int signal) const;
  /// Waits for its end; its exit code, or 128 + the signal.
  int Wait();
  /// What it wrote on standard error. After Wait.
  const std::string& log() const { return log_; }

 private:
  void ReadLog();

  std::string folder_;
  bool own_folder_;
  pid_t pid_ = -1;
  int pipe_ = -1;
  int exit_code_ = -1;
  std::string log_, grpc_, http_;
  std::thread reader_;
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_INTEGRATION_SERVER_PROCESS_H_

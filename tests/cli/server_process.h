// A gradelined of its own for a test: free ports, a temporary folder, ended with the test.
#ifndef GRADELINE_TESTS_CLI_SERVER_PROCESS_H_
#define GRADELINE_TESTS_CLI_SERVER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace gradeline::testing {

class ServerProcess {
 public:
  /// Starts build/.../bin/gradelined; `settings` are further path=value pairs. Aborts the test if it does not listen.
  explicit ServerProcess(std::vector<std::string> settings = {});
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

  /// Ends it as a crash would, and starts it again on the same address and data.
  void Kill();
  void StartAgain();

 private:
  void Start(const std::string& listen);

  std::vector<std::string> settings_;
  std::string folder_, address_;
  pid_t pid_ = -1;
};

}  // namespace gradeline::testing

#endif  // GRADELINE_TESTS_CLI_SERVER_PROCESS_H_

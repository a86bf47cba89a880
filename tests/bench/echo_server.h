// The peer: a process that sends every message of a stream back as it came, over the same gRPC settings.
#ifndef GRADELINE_TESTS_BENCH_ECHO_SERVER_H_
#define GRADELINE_TESTS_BENCH_ECHO_SERVER_H_

#include <sys/types.h>

#include <string>

namespace gradeline::bench {

/// Forks; make it before the process has threads. Ended with the object.
class EchoServer {
 public:
  EchoServer();
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

 private:
  std::string address_;
  pid_t pid_;
};

}  // namespace gradeline::bench

#endif  // GRADELINE_TESTS_BENCH_ECHO_SERVER_H_

// A TCP proxy in front of a server that cuts its connections on demand: what a broken network does to a stream.
#ifndef GRADELINE_TESTS_CLI_CUTTING_PROXY_H_
#define GRADELINE_TESTS_CLI_CUTTING_PROXY_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace gradeline::testing {

class CuttingProxy {
 public:
  /// Listens on a free port and passes everything on to `server`, "host:port".
  explicit CuttingProxy(const std::string& server);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;

  const std::string& address() const { return address_; }

  /// Cuts every connection once the server has sent so many more bytes; what came after them is lost. 0: at once.
  void CutAfter(int64_t bytes_from_server);
  /// The same with bytes that clients send; the last of them still arrive.
  void CutAfterSent(int64_t bytes_from_clients);
  /// From now on what the server sends is lost, until the next cut.
  void Swallow();
  /// While refusing, new connections are closed at once.
  void Refuse(bool refuse);

  int cuts() const { return cuts_; }
  int64_t bytes_from_clients() const { return from_clients_; }
  /// Waits until clients have sent more than `bytes` in all.
  void WaitForBytesFromClients(int64_t bytes);

 private:
  void Run();

  std::string address_;
  int server_port_ = 0, listener_ = -1, wake_[2] = {-1, -1};
  std::atomic<int64_t> cut_at_{-1}, cut_at_sent_{-1}, from_server_{0}, from_clients_{0};
  std::atomic<bool> stop_{false}, refuse_{false}, swallow_{false};
  std::atomic<int> cuts_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace gradeline::testing

#endif  // GRADELINE_TESTS_CLI_CUTTING_PROXY_H_

#include "tests/cli/cutting_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace gradeline::testing {
namespace {

struct Pair {
  int client = -1, server = -1;
};

sockaddr_in Loopback(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  out.sin_port = htons(static_cast<uint16_t>(port));
  return out;
}

// A reset, not a polite end.
void Close(int fd) {
  const linger reset{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  close(fd);
}

bool SendAll(int fd, const char* data, int64_t size) {
  while (size > 0) {
    const ssize_t sent = send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data += sent;
    size -= sent;
  }
  return true;
}

}  // namespace

CuttingProxy::CuttingProxy(const std::string& server) {
  server_port_ = std::atoi(server.substr(server.rfind(':') + 1).c_str());
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 || pipe2(wake_, O_CLOEXEC) != 0) {
    std::abort();
  }
  address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  thread_ = std::thread([this] { Run(); });
}

CuttingProxy::~CuttingProxy() {
  stop_ = true;
  CutAfter(0);
  thread_.join();
  for (const int fd : {listener_, wake_[0], wake_[1]}) close(fd);
}

void CuttingProxy::CutAfter(int64_t bytes_from_server) {
  cut_at_ = from_server_ + bytes_from_server;
  if (write(wake_[1], "x", 1) != 1) std::abort();
}

void CuttingProxy::CutAfterSent(int64_t bytes_from_clients) { cut_at_sent_ = from_clients_ + bytes_from_clients; }

void CuttingProxy::Swallow() { swallow_ = true; }

void CuttingProxy::Refuse(bool refuse) { refuse_ = refuse; }

void CuttingProxy::WaitForBytesFromClients(int64_t bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return from_clients_ > bytes; });
}

// One thread for all: poll, pass on what came, cut when it is time.
void CuttingProxy::Run() {
  std::vector<Pair> pairs;
  std::vector<char> buffer(1 << 16);
  const auto cut = [&](std::atomic<int64_t>& why) {
    why = -1;
    swallow_ = false;
    if (!pairs.empty()) ++cuts_;
    for (const Pair& pair : pairs) {
      Close(pair.client);
      Close(pair.server);
    }
    pairs.clear();
  };
  while (!stop_) {
    std::vector<pollfd> waiting = {{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Pair& pair : pairs) {
      waiting.push_back({pair.client, POLLIN, 0});
      waiting.push_back({pair.server, POLLIN, 0});
    }
    poll(waiting.data(), waiting.size(), -1);
    if (waiting[0].revents != 0 && read(wake_[0], buffer.data(), buffer.size()) < 0) std::abort();
    std::vector<Pair> kept;
    for (size_t i = 2; i < waiting.size(); i += 2) {
      bool alive = true;
      for (const size_t k : {i, i + 1}) {
        if (!alive || waiting[k].revents == 0) continue;
        const ssize_t got = recv(waiting[k].fd, buffer.data(), buffer.size(), 0);
        int64_t pass = got;
        if (k == i + 1 && cut_at_ >= 0) pass = std::clamp<int64_t>(cut_at_ - from_server_, 0, got);
        if (k == i + 1 && swallow_) pass = 0;
        alive = got > 0 && SendAll(waiting[k == i ? i + 1 : i].fd, buffer.data(), pass);
        if (got > 0) (k == i ? from_clients_ : from_server_) += got;
      }
      if (alive) {
        kept.push_back({waiting[i].fd, waiting[i + 1].fd});
      } else {
        Close(waiting[i].fd);
        Close(waiting[i + 1].fd);
      }
    }
    pairs = kept;
    {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    }
    if (cut_at_ >= 0 && from_server_ >= cut_at_) cut(cut_at_);
    if (cut_at_sent_ >= 0 && from_clients_ >= cut_at_sent_) cut(cut_at_sent_);
    if (waiting[1].revents != 0) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = Loopback(server_port_);
      if (refuse_ || connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        Close(client);
        Close(server);
      } else {
        pairs.push_back({client, server});
      }
    }
  }
  for (const Pair& pair : pairs) {
    Close(pair.client);
    Close(pair.server);
  }
}

}  // namespace gradeline::testing

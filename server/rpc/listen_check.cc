#include "server/rpc/listen_check.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

absl::Status Cannot(const std::string& listen, const std::string& why) {
  return WithReason(absl::UnavailableError(absl::StrCat("cannot listen on ", listen, " (grpc.listen): ", why)),
                    "CANNOT_LISTEN", {{"address", listen}, {"key", "grpc.listen"}});
}

}  // namespace

absl::Status CheckUnixSocketFree(const std::string& listen) {
  absl::string_view path = listen;
  if (!absl::ConsumePrefix(&path, "unix:")) return absl::OkStatus();
  absl::ConsumePrefix(&path, "//");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Cannot(listen, absl::StrCat("the path is longer than ", sizeof(address.sun_path) - 1, " bytes"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  struct stat file {};
  if (stat(address.sun_path, &file) != 0) return absl::OkStatus();
  if (!S_ISSOCK(file.st_mode)) return Cannot(listen, "there is a file that is no socket");
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool answered = connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(client);
  return answered ? Cannot(listen, "the address is in use") : absl::OkStatus();
}

}  // namespace gradeline

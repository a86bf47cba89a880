// See context.h.
#include "client/cli/context.h"

#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace gradeline::cli {

absl::StatusOr<std::shared_ptr<client::Connection>> Context::Connect() {
  if (connection_ == nullptr) {
    client::ConnectOptions options;
    if (timeout > absl::ZeroDuration()) {
      options.connect_timeout = std::min(options.connect_timeout, timeout);
    }
    auto connection = client::Connect(server, options);
    if (!connection.ok()) return connection.status();
    connection_ = *std::move(connection);
  }
  return connection_;
}

bool Context::MayRepeat(const absl::Status& status, std::chrono::system_clock::time_point deadline,
                        client::Route* route, int* failed) {
  if (route->Failed(status)) return true;
  // A server that stops leaves calls cancelled, without a reason of its own.
  const bool going = absl::IsCancelled(status) && client::ReasonOf(status) == "CANCELLED";
  if (!route->told() || !(absl::IsUnavailable(status) || going)) return false;
  if (*failed == 0) err << "waiting until another server takes the experiment over\n";
  const absl::Duration pause = client::Pause((*failed)++, absl::Milliseconds(100), absl::Seconds(2));
  if (absl::Now() + pause >= absl::FromChrono(deadline)) return false;
  absl::SleepFor(pause);
  return true;
}

absl::Status Context::Explained(const absl::Status& status, const std::string& called) const {
  const std::string& address = called.empty() ? server : called;
  if (absl::IsDeadlineExceeded(status)) {
    return absl::DeadlineExceededError(
        absl::StrCat("the time ran out before the server at ", address, " had answered"));
  }
  if (absl::IsUnavailable(status) && client::ReasonOf(status) == "UNAVAILABLE") {
    return absl::UnavailableError(absl::StrCat("the connection to ", address, " failed: ", status.message()));
  }
  return status;
}

std::string ResourceName(const char* collection, const std::string& id) {
  return absl::StrContains(id, '/') || id.empty() ? id : absl::StrCat(collection, "/", id);
}

std::string RandomUuid() {
  std::random_device source;
  std::string out;
  for (int i = 0; i < 8; ++i) {
    uint32_t bits = source() & 0xffff;
    if (i == 3) bits = (bits & 0x0fff) | 0x4000;
    if (i == 4) bits = (bits & 0x3fff) | 0x8000;
    absl::StrAppendFormat(&out, "%s%04x", i >= 2 && i <= 5 ? "-" : "", bits);
  }
  return out;
}

}  // namespace gradeline::cli

// See route.h.
#include "client/cpp/route.h"

#include <algorithm>
#include <random>

#include "client/cpp/status.h"

namespace gradeline::client {

void Route::Reached() {
  if (now_ == target_) owner_ = nullptr;
}

bool Route::Failed(const absl::Status& status) {
  const std::string told = ReasonOf(status) == "NOT_OWNER" ? MetadataOf(status, "address") : "";
  if (!told.empty() && followed_.insert(told).second) {
    ConnectOptions options = target_->options();
    options.connect_timeout = absl::ZeroDuration();  // the call finds out
    if (auto connection = Connect(told, options); connection.ok()) {
      now_ = owner_ = *std::move(connection);
      return true;
    }
  }
  if (owner_ != nullptr && now_ == target_) {
    now_ = owner_;
  } else {
    now_ = target_;
    followed_.clear();
  }
  return false;
}

absl::Duration Pause(int failed, absl::Duration first, absl::Duration most) {
  std::random_device random;
  return std::min(most, first * static_cast<double>(1 << std::min(failed, 20))) *
         std::uniform_real_distribution<double>(0.5, 1)(random);
}

}  // namespace gradeline::client

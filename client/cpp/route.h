// Which of several servers to call: the configured target, or the owner of an experiment. Calls nothing itself.
#ifndef GRADELINE_CLIENT_CPP_ROUTE_H_
#define GRADELINE_CLIENT_CPP_ROUTE_H_

#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/connection.h"

namespace gradeline::client {

/// Servers over one database answer alike, but an experiment has one owner; the others end calls that need it with
/// NOT_OWNER and its address. While a dead owner has no successor, target and owner are called in turn. Not
/// thread-safe.
class Route {
 public:
  explicit Route(std::shared_ptr<Connection> target) : target_(std::move(target)), now_(target_) {}

  /// Where to call next.
  const std::shared_ptr<Connection>& connection() const { return now_; }
  /// Whether an owner other than the target is known.
  bool told() const { return owner_ != nullptr; }

  /// The call was taken; if by the target, it is the owner itself.
  void Reached();
  /// The call failed: chooses the next connection. True: `status` names an owner that was not called yet; it may be at
  /// once.
  bool Failed(const absl::Status& status);

 private:
  const std::shared_ptr<Connection> target_;
  std::shared_ptr<Connection> owner_;  // as the last NOT_OWNER said
  std::shared_ptr<Connection> now_;
  std::set<std::string> followed_;  // since the target was called
};

/// The pause before the try after `failed` failed ones: at random half to all of min(most, first * 2^failed).
absl::Duration Pause(int failed, absl::Duration first, absl::Duration most);

}  // namespace gradeline::client

#endif  // GRADELINE_CLIENT_CPP_ROUTE_H_

// What Experiments does with all that is stored.
#include "server/core/experiment/impl.h"

namespace gradeline {

absl::StatusOr<std::unique_ptr<Snapshot>> Experiments::TakeSnapshot(const std::function<bool()>& go_on) const {
  return impl_->store->TakeSnapshot(go_on);
}

}  // namespace gradeline

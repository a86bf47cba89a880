// For tests that run over every store: each test binary of a store says what its kind is.
#ifndef GRADELINE_SERVER_STORE_TEST_STORE_H_
#define GRADELINE_SERVER_STORE_TEST_STORE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/core/experiment/store.h"
#include "server/store/sql/connection.h"

namespace gradeline {

/// A place for one store, empty at first. It goes away with the test.
class TestStore {
 public:
  virtual ~TestStore() = default;
  /// The store of this place, with what the last one left. One at a time.
  virtual absl::StatusOr<std::shared_ptr<Store>> Open() = 0;
  /// Another place, with what is committed in this one.
  virtual std::unique_ptr<TestStore> Copy() = 0;
  /// Around the store, for what the store itself would never do.
  virtual std::unique_ptr<Connection> Connect() = 0;
};

/// A place of the kind that this binary tests.
std::unique_ptr<TestStore> MakeTestStore();

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_TEST_STORE_H_

// A store with nothing in it, and ways to write to it: for the tests of what every store must do.
#ifndef GRADELINE_SERVER_STORE_STORE_CONTRACT_H_
#define GRADELINE_SERVER_STORE_STORE_CONTRACT_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "server/core/experiment/store.h"
#include "server/store/test_store.h"

namespace gradeline {

/// What a worker may say: any text in UTF-8, a zero byte in it too.
inline const std::string kAnyText("\0 \xc3\xa9'\"?1$", 9);

class StoreContract : public testing::Test {
 protected:
  StoreContract() { Reopen(); }
  void Reopen() {
    store_.reset();
    auto opened = place_->Open();
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  /// Runs `work` in a transaction and commits it.
  void Write(const std::function<void(Transaction&)>& work) {
    auto transaction = store_->Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    work(**transaction);
    const absl::Status committed = (*transaction)->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
  }
  int64_t MakeAttempt(int32_t world_size) {
    int64_t no = 0;
    Write([&](Transaction& t) {
      Experiment experiment;
      experiment.id = "e";
      experiment.attempt = 1;
      no = *t.InsertExperiment(experiment);
      AttemptRow attempt;
      attempt.experiment_no = no;
      attempt.attempt = 1;
      attempt.token = "secret";
      attempt.world_size = world_size;
      attempt.numerics = "n";
      EXPECT_TRUE(t.InsertAttempt(attempt).ok());
    });
    return no;
  }
  static Record MakeRecord(int64_t seq, RecordKey key) {
    Record record;
    record.seq = seq;
    record.key = key;
    record.digest.fill(static_cast<uint8_t>(seq));
    record.items = 3;
    record.values = {{0.1, 3}, {1e300, -0.0}};
    return record;
  }

  const std::unique_ptr<TestStore> place_ = MakeTestStore();
  std::shared_ptr<Store> store_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_STORE_CONTRACT_H_

// What sees a history of the ledger from outside: streams' listeners and a watcher.
#ifndef GRADELINE_TESTS_PROPERTY_WITNESSES_H_
#define GRADELINE_TESTS_PROPERTY_WITNESSES_H_

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "server/core/experiment/experiments.h"
#include "tests/property/ledger_model.h"

namespace gradeline {

/// Hears of commits and seals, and is kept by the test longer than any stream.
class Ear : public RankListener {
 public:
  void OnCommitted(int64_t seq) override {
    absl::MutexLock lock(&mutex);
    EXPECT_GE(seq, acknowledged) << "committed goes back";
    acknowledged = seq;
  }
  void OnSealed(const Seal& seal) override {
    absl::MutexLock lock(&mutex);
    sealed.insert(LedgerModel::Words(seal));
  }
  void OnRanks(const std::vector<LateRank>&, const std::vector<LateRank>&) override {}
  bool Listens() const override { return true; }
  void OnStop(ExperimentState, const std::string&) override {}
  void OnSuperseded() override {}

  absl::Mutex mutex;
  int64_t acknowledged = 0;
  std::set<std::string> sealed;
};

/// Watches from where it was, over restarts too.
class Watching {
 public:
  void Begin(Experiments& experiments) {
    auto subscribed = experiments.Watch("e", next_ - 1, [] {});
    ASSERT_TRUE(subscribed.ok()) << subscribed.status();
    subscription_ = *std::move(subscribed);
  }
  /// Hears what has happened by now.
  void Hear() {
    while (true) {
      const auto news = subscription_->Next(5);
      ASSERT_TRUE(news.ok()) << news.status();
      if (news->events.empty() || std::holds_alternative<Progress>(news->events[0].body)) return;
      for (const Event& event : news->events) EXPECT_EQ(event.revision, next_++);
    }
  }
  void End() { subscription_.reset(); }
  int64_t newest() const { return next_ - 1; }
  /// A crash may lose what was heard of only after the commit, never more; the watcher hears all of it anyway.
  void Rewind(int64_t revision) { next_ = std::min(next_, revision + 1); }

 private:
  int64_t next_ = 1;
  std::unique_ptr<Subscription> subscription_;
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_PROPERTY_WITNESSES_H_

// Servers over PostgreSQL: two at a time, of which one owns the experiment. A crash is that the other takes over while
// the first goes on, as one does that was cut off, or stood still.
#include <thread>

#include "server/core/base/status.h"
#include "server/store/postgres/testing/test_place.h"
#include "tests/property/servers.h"

namespace gradeline {
namespace {

constexpr char kAddress[] = "127.0.0.1:1";  // whoever takes it takes over

class PostgresServers : public Servers {
 public:
  PostgresServers() { Own(); }

  TestWorld& now() override { return *world_; }

  void Stop() override {
    world_->experiments.reset();
    world_->store.reset();
    GoOn();
  }

  std::vector<int64_t> Crash(const Acknowledged& acknowledged) override {
    TakeOver();
    std::vector<int64_t> told = acknowledged();
    GoOn();
    return told;
  }

  std::vector<int64_t> CrashAtWork(const Acknowledged& acknowledged, const std::function<void()>& work) override {
    std::thread taking([this] { TakeOver(); });
    work();
    taking.join();
    work();
    world_->Settle();
    std::vector<int64_t> told = acknowledged();
    GoOn();
    return told;
  }

  void TryElsewhere(const JoinRequest& request) override {
    const auto joined = spare_->experiments->Join(request, std::make_shared<TestListener>());
    EXPECT_EQ(ReasonOf(joined.status()).reason, "NOT_OWNER") << joined.status();
    EXPECT_EQ(ReasonOf(joined.status()).metadata["address"], kAddress);
  }
  Experiments& lookout() override { return *spare_->experiments; }

 private:
  void Own() {
    const absl::Status told = world_->store->Advertise(kAddress);
    EXPECT_TRUE(told.ok()) << told;
  }
  void TakeOver() {
    const absl::Status taken = spare_->store->Advertise(kAddress);
    EXPECT_TRUE(taken.ok()) << taken;
  }
  // The other one works now; a new one stands by.
  void GoOn() {
    std::swap(world_, spare_);
    Own();
    AwaitAdoption();
    world_->clock.now_ms += 1'000;  // when it looks for what has become its own
    world_->Settle();
    world_->Settle();
    spare_->Restart();
  }
  // Of an experiment whose ranks are expected: the others wait for who asks.
  void AwaitAdoption() {
    const auto found = world_->store->GetExperiment("e");
    if (!found.ok() || found->second.state != ExperimentState::kRunning) return;
    const auto ranks = world_->store->ListRanks(found->first, found->second.attempt);
    const bool expected = std::any_of(ranks->begin(), ranks->end(), [](const RankRow& rank) {
      return rank.state == RankState::kHeld || rank.state == RankState::kFree;
    });
    if (!expected) return;
    EXPECT_TRUE(Eventually([this] { return !world_->store->ListExpectedRanks()->empty(); }));
  }

  std::unique_ptr<TestWorld> world_ = std::make_unique<TestWorld>();
  std::unique_ptr<TestWorld> spare_ = std::make_unique<TestWorld>(Experiments::Options{}, world_->place());
};

}  // namespace

std::unique_ptr<TestStore> MakeTestStore() { return std::make_unique<PostgresPlace>(); }

std::unique_ptr<Servers> MakeServers() { return std::make_unique<PostgresServers>(); }

}  // namespace gradeline

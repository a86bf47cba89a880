// Random histories of the real ledger over a real database: one to three ranks, lost and doubled streams, zombies,
// restarts, crashes between any two commits and in the moment before one, takeovers by another server, replays,
// cancels, wrong counts. Whatever happens, what is sealed is what the model says, and nobody was told of anything that
// is not there.
#include <iostream>

#include "gmock/gmock.h"
#include "server/core/experiment/names.h"
#include "tests/campaign.h"
#include "tests/property/ledger_model.h"
#include "tests/property/servers.h"
#include "tests/property/witnesses.h"

namespace gradeline {
namespace {

class History {
 public:
  explicit History(uint64_t seed)
      : random_(seed), epochs_(1 + static_cast<int64_t>(random_() % 3)), model_(MakePlans(1 + random_() % 3, 0)) {
    Experiment experiment = TestExperiment(static_cast<int32_t>(model_.ranks()), static_cast<int32_t>(epochs_));
    if (random_() % 2 == 0) {
      patience_ = 1 + static_cast<int32_t>(random_() % 2);
      experiment.training.early_stopping = EarlyStopping{"validation.loss", std::nullopt, patience_, 0};
    }
    world().Start(experiment);
    token_ = world().token;
    watching_.Begin(servers_->lookout());
    workers_.resize(model_.ranks());
    for (size_t rank = 0; rank < workers_.size(); ++rank) Heard(rank);
  }
  ~History() {
    watching_.End();
    Forget();
  }

  void Run() {
    RunAttempt();
    while (attempt_ < 3 && random_() % 3 > 0 && !testing::Test::HasFailure() && Resume()) RunAttempt();
    if (random_() % 2 == 0) Restart(kStop);
    Check();
  }

 private:
  struct Worker {
    std::shared_ptr<RankSession> session;
    std::shared_ptr<Ear> ear;
    int64_t next = 1;                                   ///< seq to be sent next
    std::vector<std::shared_ptr<RankSession>> zombies;  ///< older streams that do not know it
    bool dead = false;                                  ///< its process is: it says nothing more
    bool joined = false;
    int64_t heard_ms = 0;  ///< when it last said something, or the server began
  };

  void RunAttempt() {
    const int actions = 20 + static_cast<int>(random_() % 120);
    for (int i = 0; i < actions && !testing::Test::HasFailure(); ++i) Act();
    if (random_() % 4 == 0) {
      const auto cancelled = world().experiments->Cancel("e", "", "");
      const ExperimentState state = world().Get().state;
      EXPECT_EQ(cancelled.ok(), state == ExperimentState::kCancelled) << cancelled.status();
    }
    Finish();
    Check();
  }

  std::vector<Plan> MakePlans(size_t ranks, int64_t first_epoch) {
    std::vector<Plan> plans;
    for (; ranks > 0; --ranks) plans.push_back(RandomPlan(random_, first_epoch, epochs_));
    return plans;
  }

  // Nobody of this attempt has any stream to the server.
  void Forget() {
    for (Worker& worker : workers_) worker = {};
    old_.clear();
  }

  static std::string AttemptWords(const Seal& seal) {
    return absl::StrCat("attempt ", seal.attempt, ": ", LedgerModel::Words(seal));
  }

  // False if there is nothing to resume.
  bool Resume() {
    const ExperimentState state = world().Get().state;
    int64_t next = first_epoch_;
    for (const Seal& seal : world().Seals()) {
      if (seal.attempt == attempt_ && seal.phase == Phase::kTrain && seal.complete) next = seal.epoch + 1;
    }
    const int64_t first = random_() % 2 == 0 ? next : static_cast<int64_t>(random_() % static_cast<uint64_t>(next + 1));
    EXPECT_FALSE(world().experiments->Resume("e", next + 1, "", "").ok());
    const auto resumed = world().experiments->Resume("e", first == next ? std::nullopt : std::optional(first), "", "");
    EXPECT_EQ(resumed.ok(), state != ExperimentState::kSucceeded) << resumed.status();
    if (!resumed.ok()) return false;
    for (const Seal& seal : world().Seals()) past_.insert(AttemptWords(seal));
    EXPECT_EQ(resumed->experiment.attempt, ++attempt_);
    token_ = resumed->token;
    first_epoch_ = first;
    for (Worker& worker : workers_) {
      if (worker.session != nullptr) old_.push_back(worker.session);
      worker = {};
    }
    sent_.clear();
    may_be_gone_ = false;
    for (size_t rank = 0; rank < workers_.size(); ++rank) Heard(rank);
    model_ = LedgerModel(MakePlans(model_.ranks(), first));
    return true;
  }

  void Act() {
    const size_t rank = random_() % workers_.size();
    Worker& worker = workers_[rank];
    const uint64_t what = random_() % 100;
    if (what >= 98) {
      worker.dead = true;
      worker.session.reset();
    } else if (what >= 94) {
      Pass(static_cast<int64_t>(random_() % 20'000));
    } else if (worker.dead) {
      HauntFromBefore();
    } else if (worker.session == nullptr || what < 4) {
      Join(rank);  // with a session: a doubled stream
    } else if (what < 8) {
      worker.session.reset();  // the connection is lost; the worker may have sent what nobody got
    } else if (what < 11) {
      Haunt(rank);
    } else if (what < 13) {
      Restart(kStop);
    } else if (what < 15) {
      Restart(kCrash);
    } else if (what < 17) {
      Restart(kCrashAtWork);
    } else if (what < 20) {
      worker.session->Flush();
      Heard(rank);
    } else if (what < 25) {
      watching_.Hear();
    } else {
      for (uint64_t messages = 1 + random_() % 6; messages > 0; --messages) SendNext(rank);
    }
  }

  TestWorld& world() { return servers_->now(); }
  bool Over() { return IsTerminal(world().Get().state); }

  void Heard(size_t rank) { workers_[rank].heard_ms = world().clock.now_ms; }
  // Time passes, those who have a stream beat, and the ledger's thread looks at the leases.
  void Pass(int64_t ms) {
    for (; ms > 0; ms -= 4'000) {
      world().clock.now_ms += std::min<int64_t>(ms, 4'000);
      for (size_t rank = 0; rank < workers_.size(); ++rank) {
        if (workers_[rank].session == nullptr) continue;
        workers_[rank].session->Heartbeat(true);
        Heard(rank);
      }
      may_be_gone_ |= std::any_of(workers_.begin(), workers_.end(), [this](const Worker& worker) {
        return world().clock.now_ms - worker.heard_ms >= (worker.joined ? 60'000 : 600'000);
      });
      world().Settle();
      world().Settle();
    }
  }

  // A stream of an attempt that has ended goes on sending.
  void HauntFromBefore() {
    if (old_.empty()) return;
    Record record = TestRecord(1 + static_cast<int64_t>(random_() % 9), {Phase::kTrain, 0, 0, 0, 0}, 1e9);
    old_[random_() % old_.size()]->Report(record, [](RecordFate fate, const absl::Status& status) {
      EXPECT_TRUE(fate == RecordFate::kClosed || IsUnknown(fate, status)) << status;
    });
  }

  std::vector<int64_t> Committed() {
    std::vector<int64_t> committed;
    const auto ranks = world().store->ListRanks(1, attempt_);
    EXPECT_TRUE(ranks.ok()) << ranks.status();
    for (const RankRow& rank : *ranks) committed.push_back(rank.committed_seq);
    return committed;
  }

  void Join(size_t rank) {
    Worker& worker = workers_[rank];
    if (worker.session != nullptr) worker.zombies.push_back(worker.session);
    // Each stream hears for itself; what an older one was told stays true.
    const int64_t acknowledged = Acknowledged(rank);
    auto ear = std::make_shared<Ear>();
    world().token = token_;
    const auto instance = static_cast<char>('a' + 4 * attempt_ + static_cast<int32_t>(rank));
    const JoinRequest request = world().Request(static_cast<int32_t>(rank), instance);
    if (random_() % 4 == 0 && !Over()) servers_->TryElsewhere(request);
    auto joined = world().experiments->Join(request, ear);
    if (!joined.ok()) {
      // Done, or all is over: the Bye is committed.
      EXPECT_EQ(joined.status().code(), absl::StatusCode::kFailedPrecondition) << joined.status();
      EXPECT_TRUE(Over() || Committed()[rank] == static_cast<int64_t>(model_.plan(rank).size())) << joined.status();
      worker.session = nullptr;
      worker.next = static_cast<int64_t>(model_.plan(rank).size()) + 1;
      return;
    }
    const int64_t committed = (*joined)->welcome().committed_seq;
    EXPECT_GE(committed, acknowledged) << "what was acknowledged is gone";
    EXPECT_LT(committed, std::max<int64_t>(sent_[rank] + 1, 1)) << "what was never sent is there";
    ear->acknowledged = committed;
    worker.session = *std::move(joined);
    worker.joined = true;
    Heard(rank);
    worker.ear = ear;
    worker.next = committed + 1;
  }

  int64_t Acknowledged(size_t rank) {
    Worker& worker = workers_[rank];
    if (worker.ear == nullptr) return 0;
    absl::MutexLock lock(&worker.ear->mutex);
    return worker.ear->acknowledged;
  }

  std::vector<int64_t> AllAcknowledged() {
    std::vector<int64_t> acknowledged;
    for (size_t rank = 0; rank < workers_.size(); ++rank) acknowledged.push_back(Acknowledged(rank));
    return acknowledged;
  }

  // False if the worker has to wait, or is through.
  bool SendNext(size_t rank) {
    Worker& worker = workers_[rank];
    const Plan& plan = model_.plan(rank);
    if (worker.session == nullptr || worker.next > static_cast<int64_t>(plan.size())) return false;
    const Message& message = plan[static_cast<size_t>(worker.next - 1)];
    if (message.kind == Message::kRecord || message.kind == Message::kEnd) {
      // Too far ahead of another rank: wait for its seal.
      if (!worker.session->CheckKey({message.phase.phase, message.phase.epoch, 0, 0, 0}).ok()) return false;
    }
    const auto begun = worker.session->Begin(worker.next);
    EXPECT_TRUE(begun.ok() || IsUnknown(begun.status())) << begun.status();
    if (!begun.ok()) return false;
    EXPECT_EQ(*begun, SeqVerdict::kNew);
    Heard(rank);
    sent_[rank] = std::max(sent_[rank], worker.next);
    Report(*worker.session, message, worker.next, FateOf(message.kind));
    ++worker.next;
    return true;
  }

  static RecordFate FateOf(Message::Kind kind) {
    switch (kind) {
      case Message::kDuplicate:
        return RecordFate::kDuplicate;
      case Message::kConflict:
      case Message::kLate:
        return RecordFate::kConflict;
      default:
        return RecordFate::kCommitted;
    }
  }

  // What a server that has been taken over says: whether something was kept is not known.
  static bool IsUnknown(const absl::Status& status) { return absl::IsUnavailable(status) || absl::IsDataLoss(status); }
  static bool IsUnknown(RecordFate fate, const absl::Status& status) {
    return fate == RecordFate::kFailed && IsUnknown(status);
  }

  // Streams may be superseded, and attempts closed, at any time; otherwise the fate is the message's.
  static void Report(RankSession& session, const Message& message, int64_t seq, RecordFate expected) {
    const auto done = [expected, seq](RecordFate fate, const absl::Status& status) {
      EXPECT_TRUE(fate == expected || fate == RecordFate::kFenced || fate == RecordFate::kClosed ||
                  IsUnknown(fate, status))
          << "seq " << seq << ": fate " << static_cast<int>(fate) << ", " << status;
    };
    if (message.kind == Message::kEnd) {
      EXPECT_TRUE(session.EndPhase(seq, message.phase.phase, message.phase.epoch, message.count, done).ok());
    } else if (message.kind == Message::kBye) {
      session.Bye(seq, "", done);
    } else {
      session.Report(message.record, done);
    }
  }

  // An older stream goes on sending, as if nothing had happened: nothing it says may count.
  void Haunt(size_t rank) {
    Worker& worker = workers_[rank];
    if (worker.zombies.empty()) return;
    const Plan& plan = model_.plan(rank);
    const int64_t seq =
        std::min<int64_t>(worker.next + static_cast<int64_t>(random_() % 2), static_cast<int64_t>(plan.size()));
    RankSession& zombie = *worker.zombies[random_() % worker.zombies.size()];
    Message message = plan[static_cast<size_t>(seq - 1)];
    if (message.kind == Message::kEnd || message.kind == Message::kBye) return;
    if (!message.record.values.empty()) message.record.values[0].numerator = 1e9;
    zombie.Report(message.record, [](RecordFate fate, const absl::Status& status) {
      EXPECT_TRUE(fate == RecordFate::kFenced || fate == RecordFate::kClosed || IsUnknown(fate, status)) << status;
    });
  }

  enum Restarting { kStop, kCrash, kCrashAtWork };

  std::vector<int64_t> End(Restarting how) {
    const auto acknowledged = [this] { return AllAcknowledged(); };
    switch (how) {
      case kCrash:
        return servers_->Crash(acknowledged);
      case kCrashAtWork:
        return servers_->CrashAtWork(acknowledged, [this] {
          for (size_t rank = 0; rank < workers_.size(); ++rank) SendNext(rank);
        });
      default:
        break;
    }
    std::vector<int64_t> told = AllAcknowledged();
    servers_->Stop();
    return told;
  }

  void Restart(Restarting how) {
    watching_.End();
    const std::vector<int64_t> acknowledged = End(how);
    for (Worker& worker : workers_) {
      worker.session.reset();
      worker.zombies.clear();
    }
    old_.clear();
    watching_.Rewind(world().Get().revision);
    watching_.Begin(servers_->lookout());
    for (size_t rank = 0; rank < workers_.size(); ++rank) Heard(rank);
    const std::vector<int64_t> committed = Committed();
    for (size_t rank = 0; rank < workers_.size(); ++rank) {
      EXPECT_GE(committed[rank], acknowledged[rank]) << "rank " << rank << " was told of what is not there";
      // After the crash only what was heard before it counts.
      if (workers_[rank].ear != nullptr) workers_[rank].ear = std::make_shared<Ear>();
      if (workers_[rank].ear != nullptr) workers_[rank].ear->acknowledged = acknowledged[rank];
    }
    CheckSeals();
  }

  // No more trouble: everybody says all he has to say.
  void Finish() {
    for (int idle = 0; idle < 20'000 && !testing::Test::HasFailure();) {
      bool all = true, moved = false;
      for (size_t rank = 0; rank < workers_.size(); ++rank) {
        if (Over() || workers_[rank].next > static_cast<int64_t>(model_.plan(rank).size())) continue;
        all = false;
        if (workers_[rank].dead) continue;
        if (workers_[rank].session == nullptr) Join(rank);
        while (SendNext(rank)) moved = true;
      }
      if (all) break;
      if (moved) {
        idle = 0;
      } else {
        ++idle;
        world().Settle();
        // Whoever waits for a dead rank waits for its lease, or for the time to join; if none has come, a person
        // cancels.
        if (idle % 10 == 0) Pass(20'000);
        if (idle == 1'000) world().experiments->Cancel("e", "", "").IgnoreError();
      }
    }
    if (!Over()) {
      // A last message of a stream that was lost is sent again.
      for (size_t rank = 0; rank < workers_.size(); ++rank) {
        Join(rank);
        while (SendNext(rank)) continue;
      }
    }
    world().Settle();
  }

  void CheckSeals() {
    std::set<std::string> stored, past;
    const std::vector<Seal> seals = world().Seals();
    for (const Seal& seal : seals) {
      if (seal.attempt == attempt_) {
        EXPECT_TRUE(stored.insert(LedgerModel::Words(seal)).second);
      } else {
        past.insert(AttemptWords(seal));
      }
      const bool decides = patience_ > 0 && seal.complete && seal.phase == Phase::kValidation;
      EXPECT_EQ(seal.directive.has_value(), decides || (seal.complete && seal.phase == Phase::kTrain));
      if (!decides) continue;
      EXPECT_EQ(Words(*seal.directive), DirectiveWords(seals, seal, patience_, epochs_));
    }
    EXPECT_EQ(stored, model_.Seals(Committed(), Over()));
    EXPECT_EQ(past, past_) << "what an earlier attempt sealed has changed";
  }
  // A seal of this attempt says stop.
  bool Stopped() {
    const std::vector<Seal> seals = world().Seals();
    return std::any_of(seals.begin(), seals.end(), [this](const Seal& seal) {
      return seal.attempt == attempt_ && seal.directive && seal.directive->stop;
    });
  }

  void Check() {
    CheckSeals();
    const ExperimentState state = world().Get().state;
    EXPECT_TRUE(IsTerminal(state)) << static_cast<int>(state);
    const bool lost = model_.Lost(Committed());
    if (state == ExperimentState::kLost) {
      EXPECT_TRUE(lost || may_be_gone_ || model_.MayBeLost(Committed()));
      EXPECT_FALSE(Stopped());
    } else {
      EXPECT_TRUE(!lost || Stopped());
    }
    EXPECT_EQ(state == ExperimentState::kEarlyStopped, Stopped() && state != ExperimentState::kCancelled);
    std::set<std::string> stored;
    for (const Seal& seal : world().Seals()) {
      if (seal.attempt != attempt_) continue;
      EXPECT_TRUE(seal.complete || state != ExperimentState::kSucceeded);
      stored.insert(LedgerModel::Words(seal));
    }
    for (Worker& worker : workers_) {
      if (worker.ear == nullptr) continue;
      absl::MutexLock lock(&worker.ear->mutex);
      for (const std::string& seal : worker.ear->sealed) EXPECT_TRUE(stored.count(seal) > 0) << seal;
    }
    watching_.Hear();
    EXPECT_EQ(watching_.newest(), world().Get().revision) << "a watcher missed something";
  }

  std::mt19937_64 random_;
  const std::unique_ptr<Servers> servers_ = MakeServers();
  const int64_t epochs_;
  int32_t patience_ = 0;  // of early stopping; 0: none
  int32_t attempt_ = 1;
  int64_t first_epoch_ = 0;
  bool may_be_gone_ = false;                       // a rank of this attempt was silent for too long
  std::set<std::string> past_;                     // the seals of earlier attempts
  std::vector<std::shared_ptr<RankSession>> old_;  // streams of earlier attempts
  LedgerModel model_;
  std::string token_;
  Watching watching_;
  std::vector<Worker> workers_;
  std::map<size_t, int64_t> sent_;
};

TEST(LedgerProperty, EveryHistoryEndsWhereTheModelSays) {
  const int64_t first = FromEnvironment("GRADELINE_SEED", 1),
                runs = FromEnvironment("GRADELINE_RUNS", GRADELINE_USUAL_RUNS);
  std::cout << "seeds " << first << " to " << first + runs - 1 << std::endl;
  for (int64_t seed = first; seed < first + runs; ++seed) {
    SCOPED_TRACE(absl::StrCat("GRADELINE_SEED=", seed, " GRADELINE_RUNS=1"));
    History(static_cast<uint64_t>(seed)).Run();
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace gradeline

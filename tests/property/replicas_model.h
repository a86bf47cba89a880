// The protocol of replicas (server/store/postgres/membership.h) as a model: servers, their sessions with the database,
// what the database holds, and workers, each step of which may come at any moment. An experiment has one owner, and who
// was taken over writes nothing more. Each rule can be left out, to see that it is needed.
#ifndef GRADELINE_TESTS_PROPERTY_REPLICAS_MODEL_H_
#define GRADELINE_TESTS_PROPERTY_REPLICAS_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace gradeline {

/// What keeps the promises.
struct ReplicaRules {
  bool session_ends_first = true;  ///< taking over ends the session of the one that is taken over, and has its lock
  bool living_keep_theirs = true;  ///< nobody claims what a replica that is in the table owns
  bool fence_in_commit = true;     ///< a stream that was superseded writes nothing
  bool leave_when_lost = true;     ///< who finds itself out of the table ends
  bool adopt_looks_again = true;   ///< an experiment that has an owner by now is not adopted
  bool leave_with_lock = true;     ///< who leaves ends its own session first
};

class ReplicasModel {
 public:
  ReplicasModel(uint64_t seed, ReplicaRules rules) : random_(seed), rules_(rules) {
    servers_.resize(2 + random_() % 2);
    workers_.resize(1 + random_() % 3);
    ranks_.resize(workers_.size());
    for (size_t server = 0; server < servers_.size(); ++server) Start(server);
  }

  /// A history and its end, after which nothing disturbs any more. What went wrong; empty: nothing.
  std::string Run() {
    for (int steps = 50 + static_cast<int>(random_() % 400); steps > 0 && wrong_.empty(); --steps) Step();
    Heal();
    for (int rounds = 0; rounds < 200 && wrong_.empty() && !Finished(); ++rounds) Round();
    if (wrong_.empty() && !Finished()) wrong_ = "the experiment never ends";
    return wrong_;
  }

 private:
  static constexpr int64_t kTakeover = 10, kMessages = 20;

  // In the database.
  struct Row {
    int64_t beats = 0;
    size_t session = 0, address = 0;
  };
  struct Rank {
    int64_t fence = 0, committed = 0;
  };
  // A message on its way into the database: what it needed to see was seen, the commit is to come.
  struct Commit {
    size_t rank = 0;
    int64_t fence = 0, seq = 0;
  };
  struct Adrift {
    Commit commit;
    int64_t no = 0;
    size_t session = 0;
  };
  struct Seen {
    int64_t beats = 0, since = 0;
  };
  struct Server {
    bool up = false, paused = false;
    int64_t no = 0, last_beat = 0;
    std::optional<size_t> session;  ///< as far as it knows
    std::map<int64_t, Seen> seen;
    std::optional<Commit> commit;
    bool adopts = false;  ///< it has seen that there is no owner
  };
  struct Worker {
    std::optional<size_t> server;
    int64_t fence = 0, next = 1, acknowledged = 0;
  };

  bool Runs(size_t server) const { return servers_[server].up && !servers_[server].paused; }
  bool Writes(size_t server) const {
    return Runs(server) && servers_[server].session && sessions_[*servers_[server].session];
  }

  size_t Connect() {
    sessions_.push_back(true);
    return sessions_.size() - 1;
  }

  void Start(size_t server) {
    servers_[server] = {};
    servers_[server].up = true;
    servers_[server].no = ++numbers_;
    servers_[server].last_beat = now_;
    servers_[server].session = Connect();
    // Whoever was reached at this address is dead.
    std::vector<int64_t> before;
    for (const auto& [no, row] : rows_) {
      if (row.address == server) before.push_back(no);
    }
    rows_[numbers_] = {0, *servers_[server].session, server};
    for (const int64_t no : before) TakeOver(server, no);
  }

  void End(size_t server) {
    servers_[server].up = false;
    for (Worker& worker : workers_) {
      if (worker.server == server) worker.server.reset();
    }
  }

  void TakeOver(size_t server, int64_t dead) {
    if (rules_.session_ends_first) sessions_[rows_[dead].session] = false;
    rows_.erase(dead);
    if (owner_ == dead) owner_ = servers_[server].no;
  }

  void Beat(size_t index) {
    Server& server = servers_[index];
    const auto own = rows_.find(server.no);
    if (own == rows_.end()) {
      if (rules_.leave_when_lost) End(index);
      return;
    }
    ++own->second.beats;
    if (now_ - server.last_beat > kTakeover / 2) server.seen.clear();
    server.last_beat = now_;
    std::vector<int64_t> silent;
    for (const auto& [no, row] : rows_) {
      if (no == server.no) continue;
      const auto before = server.seen.find(no);
      if (before == server.seen.end() || before->second.beats != row.beats) {
        server.seen[no] = {row.beats, now_};
      } else if (now_ - before->second.since >= kTakeover) {
        silent.push_back(no);
      }
    }
    for (const int64_t no : silent) TakeOver(index, no);
    server.adopts = rows_.count(owner_) == 0;
  }

  void Adopt(size_t index) {
    Server& server = servers_[index];
    if (!std::exchange(server.adopts, false) || rows_.count(server.no) == 0) return;
    if (rows_.count(owner_) == 0 || !rules_.adopt_looks_again) owner_ = server.no;
  }

  // As it should: others take its experiment at once. Its session may be one that it has lost, and that still commits.
  void Leave(size_t index) {
    Server& server = servers_[index];
    if (const auto own = rows_.find(server.no); own != rows_.end()) {
      if (rules_.leave_with_lock) sessions_[own->second.session] = false;
      rows_.erase(own);
    }
    if (server.commit) adrift_.push_back({*server.commit, server.no, *server.session});
    server.commit.reset();
    End(index);
  }

  // What a server that is gone had sent to the database.
  void FinishAdrift() {
    if (adrift_.empty()) return;
    const Adrift late = adrift_.back();
    adrift_.pop_back();
    if (sessions_[late.session]) Write(late.commit, late.no);
  }

  void Write(const Commit& commit, int64_t no) {
    Rank& rank = ranks_[commit.rank];
    if (owner_ != no || rows_.count(no) == 0) wrong_ = "a server that is not the owner has written";
    if (rank.fence != commit.fence) wrong_ = "a stream that was superseded has written";
    if (commit.seq != rank.committed + 1) wrong_ = "a message was written twice, or before another";
    rank.committed = commit.seq;
  }

  // The connection is lost; the database may believe in it for long.
  void Lose(size_t index) {
    Server& server = servers_[index];
    if (!server.session) return;
    if (random_() % 2 == 0) sessions_[*server.session] = false;
    server.session.reset();
    server.commit.reset();
  }

  void Reconnect(size_t index) {
    Server& server = servers_[index];
    if (server.session && sessions_[*server.session]) return;
    const auto own = rows_.find(server.no);
    if (own == rows_.end()) {
      if (rules_.leave_when_lost) return End(index);
      server.session = Connect();
      return;
    }
    sessions_[own->second.session] = false;
    server.session = own->second.session = Connect();
  }

  void Join(size_t rank, size_t index) {
    if (!Writes(index)) return;
    const int64_t no = servers_[index].no;
    if (owner_ != no) {
      if (rules_.living_keep_theirs && rows_.count(owner_) > 0) return;
      owner_ = no;
    }
    if (Locked(rank)) return;
    Rank& row = ranks_[rank];
    workers_[rank] = {index, ++row.fence, row.committed + 1, workers_[rank].acknowledged};
  }

  // Somebody's transaction has the rank's row.
  bool Locked(size_t rank) const {
    for (const Adrift& late : adrift_) {
      if (late.commit.rank == rank && sessions_[late.session]) return true;
    }
    for (const Server& server : servers_) {
      if (server.commit && server.commit->rank == rank && server.session && sessions_[*server.session]) return true;
    }
    return false;
  }

  // `fence`: the stream's own, or an older one's, which goes on and does not know.
  void BeginCommit(size_t rank, int64_t fence) {
    const Worker& worker = workers_[rank];
    if (!worker.server || !Writes(*worker.server) || worker.next > kMessages) return;
    Server& server = servers_[*worker.server];
    if (server.commit || Locked(rank)) return;
    if (rules_.fence_in_commit && ranks_[rank].fence != fence) return;
    server.commit = Commit{rank, fence, worker.next};
  }

  void FinishCommit(size_t index) {
    Server& server = servers_[index];
    if (!server.commit || !Runs(index)) return;
    const Commit commit = *std::exchange(server.commit, std::nullopt);
    Worker& worker = workers_[commit.rank];
    const bool heard = worker.server == index && worker.fence == commit.fence;
    if (!server.session || !sessions_[*server.session]) {
      if (heard) worker.server.reset();
      return;
    }
    Write(commit, server.no);
    if (!heard) return;
    if (random_() % 8 == 0) {  // the answer is lost, with the stream
      worker.server.reset();
      return;
    }
    worker.acknowledged = commit.seq;
    ++worker.next;
  }

  void Step() {
    ++now_;
    const size_t server = random_() % servers_.size(), rank = random_() % workers_.size();
    switch (random_() % 18) {
      case 0:
        servers_[server].paused = true;
        break;
      case 1:
      case 2:
        servers_[server].paused = false;
        break;
      case 3:
        if (Runs(server)) Lose(server);
        break;
      case 4:
        if (random_() % 4 == 0 && servers_[server].up) {
          if (random_() % 2 == 0 && servers_[server].session) sessions_[*servers_[server].session] = false;
          servers_[server].commit.reset();
          End(server);
        }
        break;
      case 5:
        if (!servers_[server].up) Start(server);
        break;
      case 6:
        Join(rank, server);
        break;
      case 7:
        BeginCommit(rank, workers_[rank].fence - 1);
        break;
      case 8:
        if (Runs(server)) Reconnect(server);
        break;
      case 9:
      case 10:
        BeginCommit(rank, workers_[rank].fence);
        break;
      case 11:
      case 12:
        FinishCommit(server);
        break;
      case 13:
        if (Runs(server)) Adopt(server);
        break;
      case 14:
        if (random_() % 4 == 0 && Runs(server)) Leave(server);
        FinishAdrift();
        break;
      default:
        if (Runs(server)) Beat(server);
    }
    for (size_t i = 0; i < ranks_.size(); ++i) {
      if (workers_[i].acknowledged > ranks_[i].committed) wrong_ = "what was acknowledged is gone";
    }
  }

  void Heal() {
    for (size_t server = 0; server < servers_.size(); ++server) {
      servers_[server].paused = false;
      if (!servers_[server].up) Start(server);
    }
  }

  void Round() {
    ++now_;
    for (size_t server = 0; server < servers_.size(); ++server) {
      if (!servers_[server].up) Start(server);
      Reconnect(server);
      if (Runs(server)) Beat(server);
      if (Runs(server)) Adopt(server);
    }
    FinishAdrift();
    for (size_t rank = 0; rank < workers_.size(); ++rank) {
      if (!workers_[rank].server || workers_[rank].next != ranks_[rank].committed + 1) {
        Join(rank, random_() % servers_.size());
      }
      BeginCommit(rank, workers_[rank].fence);
      for (size_t server = 0; server < servers_.size(); ++server) FinishCommit(server);
    }
  }

  bool Finished() const {
    for (const Rank& rank : ranks_) {
      if (rank.committed < kMessages) return false;
    }
    return true;
  }

  std::mt19937_64 random_;
  const ReplicaRules rules_;
  int64_t now_ = 0, numbers_ = 0, owner_ = 0;
  std::vector<bool> sessions_;  // whether the database has them
  std::map<int64_t, Row> rows_;
  std::vector<Rank> ranks_;
  std::vector<Server> servers_;
  std::vector<Worker> workers_;
  std::vector<Adrift> adrift_;
  std::string wrong_;
};

}  // namespace gradeline

#endif  // GRADELINE_TESTS_PROPERTY_REPLICAS_MODEL_H_

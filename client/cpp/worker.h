// One rank's training stream, for trainers: batches in, losses and gradients out, across lost connections. Opens
// nothing before Join. The protocol is docs/protocol.md; its bookkeeping is record_window.h.
#ifndef GRADELINE_CLIENT_CPP_WORKER_H_
#define GRADELINE_CLIENT_CPP_WORKER_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/connection.h"
#include "client/cpp/record_window.h"
#include "client/cpp/route.h"

namespace gradeline::client {

struct WorkerOptions {
  /// "experiments/{e}" or "{e}".
  std::string experiment;
  std::string attempt_token;
  int32_t rank = 0, world_size = 1;
  /// At most; a third of the server's lease if that is shorter.
  absl::Duration heartbeat_period = absl::Seconds(3);
  /// How long the server may be out of reach at a time, when joining too. The worker joins again as the same instance,
  /// at random times up to min(max_backoff, first_backoff * 2^n) apart; after the limit everything fails with
  /// UNAVAILABLE.
  absl::Duration reconnect_limit = absl::Seconds(60);
  absl::Duration first_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(5);
  /// Told when other ranks are suspected or gone. On the worker's reading thread; must not block.
  std::function<void(const v1::Ranks&)> on_ranks;
};

/// Thread-safe, except that batches of one phase are numbered in the order Submit was called. Answers run on the
/// worker's reading thread without any lock held: they may call Submit only if a credit is surely free, and must not
/// block.
class Worker {
 public:
  /// Joins the attempt, at the server that owns the experiment, and waits for the Welcome, up to the reconnect limit.
  /// Each call is another instance. NOT_FOUND, PERMISSION_DENIED (token), ALREADY_EXISTS (the rank is taken),
  /// FAILED_PRECONDITION (the attempt is over), INVALID_ARGUMENT, UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<Worker>> Join(std::shared_ptr<Connection> connection, WorkerOptions options);

  /// Without Bye the stream is just dropped: the rank stays held, and open answers fail with CANCELLED.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Of the first connection, or the newest after a reconnection.
  v1::Welcome welcome() const;

  /// Sends a batch; its seq is set here. Blocks while no credit is free or too much is uncommitted. Not OK: the batch
  /// was not taken and `answer` is not called (the worker is over, the batch is larger than the server takes, or its
  /// key came before). Otherwise `answer` is called once. A batch whose connection was lost after the commit and before
  /// its answer is computed once more by EvaluateLoss; its Result has a record with seq and key only.
  absl::Status Submit(v1::Batch batch, Answer answer);
  /// The same as a future, which holds the error if the batch was not taken.
  std::future<absl::StatusOr<v1::Result>> Submit(v1::Batch batch);

  /// Declares that all batches of a phase were submitted and waits until every rank's have come and the phase is
  /// sealed.
  absl::StatusOr<v1::Epoch> EndPhase(v1::Phase phase, int64_t epoch);

  /// Waits until everything submitted so far is durable: the moment to save a checkpoint.
  absl::Status Flush();

  /// While paused the server expects no progress.
  void SetPaused(bool paused);

  /// Says goodbye and waits until that is durable. An empty reason: finished; otherwise the experiment becomes FAILED.
  absl::Status Bye(const std::string& reason = "");

  /// Whether a directive of this attempt's epochs has said that no further is to be run: look at it when a phase is
  /// sealed. Directives of the epoch before first_epoch, which an attempt may validate, decide nothing on any rank.
  bool should_stop() const;
  /// Of the next epoch, as the newest directive of this attempt's epochs says; before the first, of first_epoch.
  double learning_rate() const;
  /// The same, where the experiment's schedule cycles it.
  std::optional<double> momentum() const;

  int64_t committed_seq() const;
  /// How often a lost connection was replaced.
  int reconnections() const;

 private:
  struct Call;
  Worker(std::shared_ptr<Connection> connection, WorkerOptions options);

  /// Opens a stream, says Hello, reads the Welcome.
  absl::Status Open(std::vector<RecordWindow::Lost>* lost);
  absl::Status Adopt(const v1::Welcome& welcome, std::vector<RecordWindow::Lost>* lost);
  void ReadThread(std::vector<RecordWindow::Lost> lost);
  void WriteThread();
  /// Reads until the stream ends; gives why.
  absl::Status Serve(const std::vector<RecordWindow::Lost>& lost);
  absl::Status AnswerLost(const RecordWindow::Lost& lost);
  void Handle(v1::TrainResponse response);
  /// Keeps what a seal's directive decides; needs the lock.
  void Heed(const v1::Epoch& seal);
  /// Joins again until it works or must not be tried any more.
  bool Rejoin(absl::Status why, std::vector<RecordWindow::Lost>* lost);
  void End(absl::Status why);
  absl::Duration HeartbeatPeriod() const;
  bool EndsAsSaid(const std::string& state) const;
  bool Final(const absl::Status& status) const;
  /// The message to write now, or null; needs the lock.
  std::shared_ptr<const v1::TrainRequest> NextMessage();

  Route route_;  // the reading thread's; Join's before
  const WorkerOptions options_;
  const std::string instance_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  RecordWindow window_;
  v1::Welcome welcome_;
  std::shared_ptr<Call> call_;
  bool live_ = false;     // the call may be written to
  bool writing_ = false;  // a Write is under way
  bool over_ = false;
  bool paused_ = false, flush_wanted_ = false, bye_fails_ = false;
  absl::Status end_;  // why it is over
  int64_t bye_seq_ = 0;
  int reconnections_ = 0;
  absl::Time heartbeat_due_;
  std::map<std::pair<int, int64_t>, absl::StatusOr<v1::Epoch>> awaited_seals_;
  std::set<std::pair<int, int64_t>> ended_;  // phases that EndPhase was called for
  bool should_stop_ = false;
  std::optional<v1::Epoch> newest_rate_;  // the seal of the newest epoch whose directive has a learning rate
  std::thread reader_, writer_;
};

}  // namespace gradeline::client

#endif  // GRADELINE_CLIENT_CPP_WORKER_H_

// The reads of a store in SQL, over a pool of connections. Writing and what goes wrong with it are the subclasses'.
#ifndef GRADELINE_SERVER_STORE_SQL_SQL_STORE_H_
#define GRADELINE_SERVER_STORE_SQL_SQL_STORE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/mutex.h"
#include "server/core/base/status.h"
#include "server/core/experiment/store.h"
#include "server/store/sql/connection.h"

namespace gradeline {

class SqlStore : public Store {
 public:
  absl::StatusOr<Dataset> GetDataset(const std::string& id) override;
  absl::StatusOr<std::vector<Dataset>> ListDatasets(int limit, const std::string& after,
                                                    const DatasetFilter& filter) override;
  absl::Status ScanItems(const std::string& dataset, const std::function<void(const Item&)>& row) override;
  absl::StatusOr<Split> GetSplit(const std::string& id) override;
  absl::StatusOr<std::vector<std::string>> ListDeletedDatasets(const std::string& split) override;
  absl::StatusOr<std::vector<Split>> ListSplits(int limit, const std::string& after, bool deleted) override;
  absl::StatusOr<std::vector<PlacedItem>> ListItems(const std::string& id, Phase part, int32_t rank, int32_t world_size,
                                                    int limit, int64_t after) override;
  absl::StatusOr<std::pair<int64_t, Experiment>> GetExperiment(const std::string& id) override;
  absl::StatusOr<Experiment> GetExperiment(int64_t no) override;
  absl::StatusOr<std::vector<Experiment>> ListExperiments(const ListQuery& query, int limit,
                                                          const std::string& after) override;
  absl::StatusOr<AttemptRow> GetAttempt(int64_t no, int32_t attempt) override;
  absl::StatusOr<std::vector<RankRow>> ListRanks(int64_t no, int32_t attempt) override;
  absl::StatusOr<std::vector<ExpectedRank>> ListExpectedRanks() override;
  absl::StatusOr<std::vector<Seal>> ListSeals(int64_t no, int limit, int64_t after_revision) override;
  absl::StatusOr<std::vector<StoredEvent>> ListEvents(int64_t no, int limit, int64_t after_revision) override;
  absl::StatusOr<std::vector<Incident>> ListIncidents(int64_t no) override;
  absl::StatusOr<std::vector<PhaseOfEpoch>> ListOpenPhases(int64_t no, int32_t attempt) override;
  absl::StatusOr<std::vector<PhaseEndRow>> ListPhaseEnds(int64_t no, int32_t attempt, PhaseOfEpoch phase) override;
  absl::Status ScanRecords(int64_t no, int32_t attempt, PhaseOfEpoch phase,
                           const std::function<void(const RecordRow&)>& row) override;

 protected:
  /// Readers beyond `most_readers` wait for one another.
  explicit SqlStore(int most_readers) : most_readers_(most_readers) {}
  virtual absl::StatusOr<std::unique_ptr<Connection>> OpenReader() = 0;
  void CloseReaders();
  /// OK if a query is answered.
  absl::Status CheckReads();
  /// Runs `read` on a connection that no other thread uses; again on another if that one turns out to be lost.
  template <typename F>
  auto Read(F read) -> decltype(read(std::declval<Connection&>()));
  /// What a snapshot holds while it is there; FAILED_PRECONDITION while there is another.
  absl::StatusOr<std::shared_ptr<void>> HoldSnapshot();

 private:
  /// nullptr: open another. One that a read failed on is not used again.
  std::unique_ptr<Connection> TakeReader();
  void GiveBack(std::unique_ptr<Connection> reader);

  const int most_readers_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
  std::weak_ptr<void> snapshot_ ABSL_GUARDED_BY(mutex_);  // held by the one there is
};

template <typename F>
auto SqlStore::Read(F read) -> decltype(read(std::declval<Connection&>())) {
  std::unique_ptr<Connection> reader = TakeReader();
  const absl::Cleanup give_back = [&] { GiveBack(std::move(reader)); };
  if (reader != nullptr) {
    auto result = read(*reader);
    if (!reader->lost()) return result;
    // The connection was lost while nobody used it, or just now: reads may be repeated.
    reader.reset();
  }
  GRADELINE_ASSIGN_OR_RETURN(reader, OpenReader());
  return read(*reader);
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_STORE_SQL_SQL_STORE_H_

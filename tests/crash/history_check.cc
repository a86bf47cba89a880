// What must be there, at any moment and at the end.
#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/store/sql/reads.h"
#include "server/store/sqlite/connection.h"
#include "tests/crash/history.h"

namespace gradeline {
namespace {

constexpr char kBrokenPromise[] = "a promise is broken: ";

absl::Status BrokenPromise(const std::string& what) { return absl::DataLossError(absl::StrCat(kBrokenPromise, what)); }

}  // namespace

absl::StatusOr<std::vector<std::string>> History::SealsOf(Server& server) {
  const auto found = server.experiments->ListEpochs("e", 1000, "");
  if (absl::IsNotFound(found.status())) return std::vector<std::string>();
  GRADELINE_RETURN_IF_ERROR(found.status());
  std::vector<std::string> seals;
  for (const Seal& seal : found->items) seals.push_back(Encode(seal));
  return seals;
}

absl::Status History::CheckRecords(Server& server, int32_t rank, int64_t committed) const {
  GRADELINE_ASSIGN_OR_RETURN(const auto connection, SqliteConnection::Open(server.path, false));
  Query query = connection->Prepare(
      "SELECT seq, phase, epoch, step, head, part, digest, code, items, vals FROM records WHERE rank = ?1 ORDER BY "
      "seq");
  query.Bind(rank);
  // seq, key, digest, code, items, values.
  using Row = std::tuple<int64_t, RecordKey, std::string, int64_t, int64_t, std::string>;
  std::vector<Row> there, expected;
  GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
    const RecordKey key{static_cast<Phase>(query.Number(1)), query.Number(2), query.Number(3),
                        static_cast<int32_t>(query.Number(4)), static_cast<int32_t>(query.Number(5))};
    there.emplace_back(query.Number(0), key, query.Bytes(6), query.Number(7), query.Number(8), query.Bytes(9));
    return absl::OkStatus();
  }));
  for (int64_t i = 0; i < committed; ++i) {
    const Message& message = plans_[static_cast<size_t>(rank)][static_cast<size_t>(i)];
    if (message.kind != Message::kRecord) continue;
    const Record& record = message.record;
    expected.emplace_back(record.seq, record.key, std::string(record.digest.begin(), record.digest.end()), record.code,
                          record.items, PackValues(record.values));
  }
  if (there == expected) return absl::OkStatus();
  return BrokenPromise(absl::StrCat("rank ", rank, ", committed ", committed, ": ", there.size(),
                                    " records are there, ", expected.size(), " were sent, and they are not the same"));
}

absl::Status History::CheckMade(Server& server, const Promises& promises) {
  for (const std::string& made : promises.made) {
    bool there = true;
    if (made == "dataset") there = server.store->GetDataset("d").ok();
    if (made == "large") there = server.store->GetDataset("large").ok();
    if (made == "split") there = server.store->GetSplit("s").ok();
    if (made == "experiment") there = server.store->GetExperiment("e").ok();
    if (made.starts_with("attempt ")) {
      const auto attempt = server.store->GetAttempt(1, 1);
      there = attempt.ok() && absl::StrCat("attempt ", attempt->token) == made;
    }
    if (!there) return BrokenPromise(absl::StrCat(made.substr(0, made.find(' ')), " was made and is not there"));
  }
  return absl::OkStatus();
}

absl::Status History::CheckConflicts(Server& server, const std::vector<RankRow>& ranks) const {
  size_t expected = 0, there = 0;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto begin = plans_[rank].begin();
    expected += static_cast<size_t>(std::count_if(begin, begin + ranks[rank].committed_seq, [](const Message& message) {
      return message.kind == Message::kConflict;
    }));
  }
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<Incident> incidents, server.store->ListIncidents(1));
  for (const Incident& incident : incidents) there += incident.kind == "conflict" ? 1 : 0;
  if (there == expected) return absl::OkStatus();
  return BrokenPromise(absl::StrCat(expected, " conflicts are committed, there are incidents of ", there));
}

absl::Status History::Check(Server& server, const Promises& promises) const {
  GRADELINE_ASSIGN_OR_RETURN(const auto connection, SqliteConnection::Open(server.path, false));
  Query check = connection->Prepare("PRAGMA integrity_check(1)");
  GRADELINE_RETURN_IF_ERROR(check.Step().status());
  if (check.View(0) != "ok") return absl::DataLossError(absl::StrCat("the file is broken: ", check.Bytes(0)));
  GRADELINE_RETURN_IF_ERROR(CheckMade(server, promises));

  std::vector<RankRow> ranks(kRanks);
  if (server.store->GetAttempt(1, 1).ok()) {
    GRADELINE_ASSIGN_OR_RETURN(ranks, server.store->ListRanks(1, 1));
  }
  for (int32_t rank = 0; rank < kRanks; ++rank) {
    const int64_t committed = ranks[static_cast<size_t>(rank)].committed_seq;
    const auto promised = promises.committed.find(rank);
    if (promised != promises.committed.end() && committed < promised->second) {
      return BrokenPromise(
          absl::StrCat("rank ", rank, " was told that ", promised->second, " is committed, but ", committed, " is"));
    }
    GRADELINE_RETURN_IF_ERROR(CheckRecords(server, rank, committed));
  }
  GRADELINE_RETURN_IF_ERROR(CheckConflicts(server, ranks));
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<std::string> seals, SealsOf(server));
  if (seals.size() > seals_.size() || !std::equal(seals.begin(), seals.end(), seals_.begin())) {
    return BrokenPromise("a seal differs from that of an uninterrupted run");
  }
  for (const std::string& seal : promises.seals) {
    if (std::find(seals.begin(), seals.end(), seal) == seals.end())
      return BrokenPromise("a seal that was told is not there");
  }
  return absl::OkStatus();
}

bool History::IsBrokenPromise(const absl::Status& status) { return absl::StartsWith(status.message(), kBrokenPromise); }

absl::Status History::CheckEnd(Server& server) const {
  GRADELINE_ASSIGN_OR_RETURN(const std::vector<std::string> seals, SealsOf(server));
  return seals == seals_ ? absl::OkStatus() : BrokenPromise("the seals differ from those of an uninterrupted run");
}

}  // namespace gradeline

#include "tests/crash/history.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"

namespace gradeline {

absl::StatusOr<std::unique_ptr<Server>> Server::Open(const std::string& path) {
  auto server = std::make_unique<Server>();
  server->path = path;
  SqliteOptions options;
  options.path = path;
  GRADELINE_ASSIGN_OR_RETURN(server->store, OpenSqliteStore(options));
  Experiments::Options words;
  words.numerics = "test";
  server->experiments = std::make_unique<Experiments>(server->store, TestRegistry(), &server->clock, words);
  return server;
}

History::History(uint64_t seed, bool large) : seed_(seed), large_(large) {
  std::mt19937_64 random(seed);
  for (int32_t rank = 0; rank < kRanks; ++rank) plans_.push_back(ScriptOf(random, rank));
  const TestFolder folder;
  EXPECT_TRUE(Run(folder.File("g.db"), [](const Promise&) {}).ok());
  auto server = Server::Open(folder.File("g.db"));
  auto seals = SealsOf(**server);
  EXPECT_TRUE(seals.ok()) << seals.status();
  seals_ = *std::move(seals);
  EXPECT_EQ(seals_.size(), 2 * kEpochs);
}

// Asked for again after every start, under the same request ids: what was made answers as before.
absl::Status History::Prepare(Server& server, const Witness& witness) {
  Dataset dataset;
  dataset.id = "d";
  dataset.classes = {"a", "b", "c"};
  std::vector<Item> items;
  for (int i = 0; i < 30; ++i) items.push_back({0, absl::StrCat("file#", i), i % 3});
  GRADELINE_RETURN_IF_ERROR(server.experiments->ImportDataset(dataset, items, "import").status());
  witness({Promise::kMade, 0, 0, "dataset"});
  Split split;
  split.id = "s";
  split.datasets = {"d"};
  split.task = "classification";
  split.percent = {70, 10, 20};
  GRADELINE_RETURN_IF_ERROR(server.experiments->CreateSplit(split, "split", false).status());
  witness({Promise::kMade, 0, 0, "split"});
  Experiment experiment = TestExperiment(kRanks, kEpochs);
  // So that seals carry a directive that depends on those before.
  experiment.training.early_stopping = EarlyStopping{"validation.loss", MonitorMode::kMin, 5, 0};
  GRADELINE_RETURN_IF_ERROR(server.experiments->CreateExperiment(experiment, "create", false).status());
  witness({Promise::kMade, 0, 0, "experiment"});
  return absl::OkStatus();
}

absl::Status History::ImportLarge(Server& server, const Witness& witness) {
  Dataset dataset;
  dataset.id = "large";
  dataset.classes = {"a"};
  const std::vector<Item> items(1000, {0, std::string(4000, 'x'), 0});
  GRADELINE_RETURN_IF_ERROR(server.experiments->ImportDataset(dataset, items, "large").status());
  witness({Promise::kMade, 0, 0, "large"});
  return absl::OkStatus();
}

absl::Status History::Tell(Server& server, int64_t epoch, const Witness& witness) const {
  GRADELINE_RETURN_IF_ERROR(Prepare(server, witness));
  GRADELINE_ASSIGN_OR_RETURN(const Experiments::Started started, server.experiments->Start("e", "start", ""));
  witness({Promise::kMade, 0, 0, absl::StrCat("attempt ", started.token)});
  std::vector<std::shared_ptr<ScriptedRank>> ranks;
  for (int32_t rank = 0; rank < kRanks; ++rank) {
    ranks.push_back(std::make_shared<ScriptedRank>(rank, plans_[static_cast<size_t>(rank)], witness));
    GRADELINE_RETURN_IF_ERROR(ranks.back()->Join(*server.experiments, started.token, ranks.back()));
  }
  if (large_) GRADELINE_RETURN_IF_ERROR(ImportLarge(server, witness));
  std::mt19937_64 random(seed_);
  absl::Status status;
  for (bool sent = true; status.ok() && sent;) {
    absl::Notification held, released;
    const auto first = std::find_if(ranks.begin(), ranks.end(), [](const auto& rank) { return rank->joined(); });
    if (first != ranks.end()) (*first)->Hold(&held, &released);
    sent = false;
    for (const auto& rank : ranks) sent |= rank->Send(epoch, 1 + random() % 6);
    released.Notify();
    // Answers after all that was sent.
    status = server.experiments->DeleteDataset("nothing").status();
    if (absl::IsNotFound(status)) status = absl::OkStatus();
    for (const auto& rank : ranks) status.Update(rank->failure());
  }
  for (const auto& rank : ranks) {
    if (status.ok() && !rank->Through(epoch)) status = absl::InternalError("a rank has more to say, but must wait");
    rank->Leave();
  }
  return status;
}

absl::Status History::Run(const std::string& path, const Witness& witness) const {
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    GRADELINE_ASSIGN_OR_RETURN(const auto server, Server::Open(path));
    GRADELINE_RETURN_IF_ERROR(Tell(*server, epoch, witness));
  }
  return absl::OkStatus();
}

}  // namespace gradeline

// The nouns of experiments as plain values. No behaviour.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_TYPES_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_TYPES_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/core/engine/engine.h"
#include "server/core/loss/params.h"
#include "server/core/metric/result.h"

namespace gradeline {

/// The numbers of all enums here are those of the wire and of the database.
enum class Phase : uint8_t { kTrain = 1, kValidation = 2, kTest = 3 };
enum class SplitStrategy : uint8_t { kRandom = 1, kStratified = 2, kGroup = 3, kDataset = 4 };
enum class RankMean : uint8_t { kPerRank = 1, kGlobal = 2 };
enum class PhaseRanks : uint8_t { kAll = 1, kFirst = 2 };
enum class ExperimentState : uint8_t {
  kDraft = 1,
  kQueued = 2,
  kRunning = 3,
  kSucceeded = 4,
  kEarlyStopped = 5,
  kCancelled = 6,
  kFailed = 7,
  kLost = 8
};

struct ClassCount {
  int64_t items = 0, annotations = 0;
  bool operator==(const ClassCount&) const = default;
};

struct SubsetCount {
  std::string subset;
  int64_t items = 0;
  bool operator==(const SubsetCount&) const = default;
};

struct Dataset {
  std::string id, source;
  std::vector<std::string> classes;
  int64_t item_count = 0;
  int64_t create_ms = 0;
  bool multi_label = false;
  std::string fingerprint;  ///< see DescribeItems; empty, as the counts, of datasets from before there were any
  std::vector<ClassCount> class_counts;  ///< of each class
  std::vector<SubsetCount> subset_counts;
  int64_t delete_ms = 0;  ///< 0: it is not deleted
};

/// The label of a listed item that has labels instead.
inline constexpr int32_t kNoLabel = -1;

struct Item {
  int64_t index = 0;
  std::string uri = {};
  int32_t label = 0;                 ///< 0 in a multi-label dataset, kNoLabel in a list of a split's items
  std::vector<int32_t> labels = {};  ///< of a multi-label dataset: sorted, a class once for each annotation
  std::string group = {};
  std::vector<std::string> tags = {};  ///< sorted, each once
  std::string subset = {};
  std::string dataset = {};  ///< id; where items of several may stand together
};

/// Of SplitStrategy::kDataset: where `percent` of a dataset's items go.
struct DatasetShare {
  std::string dataset;
  Phase part = Phase::kTrain;
  double percent = 100;
};

/// Items of a class in train, validation and test.
struct ClassBalance {
  std::string name;
  std::array<int64_t, 3> count{};
};

struct SplitWarning {
  std::string reason, text;
};

struct Split {
  std::string id, task;
  std::vector<std::string> datasets;  ///< one or more; their items stand in this order
  SplitStrategy strategy = SplitStrategy::kRandom;
  std::array<double, 3> percent{};  ///< train, validation, test
  uint64_t seed = 0;
  std::vector<std::string> classes, tags, subsets;  ///< what an item needs one of to be taken; empty: nothing
  std::vector<DatasetShare> shares;

  std::array<int64_t, 3> count{};
  int64_t create_ms = 0, delete_ms = 0;  ///< delete_ms 0: it is there
  std::string fingerprint;
  std::vector<std::string> class_names;  ///< of its items' labels, where its datasets' classes differ; else empty
  std::vector<ClassBalance> class_balance;
  std::vector<SplitWarning> warnings;
};

/// An item of a split: the number of its dataset among the split's, its index there, and its part.
struct PartedItem {
  int32_t source = 0;
  int64_t index = 0;
  uint8_t part = 0;
};

/// An item of a split and its position in its part.
struct PlacedItem {
  int64_t position = 0;
  Item item;
};

struct HeadLoss {
  std::string head, loss;
  ParamMap params;
  std::optional<double> weight;
  std::optional<Reduction> reduction;
};

enum class NonFinite : uint8_t { kRefuse = 1, kSkip = 2 };
enum class MonitorMode : uint8_t { kMin = 1, kMax = 2 };

struct EarlyStopping {
  std::string monitor;  ///< see Measure
  std::optional<MonitorMode> mode;
  int32_t patience = 0;
  double min_delta = 0;
};

/// An augmentation with its parameters.
struct ChosenAugmentation {
  std::string augmentation;
  ParamMap params;
};

/// Where a request says nothing or 0, what the catalog has as default is taken.
struct Training {
  int32_t epochs = 10;
  int32_t batch_size = 32;
  double learning_rate = 0.01;
  uint64_t seed = 0;
  int32_t world_size = 1;
  RankMean rank_mean = RankMean::kGlobal;
  PhaseRanks validation_ranks = PhaseRanks::kAll, test_ranks = PhaseRanks::kAll;
  std::optional<EarlyStopping> early_stopping = {};
  NonFinite non_finite = NonFinite::kRefuse;
  std::string solver = {}, scheduler = {};  ///< ids of the catalog; empty: the workers' own, a constant learning rate
  ParamMap solver_params = {}, scheduler_params = {};
  std::vector<ChosenAugmentation> augmentations = {};
  int32_t workers = 0;     ///< processes that load data, per rank
  int32_t iterations = 0;  ///< steps of an epoch; 0: the whole part
};

/// One loss of a sum; or a head's loss itself, as far as plugins are compared.
struct ResolvedTerm {
  std::string loss, plugin_digest;
  uint32_t loss_version = 0;
  double weight = 1;
  bool operator==(const ResolvedTerm&) const = default;
};

/// A head as resolved at creation; stored with the experiment so that a changed catalog never changes it.
struct ResolvedHead {
  std::string head, signal, loss, plugin_digest;
  uint32_t loss_version = 0, merge = 0;
  int64_t classes = 0;  ///< size of the predictions' class axis; 0: not known, or there is none
  ParamMap params;
  double weight = 1;
  Reduction reduction = Reduction::kMean;
  std::vector<std::string> inputs, components;
  std::vector<double> component_weights;
  std::vector<Phase> phases;
  std::vector<ResolvedTerm> terms;                  ///< of a sum; then plugin_digest is empty and loss_version 0
  std::vector<uint32_t> component_merge;            ///< of a sum, whose terms may merge in different ways
  bool evaluation() const { return loss.empty(); }  ///< has metrics and no loss
  uint32_t MergeOf(size_t component) const {
    return component < component_merge.size() ? component_merge[component] : merge;
  }
};

struct Experiment {
  std::string id, split, architecture, task;
  ParamMap architecture_params;
  std::vector<HeadLoss> losses;                 ///< as asked for
  std::vector<std::string> metrics;             ///< once resolved, as ChosenMetric names them
  Training training;                            ///< as asked for; once resolved, what that comes to
  std::optional<Training> asked_training = {};  ///< once resolved: as asked for, where it is known
  ExperimentState state = ExperimentState::kDraft;
  std::string reason;
  int64_t state_ms = 0, create_ms = 0;
  int32_t attempt = 0;
  int64_t revision = 0;
  int64_t etag = 0;
  std::vector<ResolvedHead> heads;
  std::string catalog_digest, numerics;
  std::map<std::string, std::string> labels;
  std::string notes;
  int64_t delete_ms = 0;              ///< since when it is deleted; 0: it is not
  int64_t metric_bytes = 64LL << 20;  ///< memory that each way to count of its metrics may take, for a head in a phase
};

using Digest = std::array<uint8_t, 16>;

/// Names a record within (experiment, attempt, rank).
struct RecordKey {
  Phase phase = Phase::kTrain;
  int64_t epoch = 0, step = 0;
  int32_t head = 0;  ///< index into Experiment::heads
  int32_t part = 0;
  auto operator<=>(const RecordKey&) const = default;
};

struct Ratio {
  double numerator = 0, denominator = 0;
  bool operator==(const Ratio&) const = default;
};

/// Why a batch was refused, as far as it is kept.
struct Refusal {
  std::string reason;     ///< of ErrorReason
  std::string component;  ///< or input
  std::optional<int64_t> item;
  bool empty() const { return reason.empty() && component.empty() && !item; }
  bool operator==(const Refusal&) const = default;
};

/// What is kept of a batch.
struct Record {
  int64_t seq = 0;
  RecordKey key;
  Digest digest{};
  int32_t code = 0;  ///< absl::StatusCode; not 0: refused, adds nothing
  int64_t items = 0;
  std::vector<Ratio> values;  ///< one per component
  std::string metrics;        ///< what the head's metrics counted: see MetricSet::Count
  Refusal refusal;            ///< of a refused one
  bool operator==(const Record&) const = default;
};

struct ComponentTotal {
  int32_t head = 0, component = 0;
  double numerator = 0, denominator = 0, value = 0, weight = 1;
  bool batch_mean = false;
};

struct MetricValue {
  int32_t head = 0;
  std::string metric;  ///< as ChosenMetric names it
  MetricResult result;
};

struct RefusedBatch {
  int32_t rank = 0;
  int64_t step = 0;
  int32_t head = 0, part = 0, code = 0;
  Refusal refusal;
};

/// What ReduceLROnPlateau remembers from one epoch to the next.
struct PlateauState {
  double best = 0;  ///< infinite before the first value
  int32_t bad_epochs = 0, cooldown = 0;
};

/// What the ranks are to do next.
struct Directive {
  bool stop = false;
  std::optional<double> learning_rate = {};  ///< nullopt: the seal of another phase decides it
  std::optional<int64_t> best_epoch = {};
  double best_value = 0;
  int32_t stale_epochs = 0;
  std::optional<double> momentum = {};  ///< where the schedule cycles it
  std::optional<PlateauState> plateau = {};
};

/// One sealed phase of one epoch.
struct Seal {
  int32_t attempt = 0;
  Phase phase = Phase::kTrain;
  int64_t epoch = 0;
  bool complete = false;
  std::vector<int32_t> missing_ranks;
  double loss = 0, average = 0;
  std::vector<ComponentTotal> components;
  std::vector<MetricValue> metrics;
  int64_t batches = 0, items = 0;
  std::map<int32_t, int64_t> refused;  ///< code -> count
  int64_t revision = 0;
  int64_t seal_ms = 0;
  std::optional<Directive> directive;
  std::optional<RefusedBatch> first_refused;
};

/// How long a rank may be silent until it is suspect, and until it is gone; and how long it may report nothing while it
/// is expected to.
struct LeaseLimits {
  int64_t suspect_ms = 10'000, gone_ms = 60'000, progress_ms = 600'000;
};

/// A rank that others may be waiting for.
struct LateRank {
  int32_t rank = 0;
  int64_t silent_ms = 0;
  std::optional<RecordKey> last;  ///< its newest record that this process knows of
};

/// Provisional numbers of the phase that is open now.
struct Progress {
  int32_t attempt = 0;
  Phase phase = Phase::kTrain;
  int64_t epoch = 0, batches = 0, items = 0;
  double loss = 0, average = 0;
  int32_t ranks_joined = 0, world_size = 0;
  std::vector<LateRank> suspect;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_TYPES_H_

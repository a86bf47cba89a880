// Tasks, architectures and heads, and what trainings are made of: immutable data, read from configs/catalog by
// server/wire and resolved here.
#ifndef GRADELINE_SERVER_CORE_LOSS_CATALOG_H_
#define GRADELINE_SERVER_CORE_LOSS_CATALOG_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/loss/offer.h"
#include "server/core/loss/params.h"

namespace gradeline {

struct TaskInfo {
  std::string id, title, doc;
  std::vector<std::string> metrics;  ///< ids, the default first
};

/// A value that is fixed, or chosen by an architecture parameter.
struct ByParam {
  std::string value;                         ///< used when `by` is empty
  std::string by;                            ///< name of a CHOICE or BOOL parameter
  std::map<std::string, std::string> cases;  ///< its word -> value
};

/// Which losses a head takes.
struct LossPolicy {
  ByParam fallback;                          ///< the default loss
  std::vector<std::string> only, except;     ///< ids; `only` empty: every loss of the signal
  ParamMap params;                           ///< defaults of the catalog, applied where the loss has such a parameter
  ParamMap fixed;                            ///< values that users may not change
  std::map<std::string, double> weight_for;  ///< "type=giou" -> weight of the head
  std::string reason;                        ///< shown with `only` and `except`
};

/// A head as written in an architecture's file, before parameters have values.
struct HeadTemplate {
  std::string id, rows, when;
  ByParam signal;
  std::string repeat_name;             ///< empty: not repeated
  std::vector<double> repeat_weights;  ///< one per repetition; multiply every weight of the head
  std::string classes_of, background;
  std::string normaliser, normaliser_rule;
  double weight = 1;
  std::vector<std::string> phases{"train", "validation", "test"};
  LossPolicy losses;
};

/// An output without a loss, for metrics alone.
struct EvaluationInfo {
  std::string id, signal;
};

struct ArchitectureInfo {
  std::string id, title, doc;
  std::vector<std::string> tasks;
  std::vector<ParamSpec> params;
  std::vector<HeadTemplate> heads;  ///< `extends` already applied, as to what follows
  std::vector<EvaluationInfo> evaluations;
};

/// A head of an architecture whose parameters have values.
struct Head {
  std::string id;    ///< "box", or "box@2" for the second repetition
  std::string base;  ///< "box"
  std::string signal, rows, classes_of, background, normaliser, normaliser_rule;
  double weight = 1;
  std::vector<std::string> phases;
  std::string default_loss;  ///< may name a loss that is not loaded
  LossPolicy losses;
};

/// The words that a ByParam may be chosen by: the choices of a CHOICE, "false" and "true" of a BOOL, else none.
std::vector<std::string> WordsOf(const ParamSpec& spec);

/// Whether "type=giou", or one word of "type=giou|ciou", holds for resolved parameter values.
bool RuleHolds(std::string_view rule, const ParamMap& params);

/// Immutable once made; shared between threads.
class Catalog {
 public:
  /// Checks references (tasks, signals, parameters, cases that cover every choice); all violations at once, fields like
  /// "architectures.u-net.heads[0].signal", "solvers.sgd.parameters.momentum.default". `digest` is the SHA-256 over the
  /// files.
  static absl::StatusOr<Catalog> Make(std::vector<TaskInfo> tasks, std::vector<ArchitectureInfo> architectures,
                                      std::string digest, TrainingOffer offer = {});

  const std::vector<TaskInfo>& tasks() const { return tasks_; }
  const std::vector<ArchitectureInfo>& architectures() const { return architectures_; }
  const std::string& digest() const { return digest_; }
  const TrainingOffer& offer() const { return offer_; }

  /// NOT_FOUND with near names.
  absl::StatusOr<const TaskInfo*> FindTask(std::string_view id) const;
  /// NOT_FOUND with near names.
  absl::StatusOr<const ChoiceInfo*> FindSolver(std::string_view id) const;
  absl::StatusOr<const ChoiceInfo*> FindScheduler(std::string_view id) const;
  absl::StatusOr<const ChoiceInfo*> FindAugmentation(std::string_view id) const;
  /// NOT_FOUND with near names; FAILED_PRECONDITION if it is not one of `task` (the task's architectures named). An
  /// empty task fits all.
  absl::StatusOr<const ArchitectureInfo*> FindArchitecture(std::string_view task, std::string_view id) const;
  /// The heads of an architecture for parameter values (absent ones take defaults); all violations at once, fields
  /// named as the parameters.
  absl::StatusOr<std::vector<Head>> ResolveHeads(const ArchitectureInfo& architecture, const ParamMap& params) const;

 private:
  Catalog() = default;
  std::vector<TaskInfo> tasks_;
  std::vector<ArchitectureInfo> architectures_;
  std::string digest_;
  TrainingOffer offer_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_CATALOG_H_

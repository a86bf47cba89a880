// LossRegistry: the only way from a task, an architecture and a head to a loss that may be computed.
// There is deliberately no lookup by name alone that gives a handle for a head: an invalid pair cannot be expressed
// further in.
#ifndef GRADELINE_SERVER_CORE_LOSS_REGISTRY_H_
#define GRADELINE_SERVER_CORE_LOSS_REGISTRY_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/loss/catalog.h"
#include "server/core/loss/loss_info.h"
#include "server/core/loss/params.h"

namespace gradeline {

struct LossTerm;

/// A loss, or a weighted sum of losses, with checked parameters, ready to compute. Immutable, shared between threads;
/// keeps the registry's tables alive.
class LossHandle {
 public:
  const LossInfo& info() const { return *info_; }
  /// Every parameter that is not off.
  const ParamMap& params() const { return params_; }
  /// What the plugin's create returned; read-only. NULL of a sum.
  const void* state() const { return state_.get(); }
  /// Weight of component k within the loss (its weight_param, or 1), times its term's in a sum.
  const std::vector<double>& component_weights() const { return component_weights_; }
  /// What component k is called: in a sum that this is a term of, by the sum.
  const std::string& component_name(size_t k) const {
    return names_in_sum_.empty() ? info_->components[k].name : names_in_sum_[k];
  }
  /// Of a sum, in order; empty: this is one loss. The sum's components are those of its terms, one after another.
  const std::vector<LossTerm>& terms() const;

 private:
  friend class LossRegistry;
  std::shared_ptr<const LossInfo> info_;
  ParamMap params_;
  std::vector<double> component_weights_;
  std::vector<std::string> names_in_sum_;  // of a term
  std::shared_ptr<void> state_;
  std::shared_ptr<const std::vector<LossTerm>> terms_;
};

/// One loss of a sum.
struct LossTerm {
  LossHandle loss;                             ///< its component weights times `weight`
  double weight = 1;                           ///< at least 0
  std::vector<std::optional<size_t>> tensors;  ///< per tensor of the term, its index in the sum; nullopt: never comes
};

/// `status` about a term's own loss with its fields as the sum has them: "params.gamma" becomes "params.focal.gamma".
absl::Status InSum(const LossTerm& term, const absl::Status& status);

enum class LossVerdict { kDefault, kValid, kRefused };

/// A loss as seen from a head, an architecture or a task.
struct LossOffer {
  std::shared_ptr<const LossInfo> loss;
  LossVerdict verdict = LossVerdict::kRefused;
  std::string reason;              ///< refused: names the signal, the task or the catalog's rule that refuses it
  std::vector<std::string> heads;  ///< heads that offer it; heads that refuse it when the verdict is kRefused
};

struct LossList {
  std::vector<LossOffer> offers;  ///< by id
  std::string note;               ///< why nothing or little is valid: a default that is not loaded, a catalog's reason
};

/// Immutable once built; share as shared_ptr<const LossRegistry>. Thread-safe.
class LossRegistry {
 public:
  class Builder {
   public:
    /// Adds the losses of a checked plugin. ALREADY_EXISTS names both sources when an id comes twice (nothing is
    /// added).
    absl::Status Add(std::vector<LossInfo> losses);
    /// Lists a plugin that was refused.
    void AddRefused(PluginInfo plugin);
    /// What the heads of `catalog` say of losses that were added: defaults and `only` that no form of the head can
    /// take, parameters that none of these losses has, values that they refuse. INVALID_ARGUMENT with all violations,
    /// fields as of Catalog::Make ("architectures.u-net.heads[0].losses.params.ignore_index"). A catalog may be ahead
    /// of the losses: what it says of those that were not added is not looked at.
    absl::Status CheckCatalog(const Catalog& catalog) const;
    /// Losses that `catalog` names and that were not added, each once.
    std::vector<std::string> MissingLosses(const Catalog& catalog) const;
    std::shared_ptr<const LossRegistry> Build(std::shared_ptr<const Catalog> catalog) &&;

   private:
    std::vector<std::shared_ptr<const LossInfo>> losses_;
    std::vector<std::shared_ptr<const PluginInfo>> plugins_;
  };

  const Catalog& catalog() const { return *catalog_; }
  const std::vector<std::shared_ptr<const LossInfo>>& losses() const { return losses_; }      ///< by id
  const std::vector<std::shared_ptr<const PluginInfo>>& plugins() const { return plugins_; }  ///< loaded and refused

  /// A loss by its id, or a sum by its expression ("cross_entropy+dice"). NOT_FOUND with near names; INVALID_ARGUMENT,
  /// without a field, for what is no sum. For display; gives no handle.
  absl::StatusOr<std::shared_ptr<const LossInfo>> Find(std::string_view id) const;

  /// Every loss with its verdict. Empty `architecture`: the union over the task's architectures (heads as
  /// "u-net/segmentation"); empty `head`: the union over the heads (an offer valid for one head is valid, its heads
  /// listed). What depends on a parameter of the architecture is listed too, its reason saying when ("with
  /// mode=binary"). `head` may name all repetitions ("box") or one ("box@2"). NOT_FOUND for an unknown task,
  /// architecture or head (near names).
  absl::StatusOr<LossList> ListFor(std::string_view task, std::string_view architecture, std::string_view head) const;

  /// The loss for one head with user parameters laid over the catalog's, over the loss's. NOT_FOUND: no such loss (near
  /// names). FAILED_PRECONDITION: exists, not valid here (why, and the valid ones). INVALID_ARGUMENT: every bad
  /// parameter at once, fields "params.gamma". create's own refusal comes back as it is, its field below "params".
  /// The name of a family means the loss of it that computes the head's signal.
  /// `loss` may be a sum of 2 to 8 losses, "cross_entropy+dice", parameters "params.dice.smooth" and the factor of a
  /// term "params.dice.weight" (1 unless given, at least 0, not all 0); what the catalog says of parameters, it says of
  /// each term. Every term that is missing or refused is named. INVALID_ARGUMENT without a field: no such sum is made.
  absl::StatusOr<LossHandle> Resolve(std::string_view task, const Head& head, std::string_view loss,
                                     const ParamMap& params) const;

  /// The losses of a family, the one of that name first; of any other loss or a sum, `loss` alone.
  std::vector<std::string> Family(std::string_view loss) const;

  /// The loss of that very id on its own, outside any task (EvaluateLoss).
  absl::StatusOr<LossHandle> ResolveAlone(std::string_view loss, const ParamMap& params) const;

  /// The weight of `head` under `handle`: that of the catalog's first weight_for rule that holds for the resolved
  /// parameters (of a sum by their names there), or the head's weight.
  static double WeightOf(const Head& head, const LossHandle& handle);

 private:
  friend class Builder;
  /// The losses that an expression names, one or several; of a family the one for `signal`.
  absl::StatusOr<std::vector<std::shared_ptr<const LossInfo>>> FindTerms(std::string_view loss,
                                                                         std::string_view signal) const;
  /// Of the losses that are called `word`, the one that computes `signal`; else the one with that id; else NULL.
  std::shared_ptr<const LossInfo> FindCalled(std::string_view word, std::string_view signal) const;
  /// `terms` with parameters that ResolveParams returned for `info`, the loss or the sum of them.
  static absl::StatusOr<LossHandle> MakeHandle(std::shared_ptr<const LossInfo> info,
                                               const std::vector<std::shared_ptr<const LossInfo>>& terms,
                                               ParamMap params);
  static absl::StatusOr<LossHandle> MakeSum(std::shared_ptr<const LossInfo> info,
                                            const std::vector<std::shared_ptr<const LossInfo>>& terms, ParamMap params);
  /// Runs the plugin's create.
  static absl::StatusOr<LossHandle> MakeOne(std::shared_ptr<const LossInfo> info, ParamMap params);

  std::shared_ptr<const Catalog> catalog_;
  std::vector<std::shared_ptr<const LossInfo>> losses_;
  std::vector<std::shared_ptr<const PluginInfo>> plugins_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_REGISTRY_H_

// What a training is put together from besides architecture and losses: solvers, schedulers, augmentations, and the
// training's own numbers. Data of the catalog, checked here.
#ifndef GRADELINE_SERVER_CORE_LOSS_OFFER_H_
#define GRADELINE_SERVER_CORE_LOSS_OFFER_H_

#include <optional>
#include <string>
#include <vector>

#include "server/core/base/status.h"
#include "server/core/loss/loss_info.h"

namespace gradeline {

/// A solver, a scheduler or an augmentation.
struct ChoiceInfo {
  std::string id = {}, title = {}, doc = {}, link = {};
  std::vector<ParamSpec> params = {};
  std::optional<double> learning_rate = {};  ///< of a solver: the base rate where an experiment names none
  std::vector<std::string> tasks = {};       ///< of an augmentation: those it fits
  std::string labels = {};                   ///< of an augmentation: what becomes of the labels, for people
};

struct TrainingOffer {
  std::vector<ChoiceInfo> solvers, schedulers, augmentations;
  std::vector<ParamSpec> training;  ///< named as TrainingFields of known_training.h
};

/// The augmentations' parameter that fills new pixels of a label map. It is the ignore_index of the pixel losses, so
/// that what is filled in is not learned.
inline constexpr char kLabelPadding[] = "label_padding";

/// Sorts by id and adds what is wrong: ids, parameters, tasks that there are not, schedulers and numbers beyond those
/// of known_training.h. Fields "solvers.<id>.parameters.<name>", "training.parameters.<name>". An empty `training`
/// becomes TrainingFields.
void CheckOffer(TrainingOffer& offer, const std::vector<std::string>& tasks, Violations& violations);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_OFFER_H_

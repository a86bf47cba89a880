// Private to this room: which losses a head offers, and why not the others. registry.h is the way in.
#ifndef GRADELINE_SERVER_CORE_LOSS_OFFERS_H_
#define GRADELINE_SERVER_CORE_LOSS_OFFERS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/loss/catalog.h"
#include "server/core/loss/loss_info.h"
#include "server/core/loss/registry.h"

namespace gradeline {

using LossPointers = std::vector<std::shared_ptr<const LossInfo>>;

/// A head of an architecture in every form that its parameters give it: one for each word of the parameter that chooses
/// its signal or its default loss.
struct HeadForms {
  struct Form {
    std::string signal, default_loss;
    std::string condition;   ///< "mode=binary"; empty: there is only one form
    bool by_default = true;  ///< the form with the parameter at its default
  };
  std::string label;  ///< as listed: "box", "u-net/segmentation"
  std::string when;   ///< "semantic_branch=true": the head exists only then
  const LossPolicy* losses = nullptr;
  std::vector<Form> forms;
};

HeadForms FormsOf(const ArchitectureInfo& architecture, const HeadTemplate& head, std::string label);

/// Why `loss` is refused where the task is `task` and the signal one of `signals`; empty: it is valid.
std::string WhyRefused(const LossInfo& loss, std::string_view task, const std::vector<std::string>& signals,
                       const LossPolicy& policy);

/// Whether `loss`, or every term of it if it is a sum, is among `losses`.
bool IsLoaded(const LossPointers& losses, std::string_view loss);

/// The verdict on every loss over all `heads`, and the note.
LossList ListOffers(const LossPointers& losses, std::string_view task, const std::vector<HeadForms>& heads);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_OFFERS_H_

// Catalog: core values to gradeline.v1.
#ifndef GRADELINE_SERVER_WIRE_CATALOG_H_
#define GRADELINE_SERVER_WIRE_CATALOG_H_

#include "gradeline/v1/admin.pb.h"
#include "gradeline/v1/catalog.pb.h"
#include "server/core/loss/catalog.h"
#include "server/core/loss/loss_info.h"
#include "server/core/loss/registry.h"

namespace gradeline {

v1::Task ToProto(const TaskInfo& task);
v1::Parameter ToProto(const ParamSpec& spec);
v1::Head ToProto(const Head& head);
/// `heads`: those of the architecture with every parameter at its default.
v1::Architecture ToProto(const ArchitectureInfo& architecture, const std::vector<Head>& heads);
v1::Loss ToProto(const LossInfo& loss);
v1::LossOffer ToProto(const LossOffer& offer);
v1::Plugin ToProto(const PluginInfo& plugin);
v1::Solver SolverToProto(const ChoiceInfo& solver);
v1::Scheduler SchedulerToProto(const ChoiceInfo& scheduler);
v1::Augmentation AugmentationToProto(const ChoiceInfo& augmentation);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_CATALOG_H_

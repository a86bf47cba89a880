// An experiment from a YAML file, from flags, or from a file with some fields changed by flags.
#ifndef GRADELINE_CLIENT_CLI_EXPERIMENT_FLAGS_H_
#define GRADELINE_CLIENT_CLI_EXPERIMENT_FLAGS_H_

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/field_mask.pb.h"
#include "gradeline/v1/experiment.pb.h"

namespace gradeline::cli {

struct ExperimentFlags {
  std::string name, file, split, architecture, notes;
  std::vector<std::string> losses, params, weights, metrics, settings, labels;
  const CLI::Option* notes_option = nullptr;  ///< empty notes may be given
  bool dry_run = false;
};

/// -f and the flags of an experiment's fields; NAME is the caller's.
std::shared_ptr<ExperimentFlags> AddExperimentFlags(CLI::App& app);

/// Reads the file, if there is one, into `experiment`.
absl::Status ReadExperimentFile(const ExperimentFlags& flags, v1::Experiment* experiment);
/// Lets the flags go over what `experiment` has; names become resource names. `changed`, if given, gets the paths of
/// what the flags set.
absl::Status ApplyExperimentFlags(const ExperimentFlags& flags, v1::Experiment* experiment,
                                  google::protobuf::FieldMask* changed = nullptr);

/// The experiment without what the server alone sets: what a file has.
v1::Experiment AskedOf(const v1::Experiment& experiment);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_EXPERIMENT_FLAGS_H_

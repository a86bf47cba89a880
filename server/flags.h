// The command line of gradelined.
#ifndef GRADELINE_SERVER_FLAGS_H_
#define GRADELINE_SERVER_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace gradeline {

struct Flags {
  std::string config;                 ///< file; empty: none
  std::vector<std::string> settings;  ///< "path=value"
  bool help = false, version = false;
  bool check = false;        ///< says whether it could start, instead of serving
  std::string restore;       ///< not empty: makes the database from this backup instead of serving
  bool force = false;        ///< replaces the database that is there
  std::string probe_plugin;  ///< not empty: this process is the probe of a plugin file
};

/// INVALID_ARGUMENT naming what is not understood.
absl::StatusOr<Flags> ParseFlags(int argc, const char* const* argv);

/// The text of --help.
std::string HelpText();

}  // namespace gradeline

#endif  // GRADELINE_SERVER_FLAGS_H_

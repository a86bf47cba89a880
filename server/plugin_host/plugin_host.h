// Losses for the registry: the built-in ones, and those of plugin files in configured folders.
// A file is first opened, linted and tried in a process of its own; the server opens only what passed, and never closes
// it.
#ifndef GRADELINE_SERVER_PLUGIN_HOST_PLUGIN_HOST_H_
#define GRADELINE_SERVER_PLUGIN_HOST_PLUGIN_HOST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/loss/registry.h"

namespace gradeline {

struct PluginOptions {
  std::vector<std::string> directories;  ///< every *.so in them, by name; not their subfolders
  int64_t probe_deadline_ms = 10'000;    ///< for one file
  bool strict = false;                   ///< a refused file is an error
  /// The program that probes, and its arguments before the file: one that calls ProbePluginMain. The server is its own.
  std::vector<std::string> probe_command{"/proc/self/exe", "--probe-plugin"};
  /// Text file that remembers which files passed, by SHA-256; empty: none. Refused files are tried again at every
  /// start.
  std::string cache_file;
};

/// Adds every loss there is to a registry's builder; refused files are listed in it with the reason. Not OK: a built-in
/// table is wrong (INTERNAL), a folder cannot be read (NOT_FOUND), or, with `strict`, a file was refused
/// (FAILED_PRECONDITION, all of them with their reasons). Call once, before threads that change signal masks.
absl::StatusOr<LossRegistry::Builder> LoadPlugins(const PluginOptions& options);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_PLUGIN_HOST_PLUGIN_HOST_H_

#include "server/plugin_host/plugin_host.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugins/losses/builtin.h"
#include "server/core/base/status.h"
#include "server/plugin_host/plugin_file.h"
#include "server/plugin_host/probe_process.h"

namespace gradeline {
namespace {

namespace fs = std::filesystem;

/// Which files passed a probe of this kind, by digest. Losing it costs a probe, so that nothing here is an error.
class PassedFiles {
 public:
  explicit PassedFiles(std::string path) : path_(std::move(path)) {
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) lines_.insert(line);
  }
  bool Has(const std::string& digest) const { return lines_.count(Line(digest)) > 0; }
  void Add(const std::string& digest) {
    if (path_.empty() || !lines_.insert(Line(digest)).second) return;
    const std::string fresh = path_ + ".new";
    {
      std::ofstream file(fresh);
      for (const std::string& line : lines_) file << line << "\n";
      if (!file.flush()) return;
    }
    std::error_code error;
    fs::rename(fresh, path_, error);
  }

 private:
  /// What a probe asks belongs to the key: raise the number when it asks more.
  static std::string Line(const std::string& digest) {
    return absl::StrCat("probe-1 abi-0.", GDL_ABI_MINOR, " ", digest);
  }

  const std::string path_;
  std::set<std::string> lines_;
};

absl::Status AddBuiltIns(LossRegistry::Builder& builder) {
  for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
    PluginInfo info;
    info.source = "built-in";
    auto losses = CheckPluginTables(**plugin, info);
    absl::Status status = losses.ok() ? builder.Add(*std::move(losses)) : losses.status();
    if (!status.ok()) return absl::InternalError(absl::StrCat("a built-in plugin is wrong: ", status.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".so") files.push_back(at->path().string());
  }
  if (error)
    return absl::NotFoundError(absl::StrCat("cannot read the plugin folder ", directory, ": ", error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

/// Loads one file into the builder, or says why not.
absl::Status LoadFile(const PluginOptions& options, PassedFiles& passed, const std::string& path, PluginInfo& info,
                      LossRegistry::Builder& builder) {
  GRADELINE_ASSIGN_OR_RETURN(info.digest, DigestOfFile(path));
  if (!passed.Has(info.digest)) {
    GRADELINE_RETURN_IF_ERROR(RunProbe(options.probe_command, path, options.probe_deadline_ms));
  }
  GRADELINE_ASSIGN_OR_RETURN(const std::string digest_now, DigestOfFile(path));
  if (digest_now != info.digest) return absl::FailedPreconditionError("changed while it was probed");
  passed.Add(info.digest);
  GRADELINE_ASSIGN_OR_RETURN(const GdlPlugin* table, OpenPlugin(path));
  GRADELINE_ASSIGN_OR_RETURN(std::vector<LossInfo> losses, CheckPluginTables(*table, info));
  return builder.Add(std::move(losses));
}

}  // namespace

absl::StatusOr<LossRegistry::Builder> LoadPlugins(const PluginOptions& options) {
  LossRegistry::Builder builder;
  GRADELINE_RETURN_IF_ERROR(AddBuiltIns(builder));
  PassedFiles passed(options.cache_file);
  std::vector<std::string> refusals;
  for (const std::string& directory : options.directories) {
    GRADELINE_ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesIn(directory));
    for (const std::string& path : files) {
      PluginInfo info;
      info.source = path;
      const absl::Status status = LoadFile(options, passed, path, info, builder);
      if (status.ok()) continue;
      info.name = fs::path(path).stem().string();
      info.refusal = std::string(status.message());
      refusals.push_back(absl::StrCat(path, ": ", info.refusal));
      builder.AddRefused(std::move(info));
    }
  }
  if (options.strict && !refusals.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("plugins.strict is set, and these plugins were refused: ", absl::StrJoin(refusals, "; ")));
  }
  return builder;
}

}  // namespace gradeline

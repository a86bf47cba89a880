#include "server/flags.h"

#include "absl/strings/str_cat.h"

namespace gradeline {

absl::StatusOr<Flags> ParseFlags(int argc, const char* const* argv) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const size_t equals = arg.find('=');
    const std::string name = arg.substr(0, equals);
    if (arg == "--help" || arg == "-h") {
      flags.help = true;
    } else if (arg == "--version") {
      flags.version = true;
    } else if (arg == "--check") {
      flags.check = true;
    } else if (arg == "--force") {
      flags.force = true;
    } else if (name == "--config" || name == "--set" || name == "--restore" || name == "--probe-plugin") {
      if (equals == std::string::npos && ++i == argc) {
        return absl::InvalidArgumentError(absl::StrCat(name, " needs a value; try --help"));
      }
      const std::string value = equals == std::string::npos ? argv[i] : arg.substr(equals + 1);
      if (name == "--set") {
        flags.settings.push_back(value);
      } else {
        (name == "--config" ? flags.config : name == "--restore" ? flags.restore : flags.probe_plugin) = value;
      }
    } else {
      return absl::InvalidArgumentError(absl::StrCat("unknown argument \"", arg, "\"; try --help"));
    }
  }
  if (flags.force && flags.restore.empty()) {
    return absl::InvalidArgumentError("--force belongs to --restore; try --help");
  }
  if (flags.check && !flags.restore.empty()) {
    return absl::InvalidArgumentError("--check and --restore are given; one of the two; try --help");
  }
  return flags;
}

std::string HelpText() {
  return R"(gradelined: offers losses, computes them for training workers, keeps what they report.

  gradelined [--config FILE] [--set path=value ...]
  gradelined --check [--config FILE] [--set path=value ...]
  gradelined --restore FILE [--force] [--config FILE] [--set path=value ...]

  --config FILE     YAML; every key with its default is in configs/gradelined.yaml
  --set path=value  lays one key over the file: --set grpc.listen=127.0.0.1:0 --set store.path=/tmp/g.db
  --check           does not serve: checks the configuration, then plugins, the catalog's files and what they say of one
                    another, and says with file, line and field all that is wrong with the first of these that is; opens
                    no database. Exit code 1 then; a plugin that is refused counts only with plugins.strict
  --restore FILE    does not serve: checks the backup FILE (gradeline db backup) and makes the database store.path of it;
                    with --force also where there is one. Exit code 5: a server uses it, it exists, or the backup is of
                    a newer schema; 6: the backup is damaged; 3: there is no such file
  --version         prints the version
  --help            prints this

Without a file: gRPC on 127.0.0.1:50051, HTTP on 127.0.0.1:8080, data in ./var. SIGTERM and SIGINT end it gracefully.
)";
}

}  // namespace gradeline

// The kinds of resource that `get` and `describe` know: their words, flags, calls and tables. A new kind is one entry.
#ifndef GRADELINE_CLIENT_CLI_RESOURCES_H_
#define GRADELINE_CLIENT_CLI_RESOURCES_H_

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/context.h"
#include "client/cli/output.h"

namespace gradeline::cli {

/// The flags of get and describe; each kind uses those it names.
struct Selection {
  std::string name, task, architecture, head, split, part, experiment, filter, order_by;
  int rank = 0, world_size = 0;
  bool all = false, show_deleted = false, names = false;
};

struct Resource {
  std::string singular, plural;
  std::vector<std::string> aliases;
  std::string help;
  /// Which of "task", "architecture", "head", "all", "part" (with split, rank, world-size, names), "experiment",
  /// "filter" (with order-by), "show-deleted" it takes.
  std::vector<std::string> flags;
  /// What may follow `gradeline get`, for the help.
  std::string example;
  Look look;
  /// All items, every page.
  std::function<absl::StatusOr<std::unique_ptr<google::protobuf::Message>>(Context&, const Selection&)> list;
  /// The item called `name`; empty: found by its id in the list.
  std::function<absl::StatusOr<std::unique_ptr<google::protobuf::Message>>(Context&, const Selection&)> get;
  /// The name is the parent whose items are listed (epochs of an experiment, items of a split).
  bool name_is_parent = false;
};

const std::vector<Resource>& Resources();

/// The kind called `word` in singular, plural or short; null if there is none.
const Resource* FindResource(const std::string& word);

/// The look of one kind, for commands that print what they made.
const Look& LookOf(const char* singular);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_RESOURCES_H_

// Messages of the API as JSON, YAML, names and tables. Knows no resource by name: tables get their columns from
// outside.
#ifndef GRADELINE_CLIENT_CLI_OUTPUT_H_
#define GRADELINE_CLIENT_CLI_OUTPUT_H_

#include <google/protobuf/message.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/output_form.h"

namespace gradeline::cli {

/// Canonical proto JSON with every field of basic type, set or not; numbers keep all their digits. No newline at the
/// end.
std::string ToJson(const google::protobuf::Message& message, bool indented);
/// The same content as YAML, read back by FillFromYaml; fields that are not set are left out.
std::string ToYaml(const google::protobuf::Message& message);

/// What follows the last '/': the bare id of a resource name.
absl::string_view IdOf(absl::string_view resource_name);

/// One column of a table.
struct Column {
  std::string header;
  std::function<std::string(const google::protobuf::Message&)> cell;
};
/// A column over messages of one type.
template <typename Message, typename Cell>
Column MakeColumn(std::string header, Cell cell) {
  return {std::move(header),
          [cell](const google::protobuf::Message& message) { return cell(static_cast<const Message&>(message)); }};
}

/// Aligned rows under a head line; empty cells are shown as "-". Nothing for no rows.
void PrintTable(const std::vector<std::string>& headers, const std::vector<std::vector<std::string>>& rows,
                std::ostream& out);

/// How one kind of resource is shown.
struct Look {
  std::vector<Column> columns;
  /// The bare id of an item.
  std::function<std::string(const google::protobuf::Message&)> id;
};

/// The items of a List response: the messages of its first repeated field.
std::vector<const google::protobuf::Message*> ItemsOf(const google::protobuf::Message& response);

/// A List response with all pages joined.
void PrintList(const google::protobuf::Message& response, const Look& look, OutputForm form, std::ostream& out);
/// One resource. `described`: the table form shows everything that is set instead of one row.
void PrintOne(const google::protobuf::Message& resource, const Look& look, OutputForm form, bool described,
              std::ostream& out);

/// Short words for tables: "0.0625", "1e-05"; six significant digits.
std::string ShortNumber(double value);
/// "EXPERIMENT_STATE_RUNNING" of the enum's prefix as "running".
std::string ShortEnum(absl::string_view prefix, absl::string_view name);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_OUTPUT_H_

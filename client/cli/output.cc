// See output.h.
#include "client/cli/output.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/cli/yaml_text.h"

namespace gradeline::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// By way of bytes, since MessageToJsonString does not order the entries of maps.
std::string Json(const Message& message, bool indented, bool all_fields) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indented;
  options.always_print_primitive_fields = all_fields;
  std::string bytes, out;
  {
    google::protobuf::io::StringOutputStream sink(&bytes);
    google::protobuf::io::CodedOutputStream coded(&sink);
    coded.SetSerializationDeterministic(true);  // entries of maps by key
    message.SerializePartialToCodedStream(&coded);
  }
  const std::unique_ptr<google::protobuf::util::TypeResolver> types(
      google::protobuf::util::NewTypeResolverForDescriptorPool("type.googleapis.com",
                                                               message.GetDescriptor()->file()->pool()));
  const std::string type = absl::StrCat("type.googleapis.com/", message.GetTypeName());
  if (const auto status = google::protobuf::util::BinaryToJsonString(types.get(), type, bytes, &out, options);
      !status.ok()) {
    return absl::StrCat("{\"unprintable\":\"", message.GetTypeName(), "\"}");
  }
  while (!out.empty() && out.back() == '\n') {
    out.pop_back();
  }
  return out;
}

}  // namespace

std::string ToJson(const Message& message, bool indented) { return Json(message, indented, true); }

std::string ToYaml(const Message& message) { return YamlOfJson(Json(message, false, false)); }

absl::string_view IdOf(absl::string_view resource_name) { return resource_name.substr(resource_name.rfind('/') + 1); }

void PrintTable(const std::vector<std::string>& headers, const std::vector<std::vector<std::string>>& rows,
                std::ostream& out) {
  if (rows.empty()) {
    return;
  }
  std::vector<size_t> widths;
  for (size_t column = 0; column < headers.size(); ++column) {
    size_t width = headers[column].size();
    for (const auto& row : rows) {
      width = std::max(width, row[column].size());
    }
    widths.push_back(width);
  }
  const auto print_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t column = 0; column < row.size(); ++column) {
      const std::string& cell = row[column].empty() ? "-" : row[column];
      absl::StrAppend(&line, cell, std::string(widths[column] + 2 - std::min(cell.size(), widths[column]), ' '));
    }
    out << absl::StripTrailingAsciiWhitespace(line) << '\n';
  };
  print_row(headers);
  for (const auto& row : rows) {
    print_row(row);
  }
}

std::vector<const Message*> ItemsOf(const Message& response) {
  std::vector<const Message*> out;
  const auto* descriptor = response.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      for (int k = 0; k < response.GetReflection()->FieldSize(response, field); ++k) {
        out.push_back(&response.GetReflection()->GetRepeatedMessage(response, field, k));
      }
      break;
    }
  }
  return out;
}

void PrintList(const Message& response, const Look& look, OutputForm form, std::ostream& out) {
  const std::vector<const Message*> items = ItemsOf(response);
  switch (form) {
    case OutputForm::kJson:
      out << ToJson(response, true) << '\n';
      return;
    case OutputForm::kYaml:
      out << ToYaml(response);
      return;
    case OutputForm::kJsonl:
      for (const Message* item : items) {
        out << ToJson(*item, false) << '\n';
      }
      return;
    case OutputForm::kName:
      for (const Message* item : items) {
        out << look.id(*item) << '\n';
      }
      return;
    case OutputForm::kTable:
      break;
  }
  std::vector<std::string> headers;
  for (const Column& column : look.columns) {
    headers.push_back(column.header);
  }
  std::vector<std::vector<std::string>> rows;
  for (const Message* item : items) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const Column& column : look.columns) {
      row.push_back(column.cell(*item));
    }
  }
  PrintTable(headers, rows, out);
}

void PrintOne(const Message& resource, const Look& look, OutputForm form, bool described, std::ostream& out) {
  switch (form) {
    case OutputForm::kJson:
    case OutputForm::kJsonl:
      out << ToJson(resource, form == OutputForm::kJson) << '\n';
      return;
    case OutputForm::kYaml:
      out << ToYaml(resource);
      return;
    case OutputForm::kName:
      out << look.id(resource) << '\n';
      return;
    case OutputForm::kTable:
      break;
  }
  if (described) {
    out << ToYaml(resource);
    return;
  }
  std::vector<std::string> headers, row;
  for (const Column& column : look.columns) {
    headers.push_back(column.header);
    row.push_back(column.cell(resource));
  }
  PrintTable(headers, {row}, out);
}

std::string ShortNumber(double value) { return absl::StrFormat("%.6g", value); }

std::string ShortEnum(absl::string_view prefix, absl::string_view name) {
  std::string out = absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

}  // namespace gradeline::cli

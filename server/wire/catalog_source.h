// The catalog's files before they mean anything: found, read, parsed, with the lines of what they say.
#ifndef GRADELINE_SERVER_WIRE_CATALOG_SOURCE_H_
#define GRADELINE_SERVER_WIRE_CATALOG_SOURCE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/wire/yaml_reader.h"

namespace gradeline {

struct SourceFile {
  std::string name;  ///< "architectures/u-net.yaml"
  std::string text;
};

/// A file as its message.
template <typename Message>
struct Parsed {
  std::string name;
  Message message;
  YamlLines lines;
  std::string At(const std::string& path) const { return absl::StrCat(name, ":", LineOf(lines, path), ": ", path); }
};

/// The *.yaml of a folder of the catalog, by name. Without the folder: none if it `may_lack`, else NOT_FOUND.
absl::StatusOr<std::vector<SourceFile>> ReadCatalogFolder(const std::string& directory, const std::string& folder,
                                                          bool may_lack);

/// The SHA-256, hexadecimal, over the files in this order, each as name, length and contents.
std::string CatalogDigest(const std::vector<SourceFile>& files);

template <typename Message>
Parsed<Message> ParseFile(const SourceFile& file, Violations& violations) {
  Parsed<Message> parsed;
  parsed.name = file.name;
  violations.Merge("", ReadYaml(file.text, file.name, parsed.message, &parsed.lines));
  return parsed;
}

/// Files of messages with an id, which must be the file's name.
template <typename Message>
std::vector<Parsed<Message>> ParseAll(const std::vector<SourceFile>& files, Violations& violations) {
  std::vector<Parsed<Message>> parsed;
  for (const SourceFile& file : files) {
    const Parsed<Message>& next = parsed.emplace_back(ParseFile<Message>(file, violations));
    const std::string stem = std::filesystem::path(file.name).stem().string();
    if (next.message.id() == stem) continue;
    violations.Add(next.At("id"), absl::StrCat("is \"", next.message.id(), "\"; allowed is the file's name, ", stem));
  }
  return parsed;
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_CATALOG_SOURCE_H_

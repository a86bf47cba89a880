// A plugin as a file: its digest, and its table once it is open. The only code of the server that calls dlopen.
#ifndef GRADELINE_SERVER_PLUGIN_HOST_PLUGIN_FILE_H_
#define GRADELINE_SERVER_PLUGIN_HOST_PLUGIN_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "plugins/sdk/loss_abi.h"

namespace gradeline {

/// SHA-256 of a file's contents, hexadecimal. NOT_FOUND if it cannot be read.
absl::StatusOr<std::string> DigestOfFile(const std::string& path);

/// Opens the file for the rest of the process's life, which runs its constructors, and finds its table.
/// FAILED_PRECONDITION: no library, or without the symbol; that of another major is named.
absl::StatusOr<const GdlPlugin*> OpenPlugin(const std::string& path);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_PLUGIN_HOST_PLUGIN_FILE_H_

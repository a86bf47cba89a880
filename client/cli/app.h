// The command line as a whole: parsing, choosing, exit code.
#ifndef GRADELINE_CLIENT_CLI_APP_H_
#define GRADELINE_CLIENT_CLI_APP_H_

#include <ostream>
#include <string>
#include <vector>

namespace gradeline::cli {

/// Runs one command; `arguments` are without the program's name. Results go to `out`, all else to `err`. Returns the
/// exit code. GRADELINE_SERVER is read from the environment.
int RunApp(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_APP_H_

// The forms of output that a person or a script may ask for with -o.
#ifndef GRADELINE_CLIENT_CLI_OUTPUT_FORM_H_
#define GRADELINE_CLIENT_CLI_OUTPUT_FORM_H_

namespace gradeline::cli {

enum class OutputForm {
  kTable,
  kJson,   ///< one document, indented
  kJsonl,  ///< one line per item or event
  kYaml,
  kName,  ///< one bare id per line
};

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_OUTPUT_FORM_H_

// Records of comma-separated values (RFC 4180): fields in double quotes may hold commas, line ends and doubled quotes;
// lines end with LF or CRLF. A broken record is told and skipped, and the next one read.
#ifndef GRADELINE_CLIENT_CLI_CSV_H_
#define GRADELINE_CLIENT_CLI_CSV_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/byte_source.h"

namespace gradeline::cli {

struct CsvRecord {
  int64_t line = 0;  ///< of its first byte, from 1
  std::vector<std::string> fields;
  std::string fault;  ///< what is wrong with its form; its fields mean nothing then
};

class CsvReader {
 public:
  /// A byte order mark at the start is skipped.
  explicit CsvReader(ByteSource* source);
  /// Reads the next record that is no empty line; false at the end, and after a failure of the source, see status().
  bool Next(CsvRecord& record);
  const absl::Status& status() const { return bytes_.status(); }

 private:
  enum class At { kFieldStart, kPlain, kQuoted, kQuoteInQuoted };
  /// Reads one record, an empty line too; false at the end.
  bool ReadRecord(CsvRecord& record);
  /// The next byte, a line end of CRLF as one '\n'.
  int Take();

  ByteReader bytes_;
  int64_t line_ = 1;
  bool ended_ = false;
};

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_CSV_H_

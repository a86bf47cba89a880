// See csv.h.
#include "client/cli/csv.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

constexpr size_t kMostBytes = size_t{1} << 20;  // of a record; a quote that is never closed swallows no whole file

}  // namespace

CsvReader::CsvReader(ByteSource* source) : bytes_(source) {
  for (const int mark : {0xef, 0xbb, 0xbf}) {
    if (bytes_.Peek() != mark) break;
    bytes_.Take();
  }
}

bool CsvReader::Next(CsvRecord& record) {
  while (ReadRecord(record)) {
    const bool empty_line = record.fields.size() == 1 && record.fields[0].empty() && record.fault.empty();
    if (!empty_line) return true;
  }
  return false;
}

int CsvReader::Take() {
  const int byte = bytes_.Take();
  if (byte == '\n') ++line_;
  return byte;
}

bool CsvReader::ReadRecord(CsvRecord& record) {
  record.line = line_;
  record.fields.clear();
  record.fault.clear();
  if (ended_ || bytes_.Peek() < 0) return false;
  const auto wrong = [&record](std::string what) {
    if (record.fault.empty()) record.fault = std::move(what);
  };
  const int64_t begin = bytes_.position();
  std::string field;
  for (At at = At::kFieldStart; !ended_;) {
    int byte = Take();
    if (bytes_.position() - begin > static_cast<int64_t>(kMostBytes)) {
      wrong(absl::StrCat("the row is longer than ", kMostBytes,
                         " bytes (is a quote never closed?); the file is read no "
                         "further"));
      ended_ = true;
      break;
    }
    if (at == At::kQuoted) {
      if (byte == '"') {
        at = At::kQuoteInQuoted;
      } else if (byte < 0) {
        wrong("a quote that opens in this row is never closed");
        break;
      } else {
        field.push_back(static_cast<char>(byte));
      }
      continue;
    }
    if (at == At::kQuoteInQuoted && byte == '"') {
      field.push_back('"');
      at = At::kQuoted;
      continue;
    }
    if (byte == '\r' && bytes_.Peek() == '\n') byte = Take();
    if (byte < 0 || byte == '\n' || byte == ',') {
      record.fields.push_back(std::move(field));
      field.clear();
      at = At::kFieldStart;
      if (byte != ',') break;
    } else if (byte == '"' && at == At::kFieldStart) {
      at = At::kQuoted;
    } else {
      if (at == At::kQuoteInQuoted) {
        wrong(absl::StrCat("field ", record.fields.size() + 1, " goes on after its closing quote"));
      } else if (byte == '"') {
        wrong(absl::StrCat("field ", record.fields.size() + 1, " has a quote but does not begin with one"));
      } else if (byte == '\r') {
        wrong(absl::StrCat("field ", record.fields.size() + 1, " has a carriage return outside quotes"));
      }
      field.push_back(static_cast<char>(byte));
      at = At::kPlain;
    }
  }
  return true;
}

}  // namespace gradeline::cli

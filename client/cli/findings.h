// What a reader of annotations finds in a file: a dataset before it is sent, or everything that is wrong. The limits
// are those of gradeline.v1.Item, checked here too so that an error has its line.
#ifndef GRADELINE_CLIENT_CLI_FINDINGS_H_
#define GRADELINE_CLIENT_CLI_FINDINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gradeline/v1/dataset.pb.h"

namespace gradeline::cli {

struct Findings {
  std::vector<std::string> classes;
  bool multi_label = false;
  std::vector<v1::Item> items;
  std::vector<std::string> notes;  ///< for people: what was left aside
};

constexpr size_t kLongestUri = 4096;
constexpr size_t kLongestClass = 256;
constexpr size_t kLongestGroup = 256;
constexpr size_t kLongestTag = 64;
constexpr size_t kLongestSubset = 64;
constexpr int kMostTags = 32;
constexpr int kMostLabels = 100'000;
constexpr size_t kMostClasses = 1'000'000;

/// Everything that is wrong with a file: what of the first 1,000 places, and how many there are.
class Faults {
 public:
  /// `where`: "line 3", "images[2] at byte 77".
  void Add(absl::string_view where, absl::string_view what);
  int64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  /// OK if there are none; INVALID_ARGUMENT that says what came of it and lists them, a line each.
  absl::Status ToStatus(absl::string_view end = "nothing was imported") const;

 private:
  int64_t count_ = 0;
  std::vector<std::string> first_;
};

/// Adds a fault of `what` ("path") unless the text is UTF-8 of `least` to `most` bytes; false then.
bool CheckText(absl::string_view where, absl::string_view what, absl::string_view text, size_t least, size_t most,
               Faults& faults);

/// A value of a file for an error message: in quotes, escaped, cut when long.
std::string Quoted(absl::string_view value);

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_FINDINGS_H_

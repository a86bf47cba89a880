// How far something has come: one line on standard error that is written over, and gone when it is done. Nothing where
// standard error is no terminal.
#ifndef GRADELINE_CLIENT_CLI_PROGRESS_H_
#define GRADELINE_CLIENT_CLI_PROGRESS_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/time/time.h"

namespace gradeline::cli {

class Progress {
 public:
  /// `doing`: "reading a.json". `whole`: what At counts up to; 0: not known.
  Progress(std::ostream& err, std::string doing, int64_t whole);
  ~Progress();
  Progress(const Progress&) = delete;
  void At(int64_t done);

 private:
  std::ostream& err_;
  const std::string doing_;
  const int64_t whole_;
  const bool shown_;
  absl::Time next_;   ///< when the line is written again
  size_t width_ = 0;  ///< of what is on the line
};

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_PROGRESS_H_

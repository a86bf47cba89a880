// See progress.h.
#include "client/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace gradeline::cli {
namespace {

constexpr absl::Duration kBetween = absl::Milliseconds(200);

}  // namespace

Progress::Progress(std::ostream& err, std::string doing, int64_t whole)
    : err_(err),
      doing_(std::move(doing)),
      whole_(whole),
      shown_(err.rdbuf() == std::cerr.rdbuf() && isatty(STDERR_FILENO) == 1),
      next_(shown_ ? absl::Now() + kBetween : absl::InfiniteFuture()) {}

Progress::~Progress() {
  if (width_ > 0) err_ << '\r' << std::string(width_, ' ') << '\r' << std::flush;
}

void Progress::At(int64_t done) {
  if (!shown_) return;
  const absl::Time now = absl::Now();
  if (now < next_) return;
  next_ = now + kBetween;
  const std::string line = whole_ > 0 ? absl::StrCat(doing_, ": ", std::min<int64_t>(done * 100 / whole_, 100), " %")
                                      : absl::StrCat(doing_, ": ", done);
  err_ << '\r' << line << std::string(width_ - std::min(width_, line.size()), ' ') << std::flush;
  width_ = std::max(width_, line.size());
}

}  // namespace gradeline::cli

#include "server/core/metric/scores.h"

#include <hwy/contrib/sort/vqsort.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/scored.h"

namespace gradeline {
namespace {

using Run = Scores::Run;

constexpr int64_t kMostScores = (int64_t{1} << 53) - 1;
constexpr int kMostCoarse = 63;  // two cells of a class are left: of scores below 0 and of others
// What a key is above or below that of 0, of infinite scores.
constexpr int64_t kInfinity = int64_t{0x7ff} << 52;
// How many cells there are of one key difference: see PutCells.
enum Code : uint64_t { kNegative = 0, kPositive = 1, kCounted = 2, kFar = 3 };

/// Sorted keys of scores that are all positives or all negatives, as FromRun.
struct Keys {
  const uint64_t* keys;
  std::vector<std::pair<size_t, size_t>> ranges;
  bool positive;
  std::pair<size_t, size_t> range(size_t k) const { return ranges[k]; }
  ScoreCell at(size_t i, int coarse) const { return {keys[i] >> coarse, positive ? 1 : 0, positive ? 0 : 1}; }
};

/// The cells of class k lie in range(k); at() is one with `coarse` bits cut off.
struct FromRun {
  const Run& run;
  std::pair<size_t, size_t> range(size_t k) const { return {k == 0 ? 0 : run.ends[k - 1], run.ends[k]}; }
  ScoreCell at(size_t i, int coarse) const {
    ScoreCell cell = run.cells[i];
    cell.key >>= coarse - run.coarse;
    return cell;
  }
};

/// visit(cell) for those of class k of both, by ascending key; equal keys one after another.
template <typename A, typename B, typename Visit>
void InOrder(const A& a, const B& b, size_t k, int coarse, Visit&& visit) {
  auto [i, i_end] = a.range(k);
  auto [j, j_end] = b.range(k);
  while (i < i_end && j < j_end) {
    // Selects, no branch: which comes first is as good as random.
    const ScoreCell left = a.at(i, coarse), right = b.at(j, coarse);
    const bool first = left.key <= right.key;
    visit({first ? left.key : right.key, first ? left.positives : right.positives,
           first ? left.negatives : right.negatives});
    i += first ? 1 : 0;
    j += first ? 0 : 1;
  }
  for (; i < i_end; ++i) visit(a.at(i, coarse));
  for (; j < j_end; ++j) visit(b.at(j, coarse));
}

/// The least number of bits, at least `coarse`, with which at most `limit` cells are left.
template <typename A, typename B>
int LeastCoarse(const A& a, const B& b, size_t classes, int coarse, int64_t limit) {
  // Neighbours are one cell once all bits are cut off in which they differ.
  std::array<int64_t, 65> differing{};
  int64_t cells = 0;
  for (size_t k = 0; k < classes; ++k) {
    uint64_t last = 0;
    bool first = true;
    InOrder(a, b, k, coarse, [&](const ScoreCell& cell) {
      first ? ++cells : ++differing[static_cast<size_t>(std::bit_width(cell.key ^ last))];
      first = false;
      last = cell.key;
    });
  }
  for (size_t bits = 1; bits < differing.size(); ++bits) cells += differing[bits];
  int more = 0;
  while (cells > limit && coarse + more < kMostCoarse) cells -= differing[static_cast<size_t>(++more)];
  return coarse + more;
}

/// Both in one, with as few bits cut off as fit `limit` cells and classes.
template <typename A, typename B>
Run Join(const A& a, const B& b, size_t classes, int coarse, size_t most, int64_t limit) {
  const int64_t cells = limit - static_cast<int64_t>(classes);
  Run joined;
  joined.coarse = static_cast<int64_t>(most) <= cells ? coarse : LeastCoarse(a, b, classes, coarse, cells);
  joined.cells.reserve(std::min(most, static_cast<size_t>(cells)));
  joined.ends.reserve(classes);
  for (size_t k = 0; k < classes; ++k) {
    const size_t begin = joined.cells.size();
    InOrder(a, b, k, joined.coarse, [&](const ScoreCell& cell) {
      if (joined.cells.size() == begin || joined.cells.back().key != cell.key) return joined.cells.push_back(cell);
      joined.cells.back().positives += cell.positives;
      joined.cells.back().negatives += cell.negatives;
    });
    joined.ends.push_back(joined.cells.size());
  }
  return joined;
}

Run JoinRuns(const Run& a, const Run& b, int64_t limit) {
  return Join(FromRun{a}, FromRun{b}, a.ends.size(), std::max(a.coarse, b.coarse), a.cells.size() + b.cells.size(),
              limit);
}

/// The cells of a batch; `scores` receives how many count.
Run Sorted(const Scored& scored, int64_t limit, int64_t& scores) {
  const auto classes = static_cast<size_t>(scored.classes), items = static_cast<size_t>(scored.items);
  // Of each class the positives from the front, the negatives from the back.
  std::vector<uint64_t> keys(classes * items);
  Keys positives{keys.data(), {}, true}, negatives{keys.data(), {}, false};
  const hwy::Sorter sorter;
  for (size_t k = 0; k < classes; ++k) {
    size_t front = k * items, back = (k + 1) * items;
    for (size_t i = k * items; i < (k + 1) * items; ++i) {
      const uint64_t key = KeyOf(scored.scores[i]);
      // Both places are free as long as an item is left; which is kept is no branch.
      keys[front] = key;
      keys[back - 1] = key;
      front += scored.labels[i] == Scored::kYes ? 1 : 0;
      back -= scored.labels[i] == Scored::kNo ? 1 : 0;
    }
    positives.ranges.emplace_back(k * items, front);
    negatives.ranges.emplace_back(back, (k + 1) * items);
    sorter(keys.data() + k * items, front - k * items, hwy::SortAscending());
    sorter(keys.data() + back, (k + 1) * items - back, hwy::SortAscending());
    scores += static_cast<int64_t>(front - k * items + (k + 1) * items - back);
  }
  return Join(positives, negatives, classes, 0, static_cast<size_t>(scores), limit);
}

/// A key as its distance from that of 0, which trailing zeros of scores leave short.
int64_t OffsetOf(uint64_t key, int coarse) { return static_cast<int64_t>(key - (uint64_t{1} << (63 - coarse))); }

/// How many cells, how many low bits are 0 in the offsets of all; of each the difference to the one before and what it
/// counts. One item, as most cells have, is told by the two lowest bits of the difference.
void PutCells(absl::Span<const ScoreCell> cells, int coarse, std::string& bytes) {
  PutUnsigned(cells.size(), bytes);
  if (cells.empty()) return;
  uint64_t all = 0;
  for (const ScoreCell& cell : cells) all |= static_cast<uint64_t>(OffsetOf(cell.key, coarse));
  const int zeros = all == 0 ? 0 : std::countr_zero(all);
  PutUnsigned(static_cast<uint64_t>(zeros), bytes);
  int64_t last = OffsetOf(cells.front().key, coarse) >> zeros;
  PutSigned(last, bytes);
  for (const ScoreCell& cell : cells) {
    const int64_t offset = OffsetOf(cell.key, coarse) >> zeros;
    const uint64_t difference = static_cast<uint64_t>(offset) - static_cast<uint64_t>(last);
    last = offset;
    const bool one = cell.positives + cell.negatives == 1;
    const uint64_t code = !one ? kCounted : cell.positives == 1 ? kPositive : kNegative;
    const bool far = difference >> 62 != 0;
    PutUnsigned(far ? uint64_t{kFar} : difference << 2 | code, bytes);
    if (far) PutUnsigned(difference, bytes);
    if (far || !one) PutUnsigned(static_cast<uint64_t>(cell.positives), bytes);
    if (far || !one) PutUnsigned(static_cast<uint64_t>(cell.negatives), bytes);
  }
}

/// Appends what was put; false if it is no cells. `scores` grows by what they count.
bool ReadCells(CountsReader& reader, int coarse, std::vector<ScoreCell>& cells, int64_t& scores) {
  const int64_t count = reader.Count(static_cast<int64_t>(reader.left()));
  if (count == 0) return reader.ok();
  const auto zeros = static_cast<int>(reader.Count(63));
  // Cutting bits off rounds down, away from 0 below it.
  const int64_t most = kInfinity >> coarse >> zeros;
  const uint64_t below = (static_cast<uint64_t>(kInfinity) + ((uint64_t{1} << coarse) - 1)) >> coarse >> zeros;
  const int64_t least = -static_cast<int64_t>(below);
  int64_t last = reader.Signed();
  if (last < least || last > most) return false;
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    const uint64_t head = reader.Unsigned();
    const uint64_t code = head & 3;
    const uint64_t difference = code == kFar ? reader.Unsigned() : head >> 2;
    if ((difference == 0) != (i == 0) || difference > static_cast<uint64_t>(most) - static_cast<uint64_t>(last)) {
      return false;
    }
    last = static_cast<int64_t>(static_cast<uint64_t>(last) + difference);
    ScoreCell cell{.positives = code == kPositive ? 1 : 0, .negatives = code == kNegative ? 1 : 0};
    if (code == kCounted || code == kFar) cell.positives = reader.Count(kMostScores);
    if (code == kCounted || code == kFar) cell.negatives = reader.Count(kMostScores);
    const int64_t items = cell.positives + cell.negatives;
    if (items < 1 || items > kMostScores - scores) return false;
    scores += items;
    const uint64_t offset = static_cast<uint64_t>(last) << zeros;
    cell.key = offset + (uint64_t{1} << (63 - coarse));
    cells.push_back(cell);
  }
  return reader.ok();
}

template <bool exclusive>
const CountsKind& KindOf() {
  static const CountsKind kKind{"scores", {}, [](const CountsOptions& options) -> std::unique_ptr<Counts> {
                                  return std::make_unique<Scores>(exclusive, options.max_bytes);
                                }};
  return kKind;
}

}  // namespace

absl::Status Scores::Fits(int64_t classes, int64_t scores) const {
  // Each class has at most two cells in the end, and its place in `ends`.
  if (classes > limit_ / 3) {
    return absl::ResourceExhaustedError(absl::StrCat("scores of ", classes, " classes take at least ",
                                                     classes * 3 * kCellBytes, " bytes; allowed: ", limit_ * kCellBytes,
                                                     " (metrics.max_bytes)"));
  }
  if (scores > kMostScores - scores_) return absl::ResourceExhaustedError("more than 2^53 scores");
  return absl::OkStatus();
}

void Scores::Push(Run run, int64_t scores) {
  classes_ = static_cast<int64_t>(run.ends.size());
  scores_ += scores;
  while (!runs_.empty() && runs_.back().size() <= 2 * run.size()) {
    run = JoinRuns(runs_.back(), run, limit_);
    runs_.pop_back();
  }
  runs_.push_back(std::move(run));
}

const Run* Scores::Whole() const {
  while (runs_.size() > 1) {
    Run joined = JoinRuns(runs_[runs_.size() - 2], runs_.back(), limit_);
    runs_.pop_back();
    runs_.back() = std::move(joined);
  }
  return runs_.empty() ? nullptr : &runs_.front();
}

absl::Status Scores::Add(const MetricBatch& batch) {
  GRADELINE_ASSIGN_OR_RETURN(const Scored scored, ReadScored(batch));
  if (classes_ != 0 && scored.classes != classes_) {
    Violations violations;
    violations.Add("inputs.prediction", absl::StrCat("has ", scored.classes, " classes; counted before: ", classes_));
    return violations.ToStatus();
  }
  GRADELINE_RETURN_IF_ERROR(Fits(scored.classes, scored.classes * scored.items));
  int64_t scores = 0;
  Run run = Sorted(scored, limit_, scores);
  if (scores > 0) Push(std::move(run), scores);
  return absl::OkStatus();
}

absl::Status Scores::Merge(std::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  CountsReader reader(bytes);
  Run run;
  run.coarse = static_cast<int>(reader.Count(kMostCoarse));
  const int64_t classes = reader.Count(static_cast<int64_t>(reader.left()));
  int64_t scores = 0;
  bool good = classes > 0 && (classes_ == 0 || classes == classes_);
  for (int64_t k = 0; good && k < classes; ++k) {
    good = ReadCells(reader, run.coarse, run.cells, scores);
    run.ends.push_back(run.cells.size());
  }
  if (!good || scores == 0) return absl::InvalidArgumentError("is no score count");
  GRADELINE_RETURN_IF_ERROR(reader.Finish("score"));
  GRADELINE_RETURN_IF_ERROR(Fits(classes, scores));
  const Run none{.ends = std::vector<size_t>(run.ends.size())};
  Push(static_cast<int64_t>(run.size()) <= limit_ ? std::move(run) : JoinRuns(run, none, limit_), scores);
  return absl::OkStatus();
}

std::string Scores::Bytes() const {
  std::string bytes;
  const Run* whole = Whole();
  if (whole == nullptr) return bytes;
  PutUnsigned(static_cast<uint64_t>(whole->coarse), bytes);
  PutUnsigned(static_cast<uint64_t>(classes_), bytes);
  for (int64_t k = 0; k < classes_; ++k) PutCells(cells(k), whole->coarse, bytes);
  return bytes;
}

int Scores::coarse() const { return runs_.empty() ? 0 : Whole()->coarse; }

absl::Span<const ScoreCell> Scores::cells(int64_t index) const {
  const Run* whole = Whole();
  if (whole == nullptr) return {};
  const auto [begin, end] = FromRun{*whole}.range(static_cast<size_t>(index));
  return absl::MakeConstSpan(whole->cells).subspan(begin, end - begin);
}

const CountsKind& ScoresKind(std::string_view signal) {
  return signal == "multiclass" ? KindOf<true>() : KindOf<false>();
}

}  // namespace gradeline

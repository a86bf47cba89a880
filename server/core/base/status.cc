#include "server/core/base/status.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gradeline {
namespace {

// Payloads are private to this file: a list of strings, each after its length in 8 bytes of the machine's own order.
constexpr absl::string_view kViolationsUrl = "gradeline/field-violations";
constexpr absl::string_view kReasonUrl = "gradeline/reason";

absl::Cord Pack(const std::vector<std::string>& strings) {
  std::string bytes;
  for (const std::string& s : strings) {
    const uint64_t length = s.size();
    bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
    bytes.append(s);
  }
  return absl::Cord(std::move(bytes));
}

std::vector<std::string> Unpack(const absl::Status& status, absl::string_view url) {
  std::vector<std::string> strings;
  const auto payload = status.GetPayload(url);
  if (!payload) return strings;
  const std::string bytes(*payload);
  for (size_t at = 0; at + sizeof(uint64_t) <= bytes.size();) {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof(length));
    at += sizeof(length);
    strings.push_back(bytes.substr(at, length));
    at += length;
  }
  return strings;
}

// Case and the choice between dash, underscore and space say nothing about what was meant.
std::string Folded(std::string_view word) {
  std::string folded(word);
  for (char& c : folded) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (c == '_' || c == ' ') c = '-';
  }
  return folded;
}

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = std::exchange(last, row);
  }
  return last[b.size()];
}

// Whether a status is about what the caller sent, and not about the state of things.
bool IsOfRequest(const absl::Status& status) {
  return !FieldViolationsOf(status).empty() || absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
         absl::IsFailedPrecondition(status);
}

}  // namespace

void Violations::Add(std::string field, std::string description) {
  list_.push_back({std::move(field), std::move(description)});
  alone_ = absl::OkStatus();
}

void Violations::Merge(std::string_view prefix, const absl::Status& status) {
  if (status.ok()) return;
  std::vector<FieldViolation> theirs = FieldViolationsOf(status);
  if (theirs.empty()) theirs.push_back({"", std::string(status.message())});
  for (FieldViolation& violation : theirs) {
    const bool dot = !prefix.empty() && !violation.field.empty();
    Add(absl::StrCat(std::string(prefix), dot ? "." : "", violation.field), std::move(violation.description));
  }
}

void Violations::MergeRest(std::string_view prefix, const absl::Status& status) {
  if (status.ok()) return;
  const bool first = empty();
  if (IsOfRequest(status)) {
    Violations rest;
    rest.Merge(prefix, status);
    const std::vector<FieldViolation> before = list_;
    for (const FieldViolation& violation : rest.list_) {
      const bool named = std::any_of(before.begin(), before.end(),
                                     [&](const FieldViolation& other) { return other.field == violation.field; });
      if (!named) Add(violation.field, violation.description);
    }
  }
  if (first) alone_ = BelowField(prefix, status);
}

absl::Status Violations::ToStatus() const {
  if (!alone_.ok()) return alone_;
  if (list_.empty()) return absl::OkStatus();
  std::vector<std::string> packed, lines;
  for (const FieldViolation& violation : list_) {
    packed.push_back(violation.field);
    packed.push_back(violation.description);
    lines.push_back(violation.field.empty() ? violation.description
                                            : absl::StrCat(violation.field, ": ", violation.description));
  }
  absl::Status status = absl::InvalidArgumentError(absl::StrJoin(lines, "; "));
  status.SetPayload(kViolationsUrl, Pack(packed));
  return status;
}

std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> list;
  const std::vector<std::string> strings = Unpack(status, kViolationsUrl);
  for (size_t i = 0; i + 1 < strings.size(); i += 2) list.push_back({strings[i], strings[i + 1]});
  return list;
}

absl::Status WithReason(absl::Status status, std::string reason, std::map<std::string, std::string> metadata) {
  std::vector<std::string> strings{std::move(reason)};
  for (auto& [key, value] : metadata) {
    strings.push_back(key);
    strings.push_back(std::move(value));
  }
  status.SetPayload(kReasonUrl, Pack(strings));
  return status;
}

ErrorReason ReasonOf(const absl::Status& status) {
  const std::vector<std::string> strings = Unpack(status, kReasonUrl);
  if (strings.empty()) return {absl::StatusCodeToString(status.code()), {}};
  ErrorReason reason{strings[0], {}};
  for (size_t i = 1; i + 1 < strings.size(); i += 2) reason.metadata[strings[i]] = strings[i + 1];
  return reason;
}

absl::Status BelowField(std::string_view prefix, const absl::Status& status) {
  if (FieldViolationsOf(status).empty()) return status;
  Violations violations;
  violations.Merge(prefix, status);
  const absl::Status moved = violations.ToStatus();
  absl::Status result(status.code(), moved.message());
  moved.ForEachPayload(
      [&result](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
  ErrorReason reason = ReasonOf(status);
  if (reason.reason == absl::StatusCodeToString(status.code())) return result;
  return WithReason(std::move(result), std::move(reason.reason), std::move(reason.metadata));
}

std::vector<std::string> NearNames(std::string_view word, const std::vector<std::string>& known) {
  constexpr size_t kLongestWord = 128;  // a longer one was not meant as a name, and its distance is costly
  if (word.empty() || word.size() > kLongestWord) return {};
  const std::string folded = Folded(word);
  std::vector<std::pair<size_t, std::string>> near;
  for (const std::string& name : known) {
    if (name.empty() || name.size() > kLongestWord) continue;
    const std::string candidate = Folded(name);
    const size_t distance = EditDistance(folded, candidate);
    const size_t allowed = std::max<size_t>(1, std::max(folded.size(), candidate.size()) / 3);
    const bool part = folded.size() >= 3 && candidate.find(folded) != std::string::npos;
    if (distance <= allowed || part) near.emplace_back(distance, name);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (auto& [distance, name] : near) {
    if (names.size() == 3) break;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace gradeline

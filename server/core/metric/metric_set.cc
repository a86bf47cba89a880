#include "server/core/metric/metric_set.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/memory_limit.h"

namespace gradeline {
namespace {

// What a record keeps begins with it. Before there was more than accuracy, two doubles were kept, of counts: their
// first byte is 0.
constexpr char kFormat = 1;
constexpr size_t kOldBytes = 2 * sizeof(double);

// The bytes of the accuracy's counts that such a record means; empty if it is none.
std::string FromOldBytes(std::string_view bytes) {
  std::string counts;
  if (bytes.size() != kOldBytes || bytes[0] != 0) return counts;
  for (size_t i = 0; i < 2; ++i) {
    double number = 0;
    std::memcpy(&number, bytes.data() + i * sizeof(number), sizeof(number));
    if (!(number >= 0 && number < 2147483648.0 && number == std::floor(number))) return "";
    PutUnsigned(static_cast<uint64_t>(number), counts);
  }
  return counts;
}

std::vector<std::pair<std::string, std::string>> Assignments(const std::string& list, Violations& violations) {
  std::vector<std::pair<std::string, std::string>> assignments;
  for (const auto part : absl::StrSplit(list, ',')) {
    const std::vector<std::string> sides = absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (sides.size() != 2) {
      violations.Add("", absl::StrCat("\"", absl::StripAsciiWhitespace(part), "\" is no KEY=VALUE"));
      continue;
    }
    assignments.emplace_back(absl::StripAsciiWhitespace(sides[0]), absl::StripAsciiWhitespace(sides[1]));
  }
  return assignments;
}

}  // namespace

absl::StatusOr<ChosenMetric> ChooseMetric(std::string_view asked) {
  std::string text(asked);
  absl::StripAsciiWhitespace(&text);
  const size_t open = text.find('(');
  std::string id = text.substr(0, open);
  absl::StripAsciiWhitespace(&id);
  ChosenMetric chosen;
  GRADELINE_ASSIGN_OR_RETURN(chosen.metric, FindMetric(id));
  if (open == std::string::npos) return WithParams(chosen, {});
  Violations violations;
  if (text.back() != ')') {
    violations.Add("", absl::StrCat("\"", text, "\" does not end with a )"));
    return violations.ToStatus();
  }
  ParamMap given;
  const std::vector<ParamSpec>& specs = chosen.metric->params;
  for (const auto& [key, value] : Assignments(text.substr(open + 1, text.size() - open - 2), violations)) {
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [key = &key](const ParamSpec& known) { return known.name == *key; });
    absl::StatusOr<ParamValue> read = ParamValue(value);  // of an unknown key: refused below
    if (spec != specs.end()) read = ParseParam(*spec, value);
    violations.Merge("", read.status());
    if (read.ok() && !given.emplace(key, *read).second) violations.Add(key, "is given twice");
  }
  absl::StatusOr<ChosenMetric> with = WithParams(chosen, given);
  violations.MergeRest("", with.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return with;
}

absl::StatusOr<ChosenMetric> WithParams(const ChosenMetric& chosen, const ParamMap& params) {
  ChosenMetric with{chosen.metric, chosen.given, {}, chosen.metric->id};
  Violations violations;
  for (const auto& [key, value] : params) {
    if (!with.given.emplace(key, value).second) violations.Add(key, "is given twice");
  }
  absl::StatusOr<ParamMap> resolved = ResolveParams(with.metric->params, with.given);
  violations.MergeRest("", resolved.status());
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  with.params = *std::move(resolved);
  if (with.given.empty()) return with;
  absl::StrAppend(&with.name, "(",
                  absl::StrJoin(with.given, ",",
                                [](std::string* out, const auto& param) {
                                  absl::StrAppend(out, param.first, "=", ParamText(param.second));
                                }),
                  ")");
  return with;
}

MetricSet::MetricSet(std::string_view signal, const std::vector<std::string>& names, int64_t max_bytes)
    : signal_(signal) {
  for (const std::string& name : names) {
    absl::StatusOr<ChosenMetric> chosen = ChooseMetric(name);
    if (!chosen.ok() || !CheckSignal(*chosen->metric, signal).ok()) continue;
    Way way{"", &chosen->metric->counts(signal), {chosen->params, max_bytes}};
    way.key = way.kind->name;
    for (const std::string& param : way.kind->params) {
      const auto found = chosen->params.find(param);
      absl::StrAppend(&way.key, ",", found == chosen->params.end() ? "" : ParamText(found->second));
    }
    const auto same = std::find_if(ways_.begin(), ways_.end(), [&](const Way& w) { return w.key == way.key; });
    way_of_.push_back(static_cast<size_t>(same - ways_.begin()));
    if (same == ways_.end()) ways_.push_back(std::move(way));
    chosen_.push_back(*std::move(chosen));
  }
}

std::vector<MetricInput> MetricSet::inputs() const {
  std::vector<MetricInput> all;
  for (const ChosenMetric& chosen : chosen_) {
    for (const MetricInput& input : InputsOf(*chosen.metric, signal_)) {
      const auto same =
          std::find_if(all.begin(), all.end(), [&](const auto& known) { return known.name == input.name; });
      if (same == all.end()) {
        all.push_back(input);
      } else {
        same->optional &= input.optional;
      }
    }
  }
  return all;
}

absl::Status MetricSet::CheckClasses(int64_t classes) const {
  for (size_t i = 0; i < chosen_.size(); ++i) {
    const Way& way = ways_[way_of_[i]];
    if (way.kind->bytes_of == nullptr) continue;
    const auto bytes = static_cast<double>(way.kind->bytes_of(classes));
    GRADELINE_RETURN_IF_ERROR(
        CheckMemory(absl::StrCat(chosen_[i].name, " of ", classes, " classes"), bytes, way.options.max_bytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> MetricSet::Count(const MetricBatch& batch) const {
  std::string bytes;
  if (empty()) return bytes;
  bytes.push_back(kFormat);
  for (const Way& way : ways_) {
    const std::unique_ptr<Counts> counts = way.kind->make(way.options);
    GRADELINE_RETURN_IF_ERROR(counts->Add(batch));
    const std::string own = counts->Bytes();
    PutUnsigned(own.size(), bytes);
    bytes.append(own);
  }
  return bytes;
}

absl::Status MetricSet::Check(std::string_view bytes) const { return MetricSums(*this).Merge(bytes); }

MetricSums::MetricSums(const MetricSet& set) : set_(set), notes_(set.ways_.size()) {
  for (const MetricSet::Way& way : set_.ways_) counts_.push_back(way.kind->make(way.options));
}

absl::Status MetricSums::Merge(std::string_view bytes) {
  absl::Status status = MergeEach(bytes);
  if (!status.ok())
    notes_.assign(notes_.size(), absl::StrCat("what a batch counted cannot be read: ", status.message()));
  return status;
}

absl::Status MetricSums::MergeEach(std::string_view bytes) {
  if (counts_.empty()) {
    return bytes.empty() ? absl::OkStatus() : absl::InvalidArgumentError("is a count of metrics, and there are none");
  }
  const auto merge = [this](size_t way, std::string_view own) {
    if (!notes_[way].empty()) return absl::OkStatus();
    absl::Status status = counts_[way]->Merge(own);
    if (!absl::IsResourceExhausted(status)) return status;
    notes_[way] = std::string(status.message());
    return absl::OkStatus();
  };
  const bool accuracy_alone = counts_.size() == 1 && set_.ways_[0].kind->name == "accuracy";
  if (const std::string old = FromOldBytes(bytes); accuracy_alone && !old.empty()) return merge(0, old);
  if (bytes.empty() || bytes[0] != kFormat) return absl::InvalidArgumentError("is no count of metrics");
  bytes.remove_prefix(1);
  for (size_t way = 0; way < counts_.size(); ++way) {
    CountsReader reader(bytes);
    const int64_t size = reader.Count();
    if (!reader.ok() || static_cast<uint64_t>(size) > reader.left()) {
      return absl::InvalidArgumentError("is no count of metrics");
    }
    bytes.remove_prefix(bytes.size() - reader.left());
    GRADELINE_RETURN_IF_ERROR(merge(way, bytes.substr(0, static_cast<size_t>(size))));
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return bytes.empty() ? absl::OkStatus() : absl::InvalidArgumentError("is no count of metrics");
}

std::vector<MetricResult> MetricSums::Results() const {
  std::vector<MetricResult> results;
  for (size_t i = 0; i < set_.chosen_.size(); ++i) {
    const size_t way = set_.way_of_[i];
    const ChosenMetric& chosen = set_.chosen_[i];
    if (notes_[way].empty()) {
      results.push_back(chosen.metric->compute(*counts_[way], chosen.params));
    } else {
      results.push_back(MetricResult{.note = notes_[way]});
    }
  }
  return results;
}

}  // namespace gradeline

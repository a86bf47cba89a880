#include "server/core/metric/examples.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/families.h"
#include "server/core/metric/memory_limit.h"
#include "server/core/metric/slots.h"

namespace gradeline {
namespace {

absl::Status CheckRoom(int64_t labels, int64_t max_bytes) {
  return CheckMemory(absl::StrCat("sums of the unions of ", labels, " labels"), 8.0 * static_cast<double>(labels),
                     max_bytes);
}

void AddItem(const ClassCount& item, Examples::Sums& sums) {
  if (item.all() == 0) return;
  const int64_t in_union = item.tp + item.fp + item.fn;
  sums.slots += item.all();
  sums.right_slots += item.tp + item.tn;
  ++sums.items;
  sums.right_items += in_union == item.tp ? 1 : 0;
  if (in_union == 0) {
    ++sums.empty;
    return;
  }
  if (static_cast<int64_t>(sums.shared.size()) < in_union) sums.shared.resize(static_cast<size_t>(in_union));
  sums.shared[static_cast<size_t>(in_union - 1)] += item.tp;
}

/// Whether items with such sums are possible; the intersections are no more than right_slots.
bool ArePossible(const Examples::Sums& sums) {
  int64_t items = sums.empty;
  for (size_t u = 1; u <= sums.shared.size(); ++u) {
    const int64_t shared = sums.shared[u - 1], size = static_cast<int64_t>(u);
    items += shared / size + (shared % size > 0 ? 1 : 0);
  }
  return items <= sums.items && sums.right_items <= sums.items && sums.items <= sums.slots &&
         sums.right_slots <= sums.slots;
}

}  // namespace

absl::Status Examples::Add(const MetricBatch& batch) {
  GRADELINE_ASSIGN_OR_RETURN(const Slots slots, Slots::Of(batch));
  GRADELINE_RETURN_IF_ERROR(CheckRoom(slots.labels(), max_bytes_));
  Sums sums;
  uint8_t bits = 0;
  std::vector<uint8_t> states(static_cast<size_t>(slots.labels() * slots.inner()));
  std::vector<ClassCount> items;
  for (int64_t o = 0; o < slots.outer(); ++o) {
    bits |= slots.Read(o * slots.labels() * slots.inner(), absl::MakeSpan(states));
    if (slots.inner() == 1) {
      AddItem(CountStates(states), sums);
      continue;
    }
    items.assign(static_cast<size_t>(slots.inner()), {});
    CountColumns(states, absl::MakeSpan(items));
    for (const ClassCount& item : items) AddItem(item, sums);
  }
  if ((bits & (kWrongPrediction | kWrongTarget)) != 0) return slots.Wrong();
  return AddSums(sums);
}

absl::Status Examples::AddSums(const Sums& sums) {
  if (sums.slots > kMostCounted - sums_.slots) return absl::InvalidArgumentError("counts 2^53 slots or more");
  sums_.slots += sums.slots;
  sums_.right_slots += sums.right_slots;
  sums_.items += sums.items;
  sums_.right_items += sums.right_items;
  sums_.empty += sums.empty;
  sums_.shared.resize(std::max(sums_.shared.size(), sums.shared.size()));
  for (size_t u = 0; u < sums.shared.size(); ++u) sums_.shared[u] += sums.shared[u];
  return absl::OkStatus();
}

std::string Examples::Bytes() const {
  std::string bytes;
  if (sums_.items == 0) return bytes;
  for (const int64_t one : {sums_.slots, sums_.right_slots, sums_.items, sums_.right_items, sums_.empty}) {
    PutUnsigned(static_cast<uint64_t>(one), bytes);
  }
  size_t last = sums_.shared.size();
  while (last > 0 && sums_.shared[last - 1] == 0) --last;
  for (size_t u = 0; u < last; ++u) PutUnsigned(static_cast<uint64_t>(sums_.shared[u]), bytes);
  return bytes;
}

absl::Status Examples::Merge(std::string_view bytes) {
  if (bytes.empty()) return absl::OkStatus();
  CountsReader reader(bytes);
  Sums sums;
  for (int64_t* const one : {&sums.slots, &sums.right_slots, &sums.items, &sums.right_items, &sums.empty}) {
    *one = reader.Count(kMostCounted);
  }
  int64_t left = sums.right_slots;
  while (reader.ok() && !reader.done()) {
    sums.shared.push_back(reader.Count(left));
    left -= sums.shared.back();
  }
  GRADELINE_RETURN_IF_ERROR(reader.Finish("examples"));
  if (!ArePossible(sums)) return absl::InvalidArgumentError("counts more than its items have");
  GRADELINE_RETURN_IF_ERROR(CheckRoom(static_cast<int64_t>(sums.shared.size()), max_bytes_));
  return AddSums(sums);
}

namespace {

const CountsKind& ExamplesKind(std::string_view) {
  static const CountsKind kKind{
      "examples",
      {},
      [](const CountsOptions& options) -> std::unique_ptr<Counts> { return std::make_unique<Examples>(options); },
      [](int64_t classes) { return classes < int64_t{1} << 60 ? 8 * classes : int64_t{1} << 62; }};
  return kKind;
}

const Examples::Sums& SumsOf(const Counts& counts) { return static_cast<const Examples&>(counts).sums(); }

MetricResult Quotient(double part, int64_t whole) {
  if (whole == 0) return {.note = "no label counts"};
  return {.value = part / static_cast<double>(whole), .count = whole};
}

MetricResult Hamming(const Counts& counts, const ParamMap&) {
  return Quotient(static_cast<double>(SumsOf(counts).right_slots), SumsOf(counts).slots);
}

MetricResult Subset(const Counts& counts, const ParamMap&) {
  return Quotient(static_cast<double>(SumsOf(counts).right_items), SumsOf(counts).items);
}

MetricResult Jaccard(const Counts& counts, const ParamMap&) {
  const Examples::Sums& sums = SumsOf(counts);
  auto sum = static_cast<long double>(sums.empty);
  for (size_t u = 1; u <= sums.shared.size(); ++u) {
    sum += static_cast<long double>(sums.shared[u - 1]) / static_cast<long double>(u);
  }
  return Quotient(static_cast<double>(sum), sums.items);
}

Metric Row(std::string id, std::string title, std::string doc, std::string reference,
           MetricResult (*compute)(const Counts&, const ParamMap&)) {
  Metric row;
  row.id = std::move(id);
  row.title = std::move(title);
  row.doc = std::move(doc);
  row.reference = std::move(reference);
  row.signals = {"multilabel"};
  row.counts = ExamplesKind;
  row.compute = compute;
  return row;
}

}  // namespace

std::vector<Metric> ExampleMetrics() {
  return {
      Row("hamming_score", "Hamming score",
          "Share of the label slots that are right, of all items together. Ignored slots are in neither number.",
          "1 - scikit-learn hamming_loss", Hamming),
      Row("hamming_score_jaccard", "Hamming score (Jaccard)",
          "Mean over items of |right and predicted| / |right or predicted| labels, 1 where both are empty. Ignored "
          "slots are in neither set; an item of which all are ignored does not count.",
          "scikit-learn jaccard_score, average samples, zero_division 1", Jaccard),
      Row("subset_accuracy", "Subset accuracy",
          "Share of the items of which every label slot is right. Ignored slots are not looked at; an item of which "
          "all are ignored does not count.",
          "scikit-learn accuracy_score of labels, torchmetrics MultilabelExactMatch", Subset)};
}

}  // namespace gradeline

#include "server/core/experiment/fold.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/metric/curves.h"

namespace gradeline {
namespace {

// Numbers of a metric's curves, of its matrix and of its classes that a seal keeps. Curves get fewer points, down to 2.
constexpr size_t kMostNumbers = 16384;

void Trim(MetricResult& result) {
  std::vector<std::string> notes;
  if (!result.note.empty()) notes.push_back(result.note);
  const auto too_many = [&notes](size_t numbers, const char* what) {
    if (numbers <= kMostNumbers) return false;
    notes.push_back(absl::StrCat(what, " not kept: ", numbers, " numbers, more than ", kMostNumbers));
    return true;
  };
  if (too_many(4 * result.curves.size(), "the curves are")) result.curves.clear();
  for (Curve& curve : result.curves) Thin(curve, kMostNumbers / 2 / result.curves.size());
  if (too_many(result.matrix.cells.size(), "the matrix is")) result.matrix = {};
  if (too_many(result.classes.size(), "the classes are")) result.classes.clear();
  result.note = absl::StrJoin(notes, "; ");
}

}  // namespace

void CompensatedSum::Add(double x) {
  const double sum = sum_ + x;
  lost_ += std::abs(sum_) >= std::abs(x) ? (sum_ - sum) + x : (x - sum) + sum_;
  sum_ = sum;
}

Fold::Fold(std::shared_ptr<const std::vector<SessionHead>> heads, bool metrics)
    : heads_(std::move(heads)), metrics_(metrics), sums_(heads_->size()) {
  for (size_t h = 0; h < sums_.size(); ++h) sums_[h].components.resize((*heads_)[h].resolved.components.size());
}

void Fold::Add(int32_t rank, const Record& record) {
  ++records_of_rank_[rank];
  if (record.code != 0) {
    ++refused_[record.code];
    if (!first_refused_) {
      const RecordKey& key = record.key;
      first_refused_ = RefusedBatch{rank, key.step, key.head, key.part, record.code, record.refusal};
    }
    return;
  }
  ++batches_;
  items_ += record.items;
  OfHead& sums = sums_[record.key.head];
  const ResolvedHead& head = (*heads_)[record.key.head].resolved;
  for (size_t k = 0; k < std::min(sums.components.size(), record.values.size()); ++k) {
    const Ratio& value = record.values[k];
    Component& component = sums.components[k];
    if (head.MergeOf(k) == GDL_MERGE_RATIO) {
      component.numerator.Add(value.numerator);
      component.denominator.Add(value.denominator);
    } else {
      const double items = static_cast<double>(record.items);
      component.numerator.Add(value.denominator == 0 ? 0 : value.numerator / value.denominator * items);
      component.denominator.Add(items);
    }
  }
  if (!metrics_) return;
  if (!sums.metrics) sums.metrics.emplace((*heads_)[record.key.head].metrics);
  sums.metrics->Merge(record.metrics).IgnoreError();  // a note of the metric says it
}

std::vector<ComponentTotal> Fold::Totals() const {
  std::vector<ComponentTotal> totals;
  for (size_t h = 0; h < sums_.size(); ++h) {
    const ResolvedHead& head = (*heads_)[h].resolved;
    for (size_t k = 0; k < sums_[h].components.size(); ++k) {
      const Component& component = sums_[h].components[k];
      ComponentTotal total{.head = static_cast<int32_t>(h), .component = static_cast<int32_t>(k)};
      total.numerator = component.numerator.value();
      total.denominator = component.denominator.value();
      total.value = total.denominator == 0 ? 0 : total.numerator / total.denominator;
      total.weight = head.weight * (k < head.component_weights.size() ? head.component_weights[k] : 1);
      total.batch_mean = head.MergeOf(k) != GDL_MERGE_RATIO;
      totals.push_back(total);
    }
  }
  return totals;
}

double Fold::Loss() const {
  CompensatedSum loss;
  for (const ComponentTotal& total : Totals()) loss.Add(total.weight * total.value);
  return loss.value();
}

double Fold::Average() const {
  size_t components = 0;
  for (const OfHead& sums : sums_) components += sums.components.size();
  return components == 0 ? 0 : Loss() / static_cast<double>(components);
}

void Fold::Fill(Seal& seal) const {
  seal.components = Totals();
  seal.loss = Loss();
  seal.average = Average();
  seal.batches = batches_;
  seal.items = items_;
  seal.refused = refused_;
  seal.first_refused = first_refused_;
  seal.metrics.clear();
  for (size_t h = 0; h < sums_.size(); ++h) {
    const std::vector<ChosenMetric>& chosen = (*heads_)[h].metrics.chosen();
    std::vector<MetricResult> results;
    if (sums_[h].metrics) results = sums_[h].metrics->Results();
    for (size_t i = 0; i < results.size(); ++i) {
      Trim(results[i]);
      seal.metrics.push_back({static_cast<int32_t>(h), chosen[i].name, std::move(results[i])});
    }
  }
}

int64_t Fold::RecordsOf(int32_t rank) const {
  const auto found = records_of_rank_.find(rank);
  return found == records_of_rank_.end() ? 0 : found->second;
}

}  // namespace gradeline

// Iterative stratification of items with any number of classes: K. Sechidis, G. Tsoumakas, I. Vlahavas, On the
// Stratification of Multi-Label Data, ECML PKDD 2011. Sizes are given beforehand: a part that is full takes no more.
#include <numeric>
#include <set>
#include <utility>

#include "server/core/experiment/shuffle.h"
#include "server/core/experiment/split_strategy.h"

namespace gradeline {
namespace {

class Stratifier {
 public:
  Stratifier(const SplitRules& rules, const SplitItems& items, std::vector<uint8_t>& part_of_item)
      : items_(items),
        part_of_item_(part_of_item),
        generator_(rules.seed),
        room_(PartSizes(items.size(), rules.percent)) {
    ListByClass();
    for (size_t c = 0; c < waiting_.size(); ++c) {
      for (int p = 0; p < 3; ++p) {
        wanted_.push_back(static_cast<double>(waiting_[c]) * rules.percent[p] / 100);
      }
      if (waiting_[c] > 0) rarest_.emplace(waiting_[c], static_cast<int32_t>(c));
    }
  }

  void Run() {
    std::set<int32_t> touched;  // classes whose place in rarest_ is old
    while (!rarest_.empty()) {
      const int32_t label = rarest_.begin()->second;
      for (int64_t at = begin_[label]; at < begin_[label + 1]; ++at) {
        const int64_t item = by_class_[at];
        if (part_of_item_[item] != 0) continue;
        Put(item, PartThatWants(label));
        for (const int32_t other : items_.LabelsOf(item)) touched.insert(other);
      }
      for (const int32_t other : touched) Requeue(other);
      touched.clear();
    }
    for (const int64_t item : order_) {  // without a class
      if (part_of_item_[item] == 0) Put(item, room_[0] > 0 ? 0 : room_[1] > 0 ? 1 : 2);
    }
  }

 private:
  // Items of each class, in the order of a shuffle.
  void ListByClass() {
    order_.resize(static_cast<size_t>(items_.size()));
    std::iota(order_.begin(), order_.end(), 0);
    Shuffle(order_, generator_);
    int32_t classes = 0;
    for (const int32_t label : items_.labels) classes = std::max(classes, label + 1);
    waiting_.assign(static_cast<size_t>(classes), 0);
    for (const int32_t label : items_.labels) ++waiting_[label];
    queued_ = waiting_;
    begin_.assign(waiting_.size() + 1, 0);
    std::partial_sum(waiting_.begin(), waiting_.end(), begin_.begin() + 1);
    by_class_.resize(items_.labels.size());
    std::vector<int64_t> next = begin_;
    for (const int64_t item : order_) {
      for (const int32_t label : items_.LabelsOf(item)) by_class_[next[label]++] = item;
    }
  }

  // That wants most of the class; of equal ones that with most room; of equal ones any.
  int PartThatWants(int32_t label) {
    int best = -1, equal = 1;
    for (int p = 0; p < 3; ++p) {
      if (room_[p] == 0) continue;
      const auto key = std::pair(wanted_[3 * label + p], room_[p]);
      const auto most = best < 0 ? key : std::pair(wanted_[3 * label + best], room_[best]);
      if (best < 0 || key > most) {
        best = p;
        equal = 1;
      } else if (key == most && generator_.Below(static_cast<uint64_t>(++equal)) == 0) {
        best = p;
      }
    }
    return best;
  }

  void Put(int64_t item, int part) {
    part_of_item_[item] = static_cast<uint8_t>(part + 1);
    --room_[part];
    for (const int32_t label : items_.LabelsOf(item)) {
      --waiting_[label];
      wanted_[3 * label + part] -= 1;
    }
  }

  void Requeue(int32_t label) {
    rarest_.erase({queued_[label], label});
    queued_[label] = waiting_[label];
    if (waiting_[label] > 0) rarest_.emplace(waiting_[label], label);
  }

  const SplitItems& items_;
  std::vector<uint8_t>& part_of_item_;
  Generator generator_;
  PartCounts room_;
  std::vector<int64_t> order_;                    // all items, shuffled
  std::vector<int64_t> by_class_, begin_;         // items of class c: by_class_[begin_[c] .. begin_[c + 1])
  std::vector<int64_t> waiting_, queued_;         // items of a class without a part; and when it was put in rarest_
  std::vector<double> wanted_;                    // by class and part: items that it still should get
  std::set<std::pair<int64_t, int32_t>> rarest_;  // classes by items that wait
};

}  // namespace

void PartByLabels(const SplitRules& rules, const SplitItems& items, std::vector<uint8_t>& part_of_item) {
  Stratifier(rules, items, part_of_item).Run();
}

}  // namespace gradeline

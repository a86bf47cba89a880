// Iterative stratification of items with any number of classes: K. Sechidis, G. Tsoumakas, I. Vlahavas, On the
// Stratification of Multi-Label Data, ECML PKDD 2011: the rarest class first, ties at random. There an item goes where
// its rarest class is wanted most, which leaves the commonest classes what the others made of them. Here all its
// classes have a say, and the part's size as one more class that every item has.
#include <algorithm>
#include <cmath>
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
        room_(PartSizes(items.size(), rules.percent)),
        size_(items.size(), rules.percent) {
    ListByClass();
    for (const int64_t count : waiting_) classes_.emplace_back(count, rules.percent);
    for (size_t place = 0; place < class_at_.size(); ++place) {
      if (const int64_t count = waiting_[class_at_[place]]; count > 0) rarest_.emplace(count, place);
    }
  }

  void Run() {
    std::set<int32_t> touched;  // classes whose place in rarest_ is old
    while (!rarest_.empty()) {
      const int32_t label = class_at_[rarest_.begin()->second];
      for (int64_t at = begin_[label]; at < begin_[label + 1]; ++at) {
        const int64_t item = by_class_[at];
        if (part_of_item_[item] != 0) continue;
        Put(item, PartThatWants(item));
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
  // How far a part is from its share of `count` items: the same for all parts at the start, 0 for one that has what it
  // should. In units of a random split's deviation, which grows with the root of the count, so that no class weighs
  // more than another.
  struct Want {
    Want(int64_t count, const PartPercent& percent) {
      const double root = std::sqrt(static_cast<double>(count));
      for (int p = 0; p < 3; ++p) {
        of_part[p] = root;
        step[p] = percent[p] > 0 && count > 0 ? 100 / (percent[p] * root) : 0;
      }
    }
    std::array<double, 3> of_part{}, step{};  // step: what an item takes off
  };

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
    class_at_.resize(waiting_.size());
    std::iota(class_at_.begin(), class_at_.end(), 0);
    Shuffle(class_at_, generator_);
    place_.resize(class_at_.size());
    for (size_t place = 0; place < class_at_.size(); ++place) place_[class_at_[place]] = place;
  }

  // Of those with room; of equal ones any.
  int PartThatWants(int64_t item) {
    int best = -1, equal = 1;
    double most = 0;
    for (int p = 0; p < 3; ++p) {
      if (room_[p] == 0) continue;
      double want = size_.of_part[p];
      for (const int32_t label : items_.LabelsOf(item)) want += classes_[label].of_part[p];
      if (best < 0 || want > most) {
        best = p;
        most = want;
        equal = 1;
      } else if (want == most && generator_.Below(static_cast<uint64_t>(++equal)) == 0) {
        best = p;
      }
    }
    return best;
  }

  void Put(int64_t item, int part) {
    part_of_item_[item] = static_cast<uint8_t>(part + 1);
    --room_[part];
    size_.of_part[part] -= size_.step[part];
    for (const int32_t label : items_.LabelsOf(item)) {
      --waiting_[label];
      classes_[label].of_part[part] -= classes_[label].step[part];
    }
  }

  void Requeue(int32_t label) {
    rarest_.erase({queued_[label], place_[label]});
    queued_[label] = waiting_[label];
    if (waiting_[label] > 0) rarest_.emplace(waiting_[label], place_[label]);
  }

  const SplitItems& items_;
  std::vector<uint8_t>& part_of_item_;
  Generator generator_;
  PartCounts room_;
  Want size_;
  std::vector<Want> classes_;
  std::vector<int64_t> order_;                   // all items, shuffled
  std::vector<int64_t> by_class_, begin_;        // items of class c: by_class_[begin_[c] .. begin_[c + 1])
  std::vector<int64_t> waiting_, queued_;        // items of a class without a part; and when it was put in rarest_
  std::vector<int32_t> class_at_;                // all classes, shuffled: which of equally rare ones comes first
  std::vector<size_t> place_;                    // of a class in class_at_
  std::set<std::pair<int64_t, size_t>> rarest_;  // items that wait, and the class's place
};

}  // namespace

void PartByLabels(const SplitRules& rules, const SplitItems& items, std::vector<uint8_t>& part_of_item) {
  Stratifier(rules, items, part_of_item).Run();
}

}  // namespace gradeline

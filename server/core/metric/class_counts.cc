#include "server/core/metric/class_counts.h"

#include "server/core/metric/confusion.h"
#include "server/core/metric/label_counts.h"

namespace gradeline {

std::vector<ClassCount> ClassesOfPairs(const ClassPairs& pairs) {
  std::vector<ClassCount> classes(static_cast<size_t>(pairs.classes));
  int64_t items = 0;
  for (const PairCount& pair : pairs.pairs) {
    auto& wanted = classes[static_cast<size_t>(pair.wanted)];
    items += pair.count;
    if (pair.wanted == pair.predicted) {
      wanted.tp += pair.count;
    } else {
      wanted.fn += pair.count;
      classes[static_cast<size_t>(pair.predicted)].fp += pair.count;
    }
  }
  for (ClassCount& one : classes) one.tn = items - one.tp - one.fp - one.fn;
  return classes;
}

const CountsKind& ClassCountsKind(std::string_view signal) {
  return signal == "multiclass" || signal == "pixel-multiclass" ? ConfusionKind() : LabelCountsKind();
}

}  // namespace gradeline

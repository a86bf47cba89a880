// What is counted of classes and labels, as all metrics of them look at it.
#ifndef GRADELINE_SERVER_CORE_METRIC_CLASS_COUNTS_H_
#define GRADELINE_SERVER_CORE_METRIC_CLASS_COUNTS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "server/core/metric/counts.h"

namespace gradeline {

/// Of one class against all others, or of one label.
struct ClassCount {
  int64_t tp = 0, fp = 0, fn = 0, tn = 0;
  int64_t support() const { return tp + fn; }
  int64_t all() const { return tp + fp + fn + tn; }
  /// In what is right, or in what was predicted.
  bool occurs() const { return tp + fp + fn > 0; }
  bool operator==(const ClassCount&) const = default;
};

/// How often the class `predicted` was said where `wanted` is right.
struct PairCount {
  int32_t wanted = 0, predicted = 0;
  int64_t count = 0;
  bool operator==(const PairCount&) const = default;
};

/// A confusion matrix without its zeros, row by row.
struct ClassPairs {
  int64_t classes = 0;
  std::vector<PairCount> pairs;
};

class ClassCounts : public Counts {
 public:
  /// By class. Of a binary signal there is one, the positive.
  virtual std::vector<ClassCount> Classes() const = 0;
  /// Of a binary signal with two classes, 0 and 1. Of several labels there is none, and it is empty.
  virtual ClassPairs Pairs() const = 0;
  /// Items that count; of labels their slots.
  virtual int64_t counted() const = 0;
};

/// Every class of the pairs against all others.
std::vector<ClassCount> ClassesOfPairs(const ClassPairs& pairs);

/// Confusion for multiclass and pixel-multiclass, LabelCounts for the others.
const CountsKind& ClassCountsKind(std::string_view signal);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_CLASS_COUNTS_H_

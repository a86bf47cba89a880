// Random batches of classes and labels, and what a plain loop counts of them.
#ifndef GRADELINE_SERVER_CORE_METRIC_TEST_CLASS_BATCH_H_
#define GRADELINE_SERVER_CORE_METRIC_TEST_CLASS_BATCH_H_

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/metric/class_counts.h"
#include "server/core/metric/test_batch.h"

namespace gradeline {

/// A slot that counts: of a multiclass signal classes and label 0; of others 0 or 1.
struct TestSlot {
  int64_t label, wanted, predicted;
};

struct ClassBatches {
  std::string signal;
  int64_t classes = 1;  ///< or labels
  std::vector<OwnedBatch> batches;
  std::vector<TestSlot> slots;

  bool multiclass() const { return signal == "multiclass" || signal == "pixel-multiclass"; }
  bool several() const { return signal == "multilabel" || signal == "pixel-multilabel"; }

  std::vector<ClassCount> Counts() const {
    std::vector<ClassCount> counts(static_cast<size_t>(classes));
    for (int64_t c = 0; c < classes; ++c) {
      ClassCount& count = counts[static_cast<size_t>(c)];
      for (const TestSlot& slot : slots) {
        if (!multiclass() && slot.label != c) continue;
        const int64_t yes = multiclass() ? c : 1;
        const bool wanted = slot.wanted == yes, predicted = slot.predicted == yes;
        count.tp += wanted && predicted ? 1 : 0;
        count.fp += !wanted && predicted ? 1 : 0;
        count.fn += wanted && !predicted ? 1 : 0;
        count.tn += !wanted && !predicted ? 1 : 0;
      }
    }
    return counts;
  }
};

class ClassBatchMaker {
 public:
  explicit ClassBatchMaker(uint64_t seed) : random(seed) {}

  /// Several batches, of which some may be empty. Classes at the end may not occur.
  ClassBatches Make(const std::string& signal) {
    ClassBatches made{signal, signal == "binary" || signal == "pixel-binary" ? 1 : 1 + Below(6), {}, {}};
    const bool decided = Below(2) == 0, soft = !(decided && made.multiclass()) && Below(3) == 0;
    const int64_t wanted_end = 1 + Below(made.multiclass() ? made.classes : 2), right = Below(4);
    for (int64_t b = 0; b < 1 + Below(5); ++b) {
      made.batches.push_back(One(made, decided, soft, wanted_end, right));
    }
    return made;
  }

  int64_t Below(int64_t end) { return static_cast<int64_t>(random() % static_cast<uint64_t>(end)); }

  std::mt19937_64 random;

 private:
  static constexpr int64_t kIgnore = 77;

  OwnedBatch One(ClassBatches& made, bool decided, bool soft, int64_t wanted_end, int64_t right) {
    const bool pixels = made.signal.substr(0, 6) == "pixel-", scores = made.multiclass() && !decided;
    const int64_t outer = Below(12), height = pixels ? 1 + Below(5) : 1, width = pixels ? 1 + Below(5) : 1;
    const int64_t inner = height * width, labels = made.several() ? made.classes : 1;
    const DType whole = Pick({DType::kU8, DType::kI32, DType::kI64});
    const DType real = Pick({DType::kF32, DType::kF64, DType::kF16, DType::kBF16});
    const auto shape = [&](bool with_classes) {
      std::vector<int64_t> sizes{outer};
      if (with_classes) sizes.push_back(made.classes);
      if (pixels) sizes.insert(sizes.end(), {height, width});
      return sizes;
    };
    OwnedTensor prediction("prediction", decided ? whole : real, shape(scores || made.several()), {});
    OwnedTensor target("target", soft ? real : whole, shape((made.multiclass() && soft) || made.several()), {});
    const int64_t parts = outer * labels * inner;
    std::vector<int64_t> wanted, predicted;
    for (int64_t i = 0; i < parts; ++i) {
      wanted.push_back(Below(wanted_end));
      predicted.push_back(Below(4) < right ? wanted.back() : Below(made.multiclass() ? made.classes : 2));
      const bool skipped = !soft && Below(6) == 0;
      if (!skipped) made.slots.push_back({i / inner % labels, wanted.back(), predicted.back()});
      if (skipped) wanted.back() = kIgnore;
    }
    Fill(prediction, predicted, scores ? made.classes : 0, inner, decided ? 0 : -0.5);
    Fill(target, wanted, made.multiclass() && soft ? made.classes : 0, inner, soft ? 0.25 : 0);
    // Decided classes that do not count are seen too; the sum knows the highest.
    return {made.signal, {prediction, target}, kIgnore};
  }

  /// Of every item its value plus `offset`; or of `classes` scores that of the value higher than others.
  static void Fill(OwnedTensor& tensor, const std::vector<int64_t>& values, int64_t classes, int64_t inner,
                   double offset) {
    if (classes == 0) {
      for (const int64_t value : values)
        tensor.Append(static_cast<double>(value) + (value == 0 ? offset : -offset / 2));
      return;
    }
    for (size_t o = 0; o < values.size() / static_cast<size_t>(inner); ++o) {
      for (int64_t k = 0; k < classes; ++k) {
        for (size_t i = 0; i < static_cast<size_t>(inner); ++i) {
          tensor.Append(values[o * static_cast<size_t>(inner) + i] == k ? 1.0 : static_cast<double>(k) / 64);
        }
      }
    }
  }
  DType Pick(std::initializer_list<DType> of) { return *(of.begin() + Below(static_cast<int64_t>(of.size()))); }
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_TEST_CLASS_BATCH_H_

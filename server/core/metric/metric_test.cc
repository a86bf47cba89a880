#include "server/core/metric/metric.h"

#include <cmath>
#include <random>
#include <set>

#include "server/core/base/status.h"
#include "server/core/metric/counts_bytes.h"
#include "server/core/metric/metric_set.h"
#include "server/core/metric/signal.h"
#include "server/core/metric/test_batch.h"
#include "server/core/metric/test_mutations.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Fields(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : FieldViolationsOf(status)) fields.push_back(violation.field);
  return fields;
}

// What every row of the table says: so that a list, a form and a page can be made of it.
TEST(MetricTest, EveryMetricIsWhole) {
  std::set<std::string> ids;
  for (const Metric& metric : Metrics()) {
    SCOPED_TRACE(metric.id);
    EXPECT_TRUE(ids.insert(metric.id).second);
    EXPECT_FALSE(metric.title.empty() || metric.doc.empty() || metric.reference.empty());
    EXPECT_FALSE(metric.signals.empty());
    for (const ParamSpec& spec : metric.params) EXPECT_FALSE(spec.doc.empty()) << spec.name;
    const absl::StatusOr<ParamMap> params = ResolveParams(metric.params, {});
    ASSERT_TRUE(params.ok()) << params.status();
    for (const std::string& signal : metric.signals) {
      const CountsKind& kind = metric.counts(signal);
      for (const std::string& name : kind.params) EXPECT_TRUE(params->contains(name)) << kind.name << " " << name;
      const std::unique_ptr<Counts> counts = kind.make({*params, 1 << 20});
      const MetricResult nothing = metric.compute(*counts, *params);
      EXPECT_EQ(nothing.count, 0);
      EXPECT_EQ(nothing.value, 0);
      EXPECT_TRUE(counts->Merge(counts->Bytes()).ok());
      EXPECT_EQ(Fields(counts->Add(MetricBatch(signal, {}))).empty(), false) << "a batch without inputs";
    }
  }
}

TEST(MetricTest, NamesAreReadWithTheirParameters) {
  const absl::StatusOr<ChosenMetric> chosen = ChooseMetric(" accuracy( k = 5 ) ");
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_EQ(chosen->name, "accuracy(k=5)");
  EXPECT_EQ(chosen->params, (ParamMap{{"k", 5.0}}));
  EXPECT_EQ(ChooseMetric("accuracy")->name, "accuracy");
  EXPECT_EQ(ChooseMetric("accuracy")->params, (ParamMap{{"k", 1.0}}));
  EXPECT_TRUE(*ChooseMetric("accuracy") == *ChooseMetric("accuracy(k=1)"));
}

TEST(MetricTest, WhatIsWrongWithANameIsSaid) {
  EXPECT_TRUE(absl::IsNotFound(ChooseMetric("acuracy").status()));
  EXPECT_THAT(std::string(ChooseMetric("acuracy").status().message()), HasSubstr("did you mean accuracy"));
  EXPECT_THAT(Fields(ChooseMetric("accuracy(k=0)").status()), ElementsAre("k"));
  EXPECT_THAT(Fields(ChooseMetric("accuracy(kk=1)").status()), ElementsAre("kk"));
  EXPECT_THAT(Fields(ChooseMetric("accuracy(k=1,k=2)").status()), ElementsAre("k"));
  EXPECT_THAT(Fields(ChooseMetric("accuracy(k=x)").status()), ElementsAre("k"));
  for (const char* wrong : {"accuracy(k=1", "accuracy(", "accuracy()", "accuracy(k)", "accuracy(k=1))"}) {
    EXPECT_FALSE(ChooseMetric(wrong).ok()) << wrong;
  }
  EXPECT_TRUE(absl::IsNotFound(ChooseMetric("").status()));
}

TEST(MetricTest, SignalsThatItCanBeComputedOf) {
  const Metric& accuracy = **FindMetric("accuracy");
  EXPECT_TRUE(CheckSignal(accuracy, "multiclass").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckSignal(accuracy, "box")));
}

TEST(MetricTest, TheSignalOfABatchIsFound) {
  const OwnedTensor scores("prediction", DType::kF32, {2, 3}, {0, 0, 0, 0, 0, 0}),
      labels("target", DType::kI64, {2}, {0, 0});
  const OwnedBatch rows{"", {scores, labels}};
  const auto signal = [&](const char* metric, const std::string& asked, const OwnedBatch& batch) {
    std::vector<NamedTensor> tensors;
    for (const OwnedTensor& tensor : batch.tensors) {
      tensors.push_back({tensor.name, {tensor.dtype, tensor.shape, tensor.bytes.data()}});
    }
    return SignalOf(**FindMetric(metric), asked, tensors);
  };
  EXPECT_EQ(*signal("accuracy", "", rows), "multiclass");
  EXPECT_EQ(*signal("accuracy", "pixel-multiclass", rows), "pixel-multiclass");
  EXPECT_TRUE(absl::IsFailedPrecondition(signal("accuracy", "value", rows).status()));
  EXPECT_THAT(Fields(signal("accuracy", "", {"", {scores}}).status()), ElementsAre("signal"));
}

TEST(MetricSetTest, MetricsOfOneKindShareWhatTheyCount) {
  const MetricSet set("multiclass", {"accuracy", "accuracy(k=1)", "accuracy(k=2)"}, 1 << 20);
  const OwnedBatch rows{"multiclass",
                        {{"prediction", DType::kF32, {1, 3}, {3, 2, 1}}, {"target", DType::kI64, {1}, {1}}}};
  const std::string bytes = *set.Count(rows.view());
  EXPECT_EQ(bytes.size(), 1u + 2 * (1 + 2)) << "two kinds: k is 1 and 2";
  MetricSums sums(set);
  ASSERT_TRUE(sums.Merge(bytes).ok());
  ASSERT_TRUE(sums.Merge(bytes).ok());
  const std::vector<MetricResult> results = sums.Results();
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0].value, 0);
  EXPECT_EQ(results[1].count, 2);
  EXPECT_EQ(results[2].value, 1);
}

TEST(MetricSetTest, BytesThatAreNoneAreRefused) {
  const MetricSet set("multiclass", {"accuracy", "accuracy(k=2)"}, 1 << 20), none;
  for (const std::string& wrong : {std::string(), std::string("\2"), std::string("\1"), std::string("\1\1"),
                                   std::string("\1\x7f"), std::string("\1\2\0\0", 4), std::string(16, '\0')}) {
    EXPECT_FALSE(set.Check(wrong).ok());
  }
  EXPECT_TRUE(set.Check(std::string("\1\2\0\1\2\0\1", 7)).ok());
  EXPECT_FALSE(set.Check(std::string("\1\2\0\1\2\0\1\0", 8)).ok());
  EXPECT_TRUE(none.Check("").ok());
  EXPECT_FALSE(none.Check("x").ok());
  EXPECT_FALSE(none.Check("\1").ok());
}

// Two doubles, right and counted, as servers kept it that knew accuracy alone.
TEST(MetricSetTest, OldBytesAreThoseOfAccuracyAlone) {
  const auto old = [](double right, double counted) {
    const double both[] = {right, counted};
    return std::string(reinterpret_cast<const char*>(both), sizeof(both));
  };
  const MetricSet accuracy("multiclass", {"accuracy"}, 1 << 20);
  EXPECT_TRUE(accuracy.Check(old(1, 2)).ok());
  EXPECT_FALSE(accuracy.Check(old(2, 1)).ok());
  EXPECT_FALSE(accuracy.Check(old(0.5, 2)).ok());
  EXPECT_FALSE(accuracy.Check(old(-1, 2)).ok());
  EXPECT_FALSE(accuracy.Check(old(0, std::nan(""))).ok());
  EXPECT_FALSE(MetricSet("multiclass", {"confusion_matrix"}, 1 << 20).Check(old(1, 2)).ok());
}

TEST(MetricSetTest, WhatClassesAloneSayIsCheckedBeforeABatch) {
  const MetricSet set("multiclass", {"accuracy", "f_score(beta=2)"}, 8 * 100 * 100);
  EXPECT_TRUE(set.CheckClasses(0).ok());
  EXPECT_TRUE(set.CheckClasses(100).ok());
  const absl::Status status = set.CheckClasses(101);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("f_score(beta=2) of 101 classes takes 79.7 KiB"));
}

TEST(MetricTest, AnyTextIsANameOrIsRefused) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string good[] = {"f_score(beta=0.5,average=micro)", "accuracy( k = 5 )",
                              "coco_average_precision(iou=0.50:0.95,area=small)", "roc_auc"};
  int read = 0;
  for (int i = 0; i < 20000; ++i) {
    const absl::StatusOr<ChosenMetric> chosen = ChooseMetric(Mutated(good[random() % 4], random));
    if (!chosen.ok()) continue;
    ++read;
    const absl::StatusOr<ChosenMetric> again = ChooseMetric(chosen->name);
    ASSERT_TRUE(again.ok()) << chosen->name << ": " << again.status();
    ASSERT_EQ(again->name, chosen->name);
    ASSERT_TRUE(*again == *chosen) << chosen->name;
  }
  EXPECT_GT(read, 0);
}

// All metrics of a signal together: a worker may replay anything.
TEST(MetricSetTest, AnyBytesAreCountsOrAreRefused) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::vector<std::string> names;
  for (const Metric& metric : Metrics()) names.push_back(metric.id);
  const std::vector<double> bits{0, 1, 1, 0, 1, 1};
  const auto both = [&](const char* signal, std::vector<int64_t> shape) {
    return OwnedBatch{signal, {{"prediction", DType::kF32, shape, bits}, {"target", DType::kF32, shape, bits}}};
  };
  const OwnedBatch boxes{"detections",
                         {{"boxes", DType::kF32, {1, 4}, {0, 0, 9, 9}},
                          {"scores", DType::kF32, {1}, {0.5}},
                          {"classes", DType::kI64, {1}, {0}},
                          {"images", DType::kI64, {1}, {7}},
                          {"target_boxes", DType::kF32, {1, 4}, {0, 0, 9, 8}},
                          {"target_classes", DType::kI64, {1}, {0}},
                          {"target_images", DType::kI64, {1}, {7}}}};
  for (const OwnedBatch& batch :
       {both("multiclass", {2, 3}), both("pixel-multiclass", {1, 2, 1, 3}), both("binary", {6}),
        both("pixel-binary", {1, 2, 3}), both("multilabel", {2, 3}), both("value", {6}), boxes}) {
    SCOPED_TRACE(batch.signal);
    const MetricSet set(batch.signal, names, 1 << 20);
    ASSERT_FALSE(set.empty());
    const std::string good = *set.Count(batch.view());
    ASSERT_TRUE(set.Check(good).ok());
    int refused = 0;
    for (int i = 0; i < 2000; ++i) {
      MetricSums sums(set);
      ASSERT_TRUE(sums.Merge(good).ok());
      const bool fine = sums.Merge(Mutated(good, random)).ok();
      refused += fine ? 0 : 1;
      const std::vector<MetricResult> results = sums.Results();
      ASSERT_EQ(results.size(), set.chosen().size());
      for (const MetricResult& result : results) {
        ASSERT_TRUE(std::isfinite(result.value));
        ASSERT_TRUE(fine || result.count == 0);
      }
    }
    EXPECT_GT(refused, 0);
  }
}

}  // namespace
}  // namespace gradeline

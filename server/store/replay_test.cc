// What a replayed record may say, and what the largest ones add up to.
#include <cmath>

#include "gmock/gmock.h"
#include "server/core/base/status.h"
#include "server/core/experiment/fold.h"
#include "server/store/test_world.h"

namespace gradeline {
namespace {

using testing::ElementsAre;

constexpr Phase kTrain = Phase::kTrain;

TEST(Replay, RecordsAreChecked) {
  TestWorld world;
  world.Start(1, 1);
  const auto listener = std::make_shared<TestListener>();
  const auto session = *world.Join(0, listener);
  const auto fields = [&](const Record& record) {
    std::vector<std::string> names;
    for (const auto& violation : FieldViolationsOf(session->CheckRecord(record))) names.push_back(violation.field);
    return names;
  };
  Record record = TestRecord(1, {kTrain, 0, 0, 0, 0}, 1);
  EXPECT_TRUE(session->CheckRecord(record).ok());
  record.code = 17;
  record.items = -1;
  record.values = {{0, 1}};
  record.metrics = "counts";
  EXPECT_THAT(fields(record), ElementsAre("code", "items", "values", "metrics"));
  record = TestRecord(1, {kTrain, 0, 0, 0, 0}, 1);
  record.items = int64_t{1} << 31;
  record.values = {{1e299, -1}, {-kLargestInRecord, 0.0 / 0.0}};
  record.metrics = AccuracyCounts(3, 2);
  EXPECT_THAT(fields(record),
              ElementsAre("items", "values[0].numerator", "values[0].denominator", "values[1].denominator", "metrics"));
  record = TestRecord(1, {kTrain, 0, 0, 0, 0}, 1);
  const std::string good = AccuracyCounts(1, 2);
  for (const std::string& wrong :
       {std::string(), std::string("\2"), good + '\0', good.substr(0, good.size() - 1), std::string(16, '\7'),
        AccuracyCounts(1, uint64_t{1} << 54), std::string(1025, '\1')}) {
    record.metrics = wrong;
    EXPECT_THAT(fields(record), ElementsAre("metrics"));
  }
  record.metrics = AccuracyCounts(0, 0);
  EXPECT_TRUE(session->CheckRecord(record).ok());
  // Two doubles, as servers kept it that knew accuracy alone.
  const double old[] = {1, 2};
  record.metrics = std::string(reinterpret_cast<const char*>(old), sizeof(old));
  EXPECT_TRUE(session->CheckRecord(record).ok());
}

TEST(Replay, TheLargestRecordsAddUpToAFiniteLoss) {
  TestWorld world;
  world.Start(1, 1);
  const auto listener = std::make_shared<TestListener>();
  const auto session = *world.Join(0, listener);
  const int64_t most = (int64_t{1} << 31) - 1;
  Record record = TestRecord(1, {kTrain, 0, 0, 0, 0}, 0, most);
  record.values = {{kLargestInRecord, kLargestInRecord}, {-kLargestInRecord, 0}};
  record.metrics = AccuracyCounts(most, most);
  Send(*session, record);
  record.seq = 2;
  record.key.step = 1;
  record.digest.fill(2);
  Send(*session, record);
  ASSERT_TRUE(session->Begin(3).ok());
  ASSERT_TRUE(session->EndPhase(3, kTrain, 0, 2, nullptr).ok());
  listener->AwaitSeals(1);
  const Seal& seal = listener->seals[0];
  EXPECT_TRUE(std::isfinite(seal.loss)) << seal.loss;
  EXPECT_EQ(seal.items, 2 * most);
  EXPECT_EQ(seal.metrics[0].result.value, 1);
  EXPECT_EQ(seal.metrics[0].result.count, 2 * most);
}

}  // namespace
}  // namespace gradeline

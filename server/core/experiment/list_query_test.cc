#include "server/core/experiment/list_query.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/core/base/status.h"

namespace gradeline {
namespace {

using testing::ElementsAre;
using Field = ListQuery::Field;
using Operator = ListQuery::Operator;

std::vector<std::string> Problems(const std::string& filter, const std::string& order_by = "") {
  std::vector<std::string> problems;
  const absl::Status status = ParseListQuery(filter, order_by).status();
  for (const FieldViolation& violation : FieldViolationsOf(status)) {
    problems.push_back(absl::StrCat(violation.field, " ", violation.description));
  }
  return problems;
}

TEST(ListQuery, EveryFieldAndOperatorIsRead) {
  const auto query = ParseListQuery(
      "state = EXPERIMENT_STATE_RUNNING AND split != splits/s AND architecture=\"resnet\" AND task  =  tagging AND "
      "name = \"experiments/demo-*\" AND name != a* AND labels.team = \"a \\\"b\\\" = c\" AND labels.x-y.z:* AND "
      "labels.e != \"\" AND create_time >= 1970-01-01T00:00:01.5Z AND create_time < \"1970-01-01T01:00:02.0005+01:00\"",
      "");
  ASSERT_TRUE(query.ok()) << query.status();
  const auto& terms = query->terms;
  ASSERT_EQ(terms.size(), 11u);
  EXPECT_EQ(terms[0].value, "RUNNING");
  EXPECT_EQ(terms[1].op, Operator::kIsNot);
  EXPECT_EQ(terms[1].value, "s");
  EXPECT_EQ(terms[2].value, "resnet");
  EXPECT_EQ(terms[3].field, Field::kTask);
  EXPECT_EQ(terms[4].op, Operator::kBeginsWith);
  EXPECT_EQ(terms[4].value, "demo-");
  EXPECT_EQ(terms[5].op, Operator::kBeginsNotWith);
  EXPECT_EQ(terms[6].label, "team");
  EXPECT_EQ(terms[6].value, "a \"b\" = c");
  EXPECT_EQ(terms[7].op, Operator::kHas);
  EXPECT_EQ(terms[7].label, "x-y.z");
  EXPECT_EQ(terms[8].value, "");
  EXPECT_EQ(terms[9].op, Operator::kAtLeast);
  EXPECT_EQ(terms[9].value_ms, 1500);
  EXPECT_EQ(terms[10].value_ms, 2001) << "made at 2000, it is below; at 2001 it is not";
  EXPECT_TRUE(ParseListQuery("", "")->terms.empty());
  EXPECT_TRUE(ParseListQuery("  \t", " ")->terms.empty());
}

TEST(ListQuery, WhatIsWrongIsNamedWithItsPositionAndWhatIsAllowed) {
  EXPECT_THAT(
      Problems("stat = RUNNING AND state = RUN AND state < DRAFT AND create_time > noon AND name = a*b"),
      ElementsAre("filter at 1: \"stat\" is no field; allowed: name, state, split, architecture, task, "
                  "create_time, labels.KEY",
                  "filter at 28: \"RUN\" is no state; allowed: DRAFT, QUEUED, RUNNING, SUCCEEDED, EARLY_STOPPED, "
                  "CANCELLED, FAILED, LOST",
                  "filter at 42: \"<\" is no operator of state; allowed: =, !=",
                  "filter at 68: \"noon\" is no time; allowed: as \"2026-01-31T08:00:00Z\"",
                  "filter at 84: \"a*b\" has a *; allowed: one at the end of a name"));
  EXPECT_THAT(Problems("create_time < infinite-future AND create_time > 292277026596-12-04T15:30:07.999Z"),
              ElementsAre("filter at 15: \"infinite-future\" is no time; allowed: as \"2026-01-31T08:00:00Z\"",
                          "filter at 49: \"292277026596-12-04T15:30:07.999Z\" is no time; allowed: as "
                          "\"2026-01-31T08:00:00Z\""));
  EXPECT_THAT(Problems("task = a OR task = b"),
              ElementsAre("filter at 10: \"OR\" stands between two terms; allowed: AND (OR, NOT and parentheses are "
                          "not)"));
  EXPECT_THAT(Problems("(task = a)"), ElementsAre("filter at 1: \"(\" begins no term; allowed: name, state, split, "
                                                  "architecture, task, create_time, labels.KEY"));
  EXPECT_THAT(Problems("task = a AND "), ElementsAre("filter at 14: a term is missing after AND"));
  EXPECT_THAT(Problems("task"),
              ElementsAre("filter at 5: an operator is missing after task; allowed: =, !=, <, <=, >, >=, :"));
  EXPECT_THAT(Problems("task = "), ElementsAre("filter at 8: a value is missing; \"\" is the empty one"));
  EXPECT_THAT(Problems("task = \"a"), ElementsAre("filter at 8: a double quote has no end"));
  EXPECT_THAT(
      Problems("labels.Team = a AND labels.team:a AND create_time = 2026-01-31T08:00:00Z AND task : *"),
      ElementsAre("filter at 1: \"Team\" is no key of a label; allowed: 1 to 63 characters of a-z, 0-9, _ . and "
                  "-, beginning with a letter",
                  "filter at 33: \"a\" stands after \":\"; allowed: *",
                  "filter at 51: \"=\" is no operator of create_time; allowed: <, <=, >, >=",
                  "filter at 83: \":\" is no operator of task; allowed: =, !="));
  std::string many = "task = a";
  for (int i = 0; i < 32; ++i) absl::StrAppend(&many, " AND task = a");
  EXPECT_THAT(Problems(many), ElementsAre("filter at 1: has 33 terms; allowed: up to 32"));
}

TEST(ListQuery, TheOrderEndsWithTheName) {
  const auto query = ParseListQuery("", "create_time desc,state asc , split");
  ASSERT_TRUE(query.ok()) << query.status();
  ASSERT_EQ(query->order.size(), 4u);
  EXPECT_EQ(query->order[0].field, Field::kCreateTime);
  EXPECT_TRUE(query->order[0].descending);
  EXPECT_FALSE(query->order[1].descending);
  EXPECT_EQ(query->order[3].field, Field::kName);
  EXPECT_EQ(ParseListQuery("", "name desc")->order.size(), 1u);
  EXPECT_THAT(Problems("", "create desc, state up, task, task desc,"),
              ElementsAre("orderBy at 1: \"create\" is no field; allowed: name, state, split, architecture, task, "
                          "create_time",
                          "orderBy at 13: \"up\" stands after state; allowed: desc, asc or nothing",
                          "orderBy at 29: task comes twice",
                          "orderBy at 40: \"\" is no field; allowed: name, state, split, architecture, task, "
                          "create_time"));
}

TEST(ListQuery, APlaceIsReadBackAndStandsInTheOrder) {
  Experiment early, late;
  early.id = "b";
  early.create_ms = 900;
  late.id = "a";
  late.create_ms = 10'000;
  const auto query = *ParseListQuery("", "create_time desc");
  EXPECT_THAT(*ValuesOfPlace(query, PlaceOf(query, late)), ElementsAre("10000", "a"));
  EXPECT_TRUE(StandsBefore(query, late, early)) << "times are numbers";
  EXPECT_FALSE(StandsBefore(query, early, late));
  EXPECT_FALSE(StandsBefore(query, late, late));
  EXPECT_TRUE(StandsBefore({}, late, early));
  for (const char* none : {"a", "x\na", "1\na\nb"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ValuesOfPlace(query, none).status())) << none;
  }
}

}  // namespace
}  // namespace gradeline

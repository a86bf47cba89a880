#include "server/store/sql/experiment_list.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/core/base/status.h"
#include "server/core/experiment/codec.h"
#include "server/store/sql/reads.h"

namespace gradeline {
namespace {

using Field = ListQuery::Field;
using Operator = ListQuery::Operator;

const char* ColumnOf(Field field) {
  switch (field) {
    case Field::kState:
      return "state";
    case Field::kSplit:
      return "split";
    case Field::kArchitecture:
      return "architecture";
    case Field::kTask:
      return "task";
    case Field::kCreateTime:
      return "create_ms";
    default:
      return "name";
  }
}

const char* SignOf(Operator op) {
  switch (op) {
    case Operator::kIsNot:
      return " <> ";
    case Operator::kBelow:
      return " < ";
    case Operator::kAtMost:
      return " <= ";
    case Operator::kAbove:
      return " > ";
    case Operator::kAtLeast:
      return " >= ";
    default:
      return " = ";
  }
}

// A statement and its values; all of its text is ours, and values are bound.
class Builder {
 public:
  Builder(const ListQuery& query, int limit, const std::vector<std::string>& after) : query_(query) {
    std::string where = query.show_deleted ? "1 = 1" : "delete_ms = 0";
    for (const ListQuery::Term& term : query.terms) absl::StrAppend(&where, " AND ", TermOf(term));
    if (!after.empty()) absl::StrAppend(&where, " AND ", After(0, after));
    std::string order;
    for (const ListQuery::Order& by : query.order) {
      absl::StrAppend(&order, order.empty() ? "" : ", ", ColumnOf(by.field), by.descending ? " DESC" : "");
    }
    // What is inside needs nothing but the index; specs are read of those that are found.
    sql_ = absl::StrCat("SELECT " GRADELINE_EXPERIMENT_COLUMNS " FROM (SELECT no AS found FROM experiments WHERE ",
                        where, " ORDER BY ", order, " LIMIT ", Value(int64_t{limit}),
                        ") AS page CROSS JOIN experiments WHERE no = found");
  }

  Query Prepare(Connection& connection) const {
    Query prepared = connection.PrepareOnce(sql_);
    for (size_t i = 0; i < values_.size(); ++i) {
      std::visit([&](const auto& value) { prepared.BindAt(static_cast<int>(i) + 1, value); }, values_[i]);
    }
    return prepared;
  }

 private:
  std::string Value(std::variant<int64_t, std::string> value) {
    values_.push_back(std::move(value));
    return absl::StrCat("?", values_.size());
  }

  std::string TermOf(const ListQuery::Term& term) {
    if (term.field == Field::kLabel) {
      const std::string with_key =
          absl::StrCat("(SELECT experiment FROM experiment_labels WHERE key = ", Value(term.label));
      if (term.op == Operator::kHas) return absl::StrCat("no IN ", with_key, ")");
      return absl::StrCat("no ", term.op == Operator::kIs ? "IN " : "NOT IN ", with_key,
                          " AND value = ", Value(term.value), ")");
    }
    if (term.field == Field::kCreateTime) {
      return absl::StrCat("create_ms", SignOf(term.op), Value(term.value_ms));
    }
    if (term.op == Operator::kBeginsWith || term.op == Operator::kBeginsNotWith) {
      // Of all characters that names have, none stands after "~".
      const std::string begins =
          absl::StrCat("(name >= ", Value(term.value), " AND name < ", Value(term.value + "~"), ")");
      return term.op == Operator::kBeginsWith ? begins : absl::StrCat("NOT ", begins);
    }
    return absl::StrCat(ColumnOf(term.field), SignOf(term.op), Value(term.value));
  }

  // Whether a row stands behind the place in the order from its entry `i` on.
  std::string After(size_t i, const std::vector<std::string>& place) {
    const ListQuery::Order& by = query_.order[i];
    const std::string value =
        by.field == Field::kCreateTime ? Value(int64_t{std::strtoll(place[i].c_str(), nullptr, 10)}) : Value(place[i]);
    const std::string beyond = absl::StrCat(ColumnOf(by.field), by.descending ? " < " : " > ", value);
    if (i + 1 == place.size()) return beyond;
    return absl::StrCat("(", beyond, " OR (", ColumnOf(by.field), " = ", value, " AND ", After(i + 1, place), "))");
  }

  const ListQuery& query_;
  std::string sql_;
  std::vector<std::variant<int64_t, std::string>> values_;
};

}  // namespace

absl::StatusOr<std::vector<Experiment>> ReadExperiments(Connection& connection, const ListQuery& query, int limit,
                                                        const std::string& after) {
  std::vector<std::string> place;
  if (!after.empty()) {
    GRADELINE_ASSIGN_OR_RETURN(place, ValuesOfPlace(query, after));
  }
  Query found = Builder(query, limit, place).Prepare(connection);
  std::vector<Experiment> list;
  GRADELINE_RETURN_IF_ERROR(ForRows(found, [&]() -> absl::Status {
    GRADELINE_ASSIGN_OR_RETURN(Experiment experiment, ExperimentOf(found));
    list.push_back(std::move(experiment));
    return absl::OkStatus();
  }));
  std::sort(list.begin(), list.end(),
            [&query](const Experiment& a, const Experiment& b) { return StandsBefore(query, a, b); });
  return list;
}

absl::Status FillExperimentColumns(Connection& connection) {
  std::vector<std::pair<int64_t, Experiment>> unlisted;
  {
    Query query = connection.Prepare("SELECT no, spec FROM experiments WHERE create_ms < 0 ORDER BY no");
    GRADELINE_RETURN_IF_ERROR(ForRows(query, [&] {
      // One that cannot be read is found by its name alone; whoever looks at it is told.
      absl::StatusOr<Experiment> experiment = Decode<Experiment>(query.View(1));
      unlisted.emplace_back(query.Number(0), experiment.ok() ? *std::move(experiment) : Experiment());
      return absl::OkStatus();
    }));
  }
  if (unlisted.empty()) return absl::OkStatus();
  GRADELINE_RETURN_IF_ERROR(connection.Execute("BEGIN"));
  for (const auto& [no, experiment] : unlisted) {
    connection.Prepare("UPDATE experiments SET split = ?2, architecture = ?3, task = ?4, create_ms = ?5 WHERE no = ?1")
        .Bind(no, experiment.split, experiment.architecture, experiment.task,
              std::max<int64_t>(experiment.create_ms, 0))
        .Send();
  }
  absl::Status status = connection.failure();
  if (status.ok()) status = connection.Execute("COMMIT");
  if (!status.ok()) connection.Rollback();
  return status;
}

}  // namespace gradeline

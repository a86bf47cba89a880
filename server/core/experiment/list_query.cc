#include "server/core/experiment/list_query.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "server/core/base/status.h"
#include "server/core/base/utf8.h"
#include "server/core/experiment/labels.h"
#include "server/core/experiment/names.h"

namespace gradeline {
namespace {

using Field = ListQuery::Field;
using Operator = ListQuery::Operator;

constexpr size_t kMostTerms = 32;
constexpr int64_t kYear1 = -62'135'596'800, kYear10000 = 253'402'300'800;  // seconds since 1970; as of a Timestamp
constexpr char kFields[] = "name, state, split, architecture, task, create_time";
constexpr char kLabels[] = "labels.";

std::optional<Field> FieldOf(absl::string_view name) {
  constexpr std::pair<absl::string_view, Field> kKnown[] = {
      {"name", Field::kName},   {"state", Field::kState},
      {"split", Field::kSplit}, {"architecture", Field::kArchitecture},
      {"task", Field::kTask},   {"create_time", Field::kCreateTime}};
  for (const auto& [known, field] : kKnown) {
    if (name == known) return field;
  }
  return std::nullopt;
}

// Takes a filter apart, collecting what is wrong. A wrong field or value is no reason to stop; what cannot be read is.
class FilterReader {
 public:
  FilterReader(absl::string_view text, Violations& violations) : text_(text), violations_(violations) {}

  std::vector<ListQuery::Term> Run() {
    SkipSpace();
    while (!AtEnd() && ReadTerm()) {
      SkipSpace();
      if (AtEnd()) break;
      const size_t at = at_;
      if (const absl::string_view word = Take(kWord); word != "AND") {
        Problem(at, absl::StrCat(Quoted(std::string(word.empty() ? text_.substr(at, 1) : word)),
                                 " stands between two terms; allowed: AND (OR, NOT and parentheses are not)"));
        break;
      }
      SkipSpace();
      if (AtEnd()) Problem(at_, "a term is missing after AND");
    }
    if (terms_.size() > kMostTerms) {
      Problem(0, absl::StrCat("has ", terms_.size(), " terms; allowed: up to ", kMostTerms));
    }
    return std::move(terms_);
  }

 private:
  static constexpr absl::string_view kWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  static constexpr absl::string_view kSigns = "=!<>:";

  bool AtEnd() const { return at_ >= text_.size(); }
  void SkipSpace() {
    while (!AtEnd() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  // What follows of these characters.
  absl::string_view Take(absl::string_view of) {
    const size_t begin = at_;
    at_ = std::min(text_.find_first_not_of(of, at_), text_.size());
    return text_.substr(begin, at_ - begin);
  }
  void Problem(size_t at, absl::string_view what) {
    violations_.Add("filter", absl::StrCat("at ", at + 1, ": ", what));
  }

  bool ReadTerm() {
    const size_t at = at_;
    const std::string name(Take(kWord));
    if (name.empty()) {
      Problem(at, absl::StrCat(Quoted(std::string(text_.substr(at, 1))), " begins no term; allowed: ", kFields,
                               ", labels.KEY"));
      return false;
    }
    SkipSpace();
    const size_t sign_at = at_;
    const std::string sign(Take(kSigns));
    if (sign.empty()) {
      Problem(sign_at, absl::StrCat("an operator is missing after ", name, "; allowed: =, !=, <, <=, >, >=, :"));
      return false;
    }
    SkipSpace();
    const size_t value_at = at_;
    const std::optional<std::string> value = ReadValue();
    if (!value) return false;
    ListQuery::Term term;
    if (SetField(at, name, term) && SetOperator(sign_at, name, sign, term) && SetValue(value_at, *value, term)) {
      terms_.push_back(std::move(term));
    }
    return true;
  }

  std::optional<std::string> ReadValue() {
    const size_t begin = at_;
    std::string value;
    if (AtEnd() || text_[at_] != '"') {
      while (!AtEnd() && !absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) value.push_back(text_[at_++]);
      if (!value.empty()) return value;
      Problem(begin, "a value is missing; \"\" is the empty one");
      return std::nullopt;
    }
    for (++at_; !AtEnd(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return value;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      value.push_back(text_[at_]);
    }
    Problem(begin, "a double quote has no end");
    return std::nullopt;
  }

  bool SetField(size_t at, const std::string& name, ListQuery::Term& term) {
    if (absl::StartsWith(name, kLabels)) {
      term.field = Field::kLabel;
      term.label = name.substr(sizeof(kLabels) - 1);
      if (IsLabelKey(term.label)) return true;
      Problem(at, absl::StrCat(Quoted(term.label), " is no key of a label; allowed: ", kLabelKeyRule));
      return false;
    }
    const std::optional<Field> field = FieldOf(name);
    if (!field) {
      Problem(at, absl::StrCat(Quoted(name), " is no field; allowed: ", kFields, ", labels.KEY"));
      return false;
    }
    term.field = *field;
    return true;
  }

  bool SetOperator(size_t at, const std::string& name, const std::string& sign, ListQuery::Term& term) {
    struct Known {
      absl::string_view sign;
      Operator op;
    };
    constexpr Known kOfTime[] = {
        {"<", Operator::kBelow}, {"<=", Operator::kAtMost}, {">", Operator::kAbove}, {">=", Operator::kAtLeast}};
    constexpr Known kOfText[] = {{"=", Operator::kIs}, {"!=", Operator::kIsNot}, {":", Operator::kHas}};
    const bool time = term.field == Field::kCreateTime;
    const size_t of_text = term.field == Field::kLabel ? 3 : 2;
    for (size_t i = 0; i < (time ? 4 : of_text); ++i) {
      const Known& known = time ? kOfTime[i] : kOfText[i];
      if (known.sign != sign) continue;
      term.op = known.op;
      return true;
    }
    Problem(at, absl::StrCat(Quoted(sign), " is no operator of ", name,
                             "; allowed: ", time ? "<, <=, >, >=" : (of_text == 3 ? "=, !=, :" : "=, !=")));
    return false;
  }

  bool SetValue(size_t at, std::string value, ListQuery::Term& term) {
    switch (term.field) {
      case Field::kCreateTime:
        return SetTime(at, value, term);
      case Field::kState: {
        const auto state = ParseExperimentState(std::string(absl::StripPrefix(value, "EXPERIMENT_STATE_")));
        if (!state) {
          Problem(at, absl::StrCat(Quoted(value), " is no state; allowed: ", StateNames()));
          return false;
        }
        term.value = NameOf(*state);
        return true;
      }
      case Field::kLabel:
        if (term.op == Operator::kHas && value != "*") {
          Problem(at, absl::StrCat(Quoted(value), " stands after \":\"; allowed: *"));
          return false;
        }
        term.value = std::move(value);
        return true;
      default:
        return SetId(at, value, term);
    }
  }

  bool SetId(size_t at, const std::string& given, ListQuery::Term& term) {
    const bool name = term.field == Field::kName;
    absl::string_view id = given;
    if (name) id = absl::StripPrefix(id, "experiments/");
    if (term.field == Field::kSplit) id = absl::StripPrefix(id, "splits/");
    if (name && absl::EndsWith(id, "*")) {
      id.remove_suffix(1);
      term.op = term.op == Operator::kIs ? Operator::kBeginsWith : Operator::kBeginsNotWith;
    }
    if (id.find('*') != absl::string_view::npos) {
      Problem(at, absl::StrCat(Quoted(given), " has a *; allowed: one at the end of a name"));
      return false;
    }
    term.value = std::string(id);
    return true;
  }

  bool SetTime(size_t at, const std::string& value, ListQuery::Term& term) {
    absl::Time time;
    // It would also take "infinite-future", and years that milliseconds cannot count.
    if (!absl::ParseTime(absl::RFC3339_full, value, &time, nullptr) || time < absl::FromUnixSeconds(kYear1) ||
        time >= absl::FromUnixSeconds(kYear10000)) {
      Problem(at, absl::StrCat(Quoted(value), " is no time; allowed: as \"2026-01-31T08:00:00Z\""));
      return false;
    }
    // Experiments are made at whole milliseconds.
    term.value_ms = absl::ToUnixMillis(time);
    const bool between = absl::FromUnixMillis(term.value_ms) < time;
    if (between && (term.op == Operator::kBelow || term.op == Operator::kAtLeast)) ++term.value_ms;
    return true;
  }

  static std::string StateNames() {
    std::vector<std::string> names;
    for (int number = 1; number <= static_cast<int>(ExperimentState::kLost); ++number) {
      names.emplace_back(NameOf(static_cast<ExperimentState>(number)));
    }
    return absl::StrJoin(names, ", ");
  }

  const absl::string_view text_;
  Violations& violations_;
  size_t at_ = 0;
  std::vector<ListQuery::Term> terms_;
};

std::vector<ListQuery::Order> ReadOrder(absl::string_view text, Violations& violations) {
  std::vector<ListQuery::Order> order;
  const auto problem = [&](absl::string_view part, absl::string_view what) {
    violations.Add("orderBy", absl::StrCat("at ", part.data() - text.data() + 1, ": ", what));
  };
  const auto named = [&order](Field field) {
    return std::any_of(order.begin(), order.end(), [field](const auto& entry) { return entry.field == field; });
  };
  if (!absl::StripAsciiWhitespace(text).empty()) {
    for (const absl::string_view part : absl::StrSplit(text, ',')) {
      const std::vector<std::string> words = absl::StrSplit(part, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
      const std::optional<Field> field = words.empty() ? std::nullopt : FieldOf(words[0]);
      if (!field) {
        problem(part, absl::StrCat(Quoted(words.empty() ? "" : words[0]), " is no field; allowed: ", kFields));
      } else if (words.size() > 2 || (words.size() == 2 && words[1] != "desc" && words[1] != "asc")) {
        problem(part, absl::StrCat(Quoted(words[1]), " stands after ", words[0], "; allowed: desc, asc or nothing"));
      } else if (named(*field)) {
        problem(part, absl::StrCat(words[0], " comes twice"));
      } else {
        order.push_back({*field, words.size() == 2 && words[1] == "desc"});
      }
    }
  }
  if (!named(Field::kName)) order.push_back({});
  return order;
}

std::string ValueOf(Field field, const Experiment& experiment) {
  switch (field) {
    case Field::kName:
      return experiment.id;
    case Field::kState:
      return NameOf(experiment.state);
    case Field::kSplit:
      return experiment.split;
    case Field::kArchitecture:
      return experiment.architecture;
    case Field::kTask:
      return experiment.task;
    default:
      return absl::StrCat(experiment.create_ms);
  }
}

int Compare(Field field, const Experiment& a, const Experiment& b) {
  if (field == Field::kCreateTime) return a.create_ms < b.create_ms ? -1 : (a.create_ms > b.create_ms ? 1 : 0);
  return ValueOf(field, a).compare(ValueOf(field, b));
}

}  // namespace

absl::StatusOr<ListQuery> ParseListQuery(const std::string& filter, const std::string& order_by) {
  Violations violations;
  ListQuery query;
  query.terms = FilterReader(filter, violations).Run();
  query.order = ReadOrder(order_by, violations);
  GRADELINE_RETURN_IF_ERROR(violations.ToStatus());
  return query;
}

std::string PlaceOf(const ListQuery& query, const Experiment& experiment) {
  return absl::StrJoin(query.order, "\n", [&experiment](std::string* out, const ListQuery::Order& order) {
    absl::StrAppend(out, ValueOf(order.field, experiment));
  });
}

absl::StatusOr<std::vector<std::string>> ValuesOfPlace(const ListQuery& query, const std::string& place) {
  std::vector<std::string> values = absl::StrSplit(place, '\n');
  bool good = values.size() == query.order.size();
  for (size_t i = 0; good && i < values.size(); ++i) {
    int64_t ms = 0;
    good = query.order[i].field != Field::kCreateTime || absl::SimpleAtoi(values[i], &ms);
  }
  if (good) return values;
  Violations violations;
  violations.Add("pageToken", absl::StrCat(Quoted(place), " is no place in this order"));
  return violations.ToStatus();
}

bool StandsBefore(const ListQuery& query, const Experiment& a, const Experiment& b) {
  for (const ListQuery::Order& order : query.order) {
    const int compared = Compare(order.field, a, b);
    if (compared != 0) return order.descending ? compared > 0 : compared < 0;
  }
  return false;
}

}  // namespace gradeline

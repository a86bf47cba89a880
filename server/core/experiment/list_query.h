// Which experiments a list is of, and in what order: read from the texts of a request, and what a store is asked.
#ifndef GRADELINE_SERVER_CORE_EXPERIMENT_LIST_QUERY_H_
#define GRADELINE_SERVER_CORE_EXPERIMENT_LIST_QUERY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/experiment/types.h"

namespace gradeline {

struct ListQuery {
  enum class Field : uint8_t { kName, kState, kSplit, kArchitecture, kTask, kCreateTime, kLabel };
  enum class Operator : uint8_t { kIs, kIsNot, kBeginsWith, kBeginsNotWith, kHas, kBelow, kAtMost, kAbove, kAtLeast };

  /// One condition; all must hold.
  struct Term {
    Field field = Field::kName;
    Operator op = Operator::kIs;
    std::string label;     ///< kLabel: its key
    std::string value;     ///< an id without its collection, a state's name, a label's value
    int64_t value_ms = 0;  ///< kCreateTime
  };
  struct Order {
    Field field = Field::kName;
    bool descending = false;
  };

  std::vector<Term> terms;
  std::vector<Order> order = {{}};  ///< ends with the name, so that no two are equal
  bool show_deleted = false;
};

/// INVALID_ARGUMENT with fields "filter" and "orderBy", each violation with its position, from 1 in bytes. The grammar
/// is that of gradeline.v1.ListExperimentsRequest.
absl::StatusOr<ListQuery> ParseListQuery(const std::string& filter, const std::string& order_by);

/// Where an experiment stands in the order: what a list that goes on after it begins with.
std::string PlaceOf(const ListQuery& query, const Experiment& experiment);
/// The values of a place, one for each entry of the order. INVALID_ARGUMENT with field "pageToken" if it is none.
absl::StatusOr<std::vector<std::string>> ValuesOfPlace(const ListQuery& query, const std::string& place);

/// Whether `a` stands before `b`.
bool StandsBefore(const ListQuery& query, const Experiment& a, const Experiment& b);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_EXPERIMENT_LIST_QUERY_H_

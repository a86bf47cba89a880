// What one parameter asks of others: "momentum > 0". Parsed here, checked when values are.
#ifndef GRADELINE_SERVER_CORE_LOSS_CONDITION_H_
#define GRADELINE_SERVER_CORE_LOSS_CONDITION_H_

#include <optional>
#include <string>
#include <string_view>

#include "server/core/loss/params.h"

namespace gradeline {

/// left op right: `left` is a parameter, `op` one of = != < <= > >=, `right` a number, a word or another parameter.
struct Condition {
  std::string left, op, right;
};

/// nullopt if `text` is not three words of that form.
std::optional<Condition> ParseCondition(std::string_view text);

/// Whether it holds for resolved values. One about a parameter that is off holds.
bool Holds(const Condition& condition, const ParamMap& params);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_LOSS_CONDITION_H_

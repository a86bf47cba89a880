#include "server/core/loss/condition.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace gradeline {
namespace {

constexpr std::array<std::string_view, 6> kOperators{"=", "!=", "<", "<=", ">", ">="};

bool Compare(double left, std::string_view op, double right) {
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  if (op == ">=") return left >= right;
  return (op == "=") == (left == right);
}

}  // namespace

std::optional<Condition> ParseCondition(std::string_view text) {
  const std::vector<std::string> words =
      absl::StrSplit(absl::string_view(text.data(), text.size()), ' ', absl::SkipEmpty());
  if (words.size() != 3) return std::nullopt;
  if (std::find(kOperators.begin(), kOperators.end(), words[1]) == kOperators.end()) return std::nullopt;
  return Condition{words[0], words[1], words[2]};
}

bool Holds(const Condition& condition, const ParamMap& params) {
  const auto left = params.find(condition.left);
  if (left == params.end()) return true;
  const auto named = params.find(condition.right);
  const ParamValue right = named == params.end() ? ParamValue(condition.right) : named->second;
  const auto* number = std::get_if<double>(&left->second);
  const auto* other = std::get_if<double>(&right);
  double literal = 0;
  if (number != nullptr && other != nullptr) return Compare(*number, condition.op, *other);
  if (number != nullptr && absl::SimpleAtod(condition.right, &literal)) return Compare(*number, condition.op, literal);
  // A name whose parameter is off compares with nothing.
  if (number != nullptr) return true;
  return (condition.op == "=") == (ParamText(left->second) == ParamText(right));
}

}  // namespace gradeline

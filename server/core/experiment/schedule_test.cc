#include "server/core/experiment/schedule.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace gradeline {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Case {
  std::string text, id;
  double base = 0;
  ParamMap params;
  std::vector<double> losses, rates, momenta;
};

ParamValue ValueOf(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  std::vector<double> numbers;
  for (const auto part : absl::StrSplit(text, ',')) {
    if (!absl::SimpleAtod(part, &numbers.emplace_back())) return text;
  }
  return numbers.size() == 1 ? ParamValue(numbers[0]) : ParamValue(numbers);
}

// What golden/make_schedules.py wrote.
std::vector<Case> Cases() {
  std::ifstream file(std::string(GRADELINE_SOURCE_DIR) + "/server/core/experiment/golden/schedules.txt");
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first, word;
    words >> first;
    if (first == "case") {
      Case& made = cases.emplace_back();
      made.text = line;
      words >> made.id >> made.base;
      while (words >> word) made.params[word.substr(0, word.find('='))] = ValueOf(word.substr(word.find('=') + 1));
      // A list of one looks like a number.
      if (auto* one = std::get_if<double>(&made.params["milestones"])) {
        made.params["milestones"] = std::vector<double>{*one};
      }
      if (made.id != "multi_step_lr") made.params.erase("milestones");
    } else if (first == "losses" || first == "rates" || first == "momenta") {
      Case& made = cases.back();
      std::vector<double>& list = first == "losses" ? made.losses : first == "rates" ? made.rates : made.momenta;
      while (words >> word) list.push_back(std::strtod(word.c_str(), nullptr));
    }
  }
  return cases;
}

TEST(Schedule, EqualsPyTorchBitForBit) {
  std::map<std::string, int> seen;
  for (const Case& golden : Cases()) {
    ++seen[golden.id];
    Schedule schedule(golden.id, golden.params, golden.base);
    ASSERT_GT(golden.rates.size(), 40u) << golden.text;
    for (size_t epoch = 0; epoch < golden.rates.size(); ++epoch) {
      ASSERT_EQ(schedule.rate().learning_rate, golden.rates[epoch]) << golden.text << ", epoch " << epoch;
      ASSERT_EQ(schedule.rate().momentum.has_value(), !golden.momenta.empty()) << golden.text;
      if (!golden.momenta.empty()) {
        ASSERT_EQ(*schedule.rate().momentum, golden.momenta[epoch]) << golden.text << ", epoch " << epoch;
      }
      schedule.Step(epoch < golden.losses.size() ? golden.losses[epoch] : kNan);
    }
  }
  const std::map<std::string, int> expected{{"step_lr", 5},   {"multi_step_lr", 4},       {"exponential_lr", 4},
                                            {"cyclic_lr", 9}, {"cosine_annealing_lr", 6}, {"reduce_lr_on_plateau", 9}};
  EXPECT_EQ(seen, expected);
}

TEST(Schedule, APlateauGoesOnFromItsState) {
  for (const Case& golden : Cases()) {
    if (golden.id != kReduceOnPlateau) continue;
    Schedule before(golden.id, golden.params, golden.base);
    for (size_t epoch = 0; epoch < golden.losses.size(); ++epoch) {
      // A new one each time, as the server has: it keeps rate and state with each seal.
      Schedule after(golden.id, golden.params, golden.base);
      after.Resume(before.rate().learning_rate, *before.plateau());
      after.Step(golden.losses[epoch]);
      ASSERT_EQ(after.rate().learning_rate, golden.rates[epoch + 1]) << golden.text << ", epoch " << epoch;
      before = after;
    }
  }
}

TEST(Schedule, NoneKeepsTheRate) {
  Schedule schedule("", {}, 0.25);
  for (int i = 0; i < 3; ++i) schedule.Step(kNan);
  EXPECT_EQ(schedule.rate(), (Rate{0.25, std::nullopt}));
  EXPECT_EQ(schedule.epoch(), 3);
  EXPECT_FALSE(schedule.plateau().has_value());
}

}  // namespace
}  // namespace gradeline

// Every case of golden/*.json: inputs, parameters, and what a reference library said. golden/make_*.py made them.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "server/core/metric/test_batch.h"

namespace gradeline {
namespace {

using Json = nlohmann::json;

OwnedBatch BatchOf(const Json& golden) {
  OwnedBatch batch{golden.at("signal"), {}, golden.value("ignore_index", int64_t{-100})};
  for (const Json& input : golden.at("inputs")) {
    batch.tensors.emplace_back(input.at("name"), *ParseDType(input.at("dtype").get<std::string>()),
                               input.at("shape").get<std::vector<int64_t>>(),
                               input.at("data").get<std::vector<double>>());
  }
  return batch;
}

ParamMap ParamsOf(const Json& golden) {
  ParamMap params;
  const Json given = golden.value("params", Json::object());
  for (const auto& [key, value] : given.items()) {
    if (value.is_number()) params[key] = value.get<double>();
    if (value.is_boolean()) params[key] = value.get<bool>();
    if (value.is_string()) params[key] = value.get<std::string>();
  }
  return params;
}

void ExpectNumber(double got, double wanted, double tolerance, const std::string& what) {
  EXPECT_LE(std::abs(got - wanted), tolerance * std::max(1.0, std::abs(wanted)))
      << what << " is " << got << ", the reference says " << wanted;
}

// What a case does not say of the result is not compared.
void Compare(const Json& golden, const MetricResult& result) {
  const Json& expected = golden.at("expect");
  const double tolerance = golden.value("tolerance", 1e-12);
  if (expected.contains("value")) ExpectNumber(result.value, expected.at("value"), tolerance, "value");
  EXPECT_EQ(result.count, expected.value("count", result.count));
  EXPECT_THAT(result.note, ::testing::HasSubstr(expected.value("note", "")));
  std::map<std::string, double> numbers;
  for (const NamedNumber& number : result.numbers) numbers[number.name] = number.value;
  const Json wanted_numbers = expected.value("numbers", Json::object());
  for (const auto& [name, wanted] : wanted_numbers.items()) {
    ASSERT_TRUE(numbers.contains(name)) << name;
    ExpectNumber(numbers[name], wanted, tolerance, name);
  }
  std::map<std::string, double> classes;
  for (const ClassNumber& number : result.classes) classes[std::to_string(number.index)] = number.value;
  const Json wanted_classes = expected.value("classes", Json::object());
  for (const auto& [index, wanted] : wanted_classes.items()) {
    if (wanted.is_null()) {
      EXPECT_FALSE(classes.contains(index)) << "class " << index << " is not defined";
      continue;
    }
    ASSERT_TRUE(classes.contains(index)) << index;
    ExpectNumber(classes[index], wanted, tolerance, "class " + index);
  }
  if (expected.contains("matrix")) {
    const auto cells = expected.at("matrix").get<std::vector<double>>();
    ASSERT_EQ(result.matrix.cells.size(), cells.size());
    for (size_t i = 0; i < cells.size(); ++i) ExpectNumber(result.matrix.cells[i], cells[i], tolerance, "a cell");
  }
  const Json curves = expected.value("curves", Json::array());
  for (size_t c = 0; c < curves.size(); ++c) {
    const Json& curve = curves.at(c);
    ASSERT_GT(result.curves.size(), c);
    const auto x = curve.at("x").get<std::vector<double>>(), y = curve.at("y").get<std::vector<double>>();
    ASSERT_EQ(result.curves[c].x.size(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      ExpectNumber(result.curves[c].x[i], x[i], tolerance, "x");
      ExpectNumber(result.curves[c].y[i], y[i], tolerance, "y");
    }
  }
}

TEST(GoldenTest, EveryCase) {
  size_t cases = 0;
  for (const auto& file : std::filesystem::directory_iterator(GRADELINE_SOURCE_DIR "/server/core/metric/golden")) {
    if (file.path().extension() != ".json") continue;
    const Json golden = Json::parse(std::ifstream(file.path()));
    for (const Json& one : golden.at("cases")) {
      SCOPED_TRACE(file.path().filename().string() + ": " + one.at("name").get<std::string>());
      ++cases;
      const absl::StatusOr<MetricResult> result = Evaluate(one.at("metric"), {BatchOf(one)}, ParamsOf(one));
      if (one.contains("error")) {
        EXPECT_THAT(std::string(result.status().message()), ::testing::HasSubstr(one.at("error")));
        continue;
      }
      ASSERT_TRUE(result.ok()) << result.status();
      Compare(one, *result);
    }
  }
  EXPECT_GT(cases, 0u);
}

}  // namespace
}  // namespace gradeline

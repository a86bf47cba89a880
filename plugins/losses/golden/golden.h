// Reads golden.txt, and compares a loss with it on the small host of the conformance suite. For tests only.
#ifndef GRADELINE_PLUGINS_LOSSES_GOLDEN_GOLDEN_H_
#define GRADELINE_PLUGINS_LOSSES_GOLDEN_GOLDEN_H_

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "plugins/sdk/conformance.h"

namespace gradeline::conformance {

struct GoldenArray {
  bool label = false;
  std::vector<int64_t> shape;
  std::vector<double> values;
};

struct GoldenCase {
  std::string name;
  ParamValues params;
  std::map<std::string, GoldenArray> inputs;
  double sum = 0, denominator = 0, mean = 0;
  GoldenArray items, gradient;
};

inline GoldenArray ReadArray(std::istream& line) {
  GoldenArray array;
  std::string shape, colon;
  line >> shape >> colon;
  std::istringstream sizes(shape);
  for (std::string size; std::getline(sizes, size, 'x');) array.shape.push_back(std::stoll(size));
  for (std::string value; line >> value;) array.values.push_back(std::stod(value));
  return array;
}

/// The cases of one loss.
inline std::vector<GoldenCase> ReadGolden(const std::string& path, const std::string& loss) {
  std::vector<GoldenCase> cases;
  std::ifstream file(path);
  bool mine = false;
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    std::string word, name;
    line >> word;
    if (word == "case") {
      line >> name;
      mine = name == loss;
      if (mine) line >> cases.emplace_back().name;
    }
    if (!mine || word == "case") continue;
    GoldenCase& golden = cases.back();
    if (word == "param") {
      line >> name;
      for (std::string value; line >> value;) golden.params[name].push_back(std::stod(value));
    } else if (word == "input") {
      std::string kind;
      line >> name >> kind;
      golden.inputs[name] = ReadArray(line);
      golden.inputs[name].label = kind == "label";
    } else if (word == "items" || word == "gradient") {
      (word == "items" ? golden.items : golden.gradient) = ReadArray(line);
    } else {
      std::string value;
      line >> value;
      (word == "sum" ? golden.sum : word == "mean" ? golden.mean : golden.denominator) = std::stod(value);
    }
  }
  return cases;
}

/// Sizes of the axes that `dims` names, from the shape of a tensor; * gets the product of the rest.
inline Axes AxesOf(const std::string& dims, const std::vector<int64_t>& shape) {
  Axes axes;
  size_t next = 0;
  std::istringstream words(dims);
  for (std::string word; words >> word;) {
    const std::string name = word.back() == '?' ? word.substr(0, word.size() - 1) : word;
    axes[name] = 1;
    if (name == "*") {
      while (next < shape.size()) axes[name] *= shape[next++];
    } else if (next < shape.size()) {
      axes[name] = shape[next++];
    }
  }
  return axes;
}

/// Runs a loss on arrays by name; labels equal to ignore_index arrive as -1, as a host passes them on.
inline RunResult RunArrays(const GdlLoss& loss, const ParamValues& params,
                           const std::map<std::string, GoldenArray>& inputs, const RunOptions& options = {}) {
  const std::string dims = loss.tensors[0] == nullptr ? "" : loss.tensors[0]->dims;
  std::vector<bool> present;
  for (size_t t = 0; loss.tensors[t] != nullptr; ++t) {
    const auto found = inputs.find(loss.tensors[t]->name);
    present.push_back(found != inputs.end() && found->second.label == (loss.tensors[t]->kind == GDL_LABEL));
  }
  Batch batch = BindBatch(loss, AxesOf(dims, inputs.at("prediction").shape), present);
  const auto ignore = params.find("ignore_index");
  for (size_t t = 0; t < present.size(); ++t) {
    if (!present[t]) continue;
    const std::vector<double>& values = inputs.at(loss.tensors[t]->name).values;
    EXPECT_EQ(values.size(), batch.tensors[t].label ? batch.tensors[t].labels.size() : batch.tensors[t].real.size());
    if (!batch.tensors[t].label) batch.tensors[t].real = values;
    for (size_t i = 0; batch.tensors[t].label && i < values.size(); ++i) {
      const bool ignored = values[i] == (ignore == params.end() ? -100 : ignore->second[0]);
      batch.tensors[t].labels[i] = ignored ? -1 : static_cast<int32_t>(values[i]);
    }
  }
  const State state(loss, params);
  EXPECT_EQ(state.status(), 0) << state.refusal();
  RunResult result = RunBatch(loss, state, batch, options);
  EXPECT_EQ(result.status, 0) << result.refusal;
  for (const std::string& problem : result.broken) ADD_FAILURE() << problem;
  return result;
}

/// Every golden case of the loss in f64, to 1e-12 of the largest. Returns how many there were.
inline size_t CheckGolden(const GdlLoss& loss, const std::string& path) {
  const std::vector<GoldenCase> cases = ReadGolden(path, loss.id);
  for (const GoldenCase& golden : cases) {
    const RunResult got = RunArrays(loss, golden.params, golden.inputs);
    for (const std::string& text : {Difference("sum", {golden.sum}, got.numerator, 1e-12),
                                    Difference("denominator", {golden.denominator}, got.denominator, 1e-12),
                                    Difference("mean", {golden.mean}, {got.numerator[0] / got.denominator[0]}, 1e-12),
                                    Difference("items", golden.items.values, got.item_loss, 1e-12),
                                    Difference("gradient", golden.gradient.values, got.gradient[0], 1e-12)}) {
      EXPECT_EQ(text, "") << golden.name;
    }
  }
  return cases.size();
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_LOSSES_GOLDEN_GOLDEN_H_

// What a metric comes to. Plain values.
#ifndef GRADELINE_SERVER_CORE_METRIC_RESULT_H_
#define GRADELINE_SERVER_CORE_METRIC_RESULT_H_

#include <cstdint>
#include <string>
#include <vector>

namespace gradeline {

/// One number of a metric by its name: "ap50", "precision".
struct NamedNumber {
  std::string name;
  double value = 0;
  bool operator==(const NamedNumber&) const = default;
};

/// The metric of one class (of one output of a regression).
struct ClassNumber {
  int32_t index = 0;
  double value = 0;
  int64_t count = 0;  ///< its support: items or objects that are of the class
  bool operator==(const ClassNumber&) const = default;
};

/// A line through points, of one class; 1,000 of them at most, taken evenly where there are more.
struct Curve {
  int32_t index = 0;
  std::string x_name, y_name;  ///< "recall", "precision"
  std::vector<double> x, y;
  bool operator==(const Curve&) const = default;
};

/// Row by row; the rows are the right classes, the columns the predicted ones.
struct Matrix {
  int32_t rows = 0, columns = 0;
  std::vector<double> cells;
  bool operator==(const Matrix&) const = default;
};

struct MetricResult {
  double value = 0;
  int64_t count = 0;                      ///< what it is over; 0: it is not defined, and value is 0
  double error = 0;                       ///< value is at most this far from the exact one; 0: exact up to rounding
  std::vector<NamedNumber> numbers = {};  ///< what else it comes to; what is not defined is left out
  std::vector<ClassNumber> classes = {};  ///< in order; classes for which it is not defined are left out
  std::vector<Curve> curves = {};
  Matrix matrix = {};
  std::string note = {};  ///< why it is not defined, where there is something to say
  bool operator==(const MetricResult&) const = default;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_RESULT_H_

// See metric_text.h.
#include "client/cli/metric_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"

namespace gradeline::cli {
namespace {

constexpr int kMostColumns = 24;  // of a matrix; a wider one is not readable in a terminal
constexpr int kCurvePoints = 11;

std::string ClassName(int index, const std::vector<std::string>& classes) {
  const auto at = static_cast<size_t>(index);
  return at < classes.size() ? classes[at] : absl::StrCat(index);
}

void PrintClasses(const v1::MetricValue& metric, const std::vector<std::string>& classes, std::ostream& out) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::ClassNumber& number : metric.classes()) {
    rows.push_back({ClassName(number.index(), classes), ShortNumber(number.value()), absl::StrCat(number.count())});
  }
  PrintTable({"CLASS", "VALUE", "COUNT"}, rows, out);
}

void PrintMatrix(const v1::Matrix& matrix, const std::vector<std::string>& classes, std::ostream& out) {
  if (matrix.columns() > kMostColumns || matrix.cells_size() != matrix.rows() * matrix.columns()) {
    out << matrix.rows() << " x " << matrix.columns() << " matrix: -o json shows it\n";
    return;
  }
  std::vector<std::string> headers{"RIGHT \\ PREDICTED"};
  for (int c = 0; c < matrix.columns(); ++c) headers.push_back(ClassName(c, classes));
  std::vector<std::vector<std::string>> rows;
  for (int r = 0; r < matrix.rows(); ++r) {
    std::vector<std::string> row{ClassName(r, classes)};
    for (int c = 0; c < matrix.columns(); ++c) row.push_back(ShortNumber(matrix.cells(r * matrix.columns() + c)));
    rows.push_back(std::move(row));
  }
  PrintTable(headers, rows, out);
}

void PrintCurves(const v1::MetricValue& metric, const std::vector<std::string>& classes, std::ostream& out) {
  for (const v1::Curve& curve : metric.curves()) {
    const int points = std::min(curve.x_size(), curve.y_size());
    std::vector<std::string> x{absl::StrCat(ClassName(curve.index(), classes), " ", curve.x_name())}, y{curve.y_name()};
    const int shown = std::min(points, kCurvePoints);
    for (int i = 0; i < shown; ++i) {
      const int at = shown == 1 ? 0 : i * (points - 1) / (shown - 1);
      x.push_back(ShortNumber(curve.x(at)));
      y.push_back(ShortNumber(curve.y(at)));
    }
    PrintTable(x, {y}, out);
  }
}

}  // namespace

void PrintMetric(const v1::MetricValue& metric, const std::vector<std::string>& classes, std::ostream& out) {
  out << metric.metric() << "  ";
  if (metric.count() == 0) {
    out << "not defined";
  } else {
    out << ShortNumber(metric.value());
    if (metric.error() > 0) out << " ± " << ShortNumber(metric.error());
    out << "  (over " << metric.count() << ")";
  }
  if (!metric.head().empty()) out << "  of " << metric.head();
  if (!metric.note().empty()) out << "  " << metric.note();
  out << '\n';
  for (const v1::NamedNumber& number : metric.numbers()) {
    out << "  " << number.name() << "  " << ShortNumber(number.value()) << '\n';
  }
  PrintClasses(metric, classes, out);
  if (metric.has_matrix()) PrintMatrix(metric.matrix(), classes, out);
  PrintCurves(metric, classes, out);
}

}  // namespace gradeline::cli

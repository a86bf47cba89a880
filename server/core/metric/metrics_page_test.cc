// docs/metrics.md has a row for every metric. GRADELINE_WRITE_DOCS=1 writes them anew.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/core/metric/metric.h"

namespace gradeline {
namespace {

constexpr const char* kPage = GRADELINE_SOURCE_DIR "/docs/metrics.md";
constexpr char kBegin[] = "<!-- metrics: begin; written by MetricsPage of core_metric_test -->\n";
constexpr char kEnd[] = "<!-- metrics: end -->\n";

std::string Parameter(const ParamSpec& spec) {
  std::string text = absl::StrCat("`", spec.name, "` ");
  if (spec.kind == GDL_CHOICE) {
    absl::StrAppend(&text, absl::StrJoin(spec.choices, "\\|"), ", default ",
                    spec.choices[static_cast<size_t>(*spec.fallback)]);
  } else {
    absl::StrAppend(&text, spec.min, " to ", spec.max, ", default ", *spec.fallback);
  }
  return absl::StrCat(text, ": ", spec.doc);
}

std::string Rows() {
  std::string rows =
      "| metric | what it is | whose definition | parameters | of signals | better |\n|---|---|---|---|---|---|\n";
  for (const Metric& metric : Metrics()) {
    const std::string doc = absl::StrReplaceAll(metric.doc, {{"|", "\\|"}});  // a bar would end the cell
    absl::StrAppend(&rows, "| `", metric.id, "` | ", doc, " | ", metric.reference, " | ",
                    metric.params.empty() ? "–"
                                          : absl::StrJoin(metric.params, "; ",
                                                          [](std::string* out, const ParamSpec& spec) {
                                                            absl::StrAppend(out, Parameter(spec));
                                                          }),
                    " | ", absl::StrJoin(metric.signals, ", "), " | ", metric.maximise ? "larger" : "smaller", " |\n");
  }
  return rows;
}

TEST(MetricsPage, IsWhatTheMetricsSay) {
  std::stringstream read;
  read << std::ifstream(kPage).rdbuf();
  const std::string page = read.str();
  const size_t begin = page.find(kBegin), end = page.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::string wanted = page.substr(0, begin + sizeof(kBegin) - 1) + Rows() + page.substr(end);
  if (std::getenv("GRADELINE_WRITE_DOCS") != nullptr) std::ofstream(kPage) << wanted;
  EXPECT_EQ(page, wanted) << "GRADELINE_WRITE_DOCS=1 writes it anew";
}

}  // namespace
}  // namespace gradeline

// See import_csv.h.
#include "client/cli/import_csv.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/csv.h"

namespace gradeline::cli {
namespace {

enum Column { kPath, kLabel, kLabels, kGroup, kTags, kSubset, kColumns };
constexpr std::array<absl::string_view, kColumns> kNames = {"path", "label", "labels", "group", "tags", "subset"};
constexpr char kSeparator = ';';

// Whether the text is a whole number in its usual form, so that "007" stays a word.
bool WholeNumber(const std::string& text, int64_t* value) {
  return absl::SimpleAtoi(text, value) && absl::StrCat(*value) == text;
}

class CsvImport {
 public:
  CsvImport(ByteSource* source, const std::vector<std::string>& classes) : csv_(source), given_(!classes.empty()) {
    for (const std::string& name : classes) NumberOf(name);
  }

  absl::StatusOr<Findings> Run() {
    if (csv_.Next(record_)) {
      ReadHeader();
      // What is wrong with the columns would be wrong with every row.
      const bool readable = faults_.empty();
      while (readable && csv_.Next(record_)) ReadRow();
    } else {
      faults_.Add("line 1", "the file is empty; its first line must name the columns");
    }
    if (!csv_.status().ok()) return csv_.status();
    if (faults_.empty() && found_.items.empty()) faults_.Add("line 2", "there is no row after the header");
    if (names_.size() > kMostClasses) {
      faults_.Add("all rows", absl::StrCat("there are ", names_.size(), " classes; allowed: up to ", kMostClasses));
    }
    if (absl::Status status = faults_.ToStatus(); !status.ok()) return status;
    SortClasses();
    return std::move(found_);
  }

 private:
  std::string Where() const { return absl::StrCat("line ", record_.line); }

  void ReadHeader() {
    column_.fill(-1);
    std::vector<std::string> others;
    if (!record_.fault.empty()) return faults_.Add(Where(), record_.fault);
    for (size_t i = 0; i < record_.fields.size(); ++i) {
      const absl::string_view name = absl::StripAsciiWhitespace(record_.fields[i]);
      const auto known = std::find(kNames.begin(), kNames.end(), name);
      if (known == kNames.end()) {
        others.push_back(Quoted(name));
        continue;
      }
      int& at = column_[static_cast<size_t>(known - kNames.begin())];
      if (at >= 0) faults_.Add(Where(), absl::StrCat("column ", name, " is there twice"));
      at = static_cast<int>(i);
    }
    const std::string rule = "; allowed: path, label or labels, group, tags, subset";
    if (column_[kPath] < 0) faults_.Add(Where(), absl::StrCat("there is no column path", rule));
    if ((column_[kLabel] < 0) == (column_[kLabels] < 0)) {
      faults_.Add(Where(), column_[kLabel] < 0
                               ? absl::StrCat("there is neither a column label nor labels", rule)
                               : "there are columns label and labels; items have one class each, or any number");
    }
    width_ = record_.fields.size();
    found_.multi_label = column_[kLabels] >= 0;
    if (!others.empty())
      found_.notes.push_back(absl::StrCat("columns that are not read: ", absl::StrJoin(others, ", ")));
  }

  // Empty where there is no such column.
  absl::string_view Cell(Column column) const {
    if (column_[column] < 0) return "";
    const std::string& cell = record_.fields[static_cast<size_t>(column_[column])];
    return column == kPath ? absl::string_view(cell) : absl::StripAsciiWhitespace(cell);
  }

  std::vector<absl::string_view> List(Column column) const {
    const absl::string_view cell = Cell(column);
    if (cell.empty()) return {};
    std::vector<absl::string_view> entries = absl::StrSplit(cell, kSeparator);
    for (absl::string_view& entry : entries) entry = absl::StripAsciiWhitespace(entry);
    return entries;
  }

  void ReadRow() {
    if (!record_.fault.empty()) return faults_.Add(Where(), record_.fault);
    if (record_.fields.size() != width_) {
      return faults_.Add(Where(),
                         absl::StrCat("the row has ", record_.fields.size(), " fields, the header has ", width_));
    }
    const int64_t before = faults_.count();
    v1::Item item;
    Set(Cell(kPath), "path", 1, kLongestUri, [&](const std::string& text) { item.set_uri(text); });
    Set(Cell(kGroup), "group", 0, kLongestGroup, [&](const std::string& text) { item.set_group(text); });
    Set(Cell(kSubset), "subset", 0, kLongestSubset, [&](const std::string& text) { item.set_subset(text); });
    const std::vector<absl::string_view> tags = List(kTags);
    if (tags.size() > size_t{kMostTags}) {
      faults_.Add(Where(), absl::StrCat("the row has ", tags.size(), " tags; allowed: up to ", kMostTags));
    } else {
      for (const absl::string_view tag : tags) {
        Set(tag, "a tag", 1, kLongestTag, [&](const std::string& text) { item.add_tags(text); });
      }
    }
    ReadLabels(item);
    if (faults_.count() == before) found_.items.push_back(std::move(item));
  }

  void ReadLabels(v1::Item& item) {
    if (!found_.multi_label) {
      if (const int label = LabelOf("label", Cell(kLabel)); label >= 0) item.set_label(label);
      return;
    }
    const std::vector<absl::string_view> labels = List(kLabels);
    if (labels.size() > size_t{kMostLabels}) {
      return faults_.Add(Where(), absl::StrCat("the row has ", labels.size(), " labels; allowed: up to ", kMostLabels));
    }
    for (const absl::string_view name : labels) {
      if (const int label = LabelOf("a label", name); label >= 0) item.add_labels(label);
    }
  }

  template <typename Put>
  void Set(absl::string_view text, const char* what, size_t least, size_t most, Put put) {
    if (CheckText(Where(), what, text, least, most, faults_) && !text.empty()) put(std::string(text));
  }

  // The number of a class, in order of appearance until the end; -1 if it is none.
  int LabelOf(const char* what, absl::string_view text) {
    if (!CheckText(Where(), what, text, 1, kLongestClass, faults_)) return -1;
    const std::string name(text);
    if (given_ && !numbers_.contains(name)) {
      faults_.Add(Where(), absl::StrCat(what, " is ", Quoted(text), ", which --classes does not name"));
      return -1;
    }
    return NumberOf(name);
  }

  int NumberOf(const std::string& name) {
    const auto [at, added] = numbers_.emplace(name, static_cast<int>(names_.size()));
    if (added) names_.push_back(name);
    return at->second;
  }

  // Gives classes their order and items the numbers that go with it.
  void SortClasses() {
    std::vector<int> order(names_.size());
    std::iota(order.begin(), order.end(), 0);
    if (!given_) {
      std::vector<int64_t> values(names_.size());
      bool numbers = true;
      for (size_t i = 0; numbers && i < names_.size(); ++i) numbers = WholeNumber(names_[i], &values[i]);
      std::sort(order.begin(), order.end(),
                [&](int a, int b) { return numbers ? values[a] < values[b] : names_[a] < names_[b]; });
    }
    std::vector<int> place(names_.size());
    for (size_t i = 0; i < order.size(); ++i) {
      place[order[i]] = static_cast<int>(i);
      found_.classes.push_back(names_[order[i]]);
    }
    for (v1::Item& item : found_.items) {
      if (!found_.multi_label) item.set_label(place[item.label()]);
      for (int& label : *item.mutable_labels()) label = place[label];
      std::sort(item.mutable_labels()->begin(), item.mutable_labels()->end());
    }
  }

  CsvReader csv_;
  const bool given_;
  CsvRecord record_;
  std::array<int, kColumns> column_{};  // its place in a row; -1: not there
  size_t width_ = 0;
  std::vector<std::string> names_;
  std::unordered_map<std::string, int> numbers_;
  Faults faults_;
  Findings found_;
};

}  // namespace

absl::StatusOr<Findings> ReadCsv(ByteSource* source, const std::vector<std::string>& classes) {
  return CsvImport(source, classes).Run();
}

}  // namespace gradeline::cli

// See coco_events.h.
#include "client/cli/coco_events.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

constexpr int kDeepest = 64;                     // containers in one another; COCO needs 6
constexpr int64_t kLongest = int64_t{64} << 20;  // bytes of one string or number

enum class Field { kOther, kId, kImageId, kCategoryId, kCrowd, kFileName, kCocoUrl, kName, kBox, kSegments };

absl::string_view NameOf(CocoSection section) {
  switch (section) {
    case CocoSection::kImages:
      return "images";
    case CocoSection::kAnnotations:
      return "annotations";
    case CocoSection::kCategories:
      return "categories";
    case CocoSection::kOther:
      break;
  }
  return "";
}

CocoSection SectionOf(const std::string& key) {
  for (const CocoSection section : {CocoSection::kImages, CocoSection::kAnnotations, CocoSection::kCategories}) {
    if (key == NameOf(section)) return section;
  }
  return CocoSection::kOther;
}

Field FieldOf(CocoSection section, const std::string& key) {
  if (key == "id") return Field::kId;
  switch (section) {
    case CocoSection::kImages:
      return key == "file_name" ? Field::kFileName : key == "coco_url" ? Field::kCocoUrl : Field::kOther;
    case CocoSection::kCategories:
      return key == "name" ? Field::kName : Field::kOther;
    case CocoSection::kAnnotations:
      if (key == "image_id") return Field::kImageId;
      if (key == "category_id") return Field::kCategoryId;
      if (key == "iscrowd") return Field::kCrowd;
      if (key == "bbox") return Field::kBox;
      if (key == "segments_info") return Field::kSegments;
      return Field::kOther;
    case CocoSection::kOther:
      break;
  }
  return Field::kOther;
}

// One value that is no list and no object.
struct Scalar {
  enum Kind { kWhole, kNumber, kText, kWord } kind = kWord;
  int64_t whole = 0;
  double number = 0;
  std::string text;  // as an error shows it
};

// nlohmann's events. A place in the file is (depth, section, entry, field): the root is at depth 1, a section's list at
// 2, an entry at 3, a field's list at 4, a segment at 5.
class Events {
 public:
  Events(ByteReader* bytes, const std::function<void(CocoEntry&)>& entry, std::set<CocoSection>& sections,
         Faults& faults)
      : bytes_(bytes), give_(entry), sections_(sections), faults_(faults) {}
  const int64_t* limit() const { return &limit_; }

  bool null() { return Wanted() ? Value({.text = "null"}) : Advance(); }
  bool boolean(bool value) { return Wanted() ? Value({.text = value ? "true" : "false"}) : Advance(); }
  bool number_integer(int64_t value) { return Wanted() ? Whole(value) : Advance(); }
  bool number_unsigned(uint64_t value) {
    if (!Wanted()) return Advance();
    if (value <= static_cast<uint64_t>(INT64_MAX)) return Whole(static_cast<int64_t>(value));
    return Value({Scalar::kNumber, 0, static_cast<double>(value), absl::StrCat(value)});
  }
  bool number_float(double value, const std::string& text) {
    return Wanted() ? Value({Scalar::kNumber, 0, value, text}) : Advance();
  }
  bool string(std::string& value) { return Wanted() ? Value({Scalar::kText, 0, 0, std::move(value)}) : Advance(); }
  bool binary(nlohmann::json::binary_t&) { return false; }  // not in JSON
  bool start_object(size_t) { return Open(true); }
  bool start_array(size_t) { return Open(false); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }
  bool key(std::string& name);
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& error);

 private:
  /// Whether a value here says anything; most are points of polygons.
  bool Wanted() const {
    if (depth_ <= 2) return true;
    if (!InEntry()) return false;
    if (depth_ == 3) return field_ != Field::kOther;
    if (depth_ == 4) return field_ == Field::kBox || field_ == Field::kSegments;
    return depth_ == 5 && in_segment_ && segment_field_ != Field::kOther;
  }
  bool Whole(int64_t value) { return Value({Scalar::kWhole, value, static_cast<double>(value), absl::StrCat(value)}); }
  bool InEntry() const { return in_entry_ && depth_ >= 3; }
  std::string Where() const { return WhereOf(entry_.section, entry_.index, entry_.byte); }
  void Fault(const std::string& what) {
    faults_.Add(Where(), what);
    good_ = false;
  }
  bool Advance();
  bool Open(bool object);
  bool Close();
  bool Value(Scalar value);
  void OpenSection(bool object);
  void NoEntry(const char* what);
  void Set(const Scalar& value);
  void SetOfSegment(const Scalar& value);
  void SetBox(const Scalar& value);
  bool SetWhole(const char* name, const Scalar& value, std::optional<int64_t>* whole);
  bool SetCrowd(const std::string& name, const Scalar& value, bool* crowd);
  bool SetText(const char* name, const Scalar& value, std::string* text);
  void Finish();

  ByteReader* const bytes_;
  const std::function<void(CocoEntry&)>& give_;
  std::set<CocoSection>& sections_;
  Faults& faults_;
  int64_t limit_ = kLongest;
  int depth_ = 0;
  CocoSection section_ = CocoSection::kOther;
  bool in_entry_ = false, in_segment_ = false;
  bool good_ = true;  // the entry, so far
  int64_t next_index_ = 0;
  Field field_ = Field::kOther, segment_field_ = Field::kOther;
  CocoEntry entry_;
  CocoMark own_, segment_;
  bool has_segments_ = false;
  int box_numbers_ = 0;  // -1: there is no box
};

// At every event: the next string or number may be as long again.
bool Events::Advance() {
  limit_ = bytes_->position() + kLongest;
  return true;
}

bool Events::key(std::string& name) {
  if (depth_ == 1) {
    section_ = SectionOf(name);
    if (section_ != CocoSection::kOther && !sections_.insert(section_).second) {
      faults_.Add(absl::StrCat(name, " at byte ", bytes_->position()), "the section is there twice");
    }
  } else if (InEntry() && depth_ == 3) {
    field_ = FieldOf(section_, name);
  } else if (InEntry() && depth_ == 5 && in_segment_) {
    segment_field_ = name == "category_id" ? Field::kCategoryId : name == "iscrowd" ? Field::kCrowd : Field::kOther;
  }
  return Advance();
}

bool Events::Open(bool object) {
  ++depth_;
  if (depth_ > kDeepest) {
    faults_.Add(absl::StrCat("byte ", bytes_->position()), absl::StrCat("more than ", kDeepest,
                                                                        " lists and objects are in "
                                                                        "one another; the file is read no further"));
    return false;
  }
  if (depth_ == 1 && !object) {
    faults_.Add("byte 0", "the file is a list; a COCO file is an object with images, annotations and categories");
    return false;
  }
  if (depth_ == 2) OpenSection(object);
  if (depth_ == 3 && section_ != CocoSection::kOther) {
    entry_ = {};
    entry_.section = section_;
    entry_.index = next_index_++;
    entry_.byte = bytes_->position() - 1;
    own_ = {};
    has_segments_ = false;
    box_numbers_ = -1;
    good_ = true;
    in_entry_ = object;
    if (!object) Fault("is a list, must be an object");
  }
  if (InEntry() && depth_ == 4) {
    const bool fits = field_ == Field::kOther || ((field_ == Field::kBox || field_ == Field::kSegments) && !object);
    if (!fits) {
      Set({.text = object ? "an object" : "a list"});
      field_ = Field::kOther;
    }
    if (field_ == Field::kBox) box_numbers_ = 0;
    if (field_ == Field::kSegments) has_segments_ = true;
  }
  if (InEntry() && depth_ == 5) {
    in_segment_ = field_ == Field::kSegments && object;
    segment_ = {};
    segment_field_ = Field::kOther;
    if (field_ == Field::kSegments && !object) Fault("segments_info has an entry that is no object");
    if (field_ == Field::kBox) box_numbers_ = 5;  // no number: wrong whatever follows
  }
  if (InEntry() && depth_ == 6 && in_segment_) SetOfSegment({.text = object ? "an object" : "a list"});
  return Advance();
}

void Events::OpenSection(bool object) {
  next_index_ = 0;
  in_entry_ = false;
  if (section_ == CocoSection::kOther || !object) return;
  faults_.Add(absl::StrCat(NameOf(section_), " at byte ", bytes_->position() - 1), "is an object, must be a list");
  section_ = CocoSection::kOther;
}

bool Events::Close() {
  if (depth_ == 5 && in_segment_) {
    in_segment_ = false;
    if (segment_.category) {
      entry_.marks.push_back(segment_);
    } else if (good_) {
      Fault(absl::StrCat("segments_info[", entry_.marks.size(), "] has no category_id"));
    }
  }
  if (depth_ == 3 && InEntry()) {
    Finish();
    in_entry_ = false;
  }
  --depth_;
  return Advance();
}

bool Events::Value(Scalar value) {
  if (depth_ == 0) {
    faults_.Add("byte 0", "the file is one value; a COCO file is an object with images, annotations and categories");
    return false;
  }
  if (depth_ == 1 && section_ != CocoSection::kOther) {
    faults_.Add(absl::StrCat(NameOf(section_), " at byte ", bytes_->position()), "must be a list");
  } else if (depth_ == 2 && section_ != CocoSection::kOther) {
    faults_.Add(WhereOf(section_, next_index_++, bytes_->position()), "must be an object");
  } else if (InEntry() && depth_ == 3) {
    Set(value);
  } else if (InEntry() && depth_ == 4) {
    if (field_ == Field::kBox) SetBox(value);
    if (field_ == Field::kSegments) Fault("segments_info has an entry that is no object");
  } else if (InEntry() && depth_ == 5 && in_segment_) {
    SetOfSegment(value);
  }
  return Advance();
}

bool Events::SetWhole(const char* name, const Scalar& value, std::optional<int64_t>* whole) {
  if (value.kind == Scalar::kWhole) {
    *whole = value.whole;
    return true;
  }
  Fault(absl::StrCat(name, " is ", value.kind == Scalar::kText ? Quoted(value.text) : value.text,
                     ", must be a whole number"));
  return false;
}

bool Events::SetCrowd(const std::string& name, const Scalar& value, bool* crowd) {
  *crowd = value.kind == Scalar::kWhole ? value.whole == 1 : value.text == "true";
  const bool known = value.kind == Scalar::kWhole ? value.whole == 0 || value.whole == 1
                                                  : value.kind == Scalar::kWord && (*crowd || value.text == "false");
  if (!known) Fault(absl::StrCat(name, " is ", Quoted(value.text), ", must be 0 or 1"));
  return known;
}

bool Events::SetText(const char* name, const Scalar& value, std::string* text) {
  if (value.kind == Scalar::kText) {
    *text = value.text;
    return true;
  }
  Fault(absl::StrCat(name, " is ", value.text, ", must be a string"));
  return false;
}

void Events::Set(const Scalar& value) {
  switch (field_) {
    case Field::kOther:
      return;
    case Field::kId:
      // Nothing refers to annotations, so their ids may be anything.
      if (section_ != CocoSection::kAnnotations) SetWhole("id", value, &entry_.id);
      return;
    case Field::kImageId:
      SetWhole("image_id", value, &entry_.image);
      return;
    case Field::kCategoryId:
      SetWhole("category_id", value, &own_.category);
      return;
    case Field::kCrowd:
      SetCrowd("iscrowd", value, &own_.crowd);
      return;
    case Field::kFileName:
      SetText("file_name", value, &entry_.file_name);
      return;
    case Field::kCocoUrl:
      if (value.kind == Scalar::kText) entry_.coco_url = value.text;
      return;
    case Field::kName:
      SetText("name", value, &entry_.name);
      return;
    case Field::kBox:
      // Files of stuff and of captions have null where there is no box.
      if (value.text != "null" || value.kind == Scalar::kText) Fault("bbox must be a list of four numbers");
      return;
    case Field::kSegments:
      Fault("segments_info must be a list");
      return;
  }
}

void Events::SetOfSegment(const Scalar& value) {
  if (segment_field_ == Field::kCategoryId) SetWhole("category_id of a segment", value, &segment_.category);
  if (segment_field_ == Field::kCrowd) SetCrowd("iscrowd of a segment", value, &segment_.crowd);
}

void Events::SetBox(const Scalar& value) {
  const bool number = value.kind == Scalar::kWhole || value.kind == Scalar::kNumber;
  const bool size = box_numbers_ == 2 || box_numbers_ == 3;
  const bool fits = number && std::isfinite(value.number) && (!size || value.number >= 0);
  box_numbers_ = fits && box_numbers_ < 4 ? box_numbers_ + 1 : 5;
}

void Events::Finish() {
  if (box_numbers_ >= 0 && box_numbers_ != 4)
    Fault("bbox must be four numbers: x, y, and width and height of 0 or more");
  const auto need = [this](bool there, const char* what) {
    if (good_ && !there) Fault(absl::StrCat("has no ", what));
  };
  switch (section_) {
    case CocoSection::kImages:
      need(entry_.id.has_value(), "id");
      need(!entry_.file_name.empty() || !entry_.coco_url.empty(), "file_name");
      break;
    case CocoSection::kCategories:
      need(entry_.id.has_value(), "id");
      need(!entry_.name.empty(), "name");
      break;
    case CocoSection::kAnnotations:
      need(entry_.image.has_value(), "image_id");
      need(own_.category.has_value() || has_segments_, "category_id");
      if (own_.category) entry_.marks.push_back(own_);
      break;
    case CocoSection::kOther:
      break;
  }
  if (good_) give_(entry_);
}

bool Events::parse_error(size_t position, const std::string&, const nlohmann::json::exception& error) {
  if (!bytes_->status().ok()) return false;
  if (bytes_->position() >= limit_) {
    faults_.Add(absl::StrCat("byte ", limit_ - kLongest),
                absl::StrCat("a value is longer than ", kLongest, " bytes; the file is read no further"));
    return false;
  }
  absl::string_view what = error.what();
  what = what.substr(what.find("] ") == absl::string_view::npos ? 0 : what.find("] ") + 2);
  faults_.Add(absl::StrCat("byte ", position), absl::StrCat("is no JSON, and the file is read no further: ", what));
  return false;
}

}  // namespace

std::string WhereOf(CocoSection section, int64_t index, int64_t byte) {
  return absl::StrCat(NameOf(section), "[", index, "] at byte ", byte);
}

absl::Status ReadCocoEvents(ByteSource* source, const std::function<void(CocoEntry&)>& entry,
                            std::set<CocoSection>& sections, Faults& faults) {
  ByteReader bytes(source);
  Events events(&bytes, entry, sections, faults);
  nlohmann::json::sax_parse(ByteIterator(&bytes, events.limit()), ByteIterator(), &events);
  return bytes.status();
}

}  // namespace gradeline::cli

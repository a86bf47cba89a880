// See coco_tensors.h.
#include "client/cli/coco_tensors.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/coco_mask.h"
#include "client/cli/findings.h"

namespace gradeline::cli {
namespace {

using Json = nlohmann::json;

// A tensor that grows by rows.
template <typename T>
class Column {
 public:
  Column(std::string name, v1::DataType type, std::vector<int64_t> row = {}) : row_(std::move(row)) {
    tensor_.set_name(std::move(name));
    tensor_.set_data_type(type);
  }
  void Add(T value) { tensor_.mutable_data()->append(reinterpret_cast<const char*>(&value), sizeof(value)); }
  v1::Tensor Take() {
    int64_t of_row = sizeof(T);
    for (const int64_t size : row_) of_row *= size;
    tensor_.add_shape(static_cast<int64_t>(tensor_.data().size()) / of_row);
    for (const int64_t size : row_) tensor_.add_shape(size);
    return std::move(tensor_);
  }

 private:
  v1::Tensor tensor_;
  std::vector<int64_t> row_;
};

struct Image {
  int64_t height = 0, width = 0;  // both 0: not known
};

std::optional<int64_t> WholeOf(const Json& number) {
  const bool whole = number.is_number_integer();
  if (!whole || (number.is_number_unsigned() && number.get<uint64_t>() > uint64_t{1} << 62)) return std::nullopt;
  return number.get<int64_t>();
}

std::vector<int64_t> WholesOf(const Json& list) {
  std::vector<int64_t> numbers;
  if (!list.is_array()) return numbers;
  for (const Json& number : list) {
    const std::optional<int64_t> whole = WholeOf(number);
    if (!whole) return {};
    numbers.push_back(*whole);
  }
  return numbers;
}

// One side, target or prediction: `prefix` is "target_" or "".
class Side {
 public:
  Side(const std::string& prefix, bool masks)
      : masks_(masks),
        classes_(prefix + "classes", v1::DATA_TYPE_I64),
        images_(prefix + "images", v1::DATA_TYPE_I64),
        boxes_(prefix + "boxes", v1::DATA_TYPE_F64, {4}),
        sizes_(prefix + "mask_sizes", v1::DATA_TYPE_I64, {2}),
        runs_(prefix + "mask_runs", v1::DATA_TYPE_I64),
        counts_(prefix + "mask_counts", v1::DATA_TYPE_I64) {}

  // Adds an object; false, and what is wrong, if it cannot be read.
  bool Add(const Json& entry, const std::string& where, const std::map<int64_t, int64_t>& class_of,
           const std::map<int64_t, Image>& images, Faults& faults) {
    const auto whole = [&](const char* key) -> std::optional<int64_t> {
      const auto found = entry.find(key);
      const std::optional<int64_t> number = found == entry.end() ? std::nullopt : WholeOf(*found);
      if (number) return number;
      faults.Add(where, absl::StrCat(key, found == entry.end() ? " is missing" : " is no whole number"));
      return std::nullopt;
    };
    const std::optional<int64_t> image = whole("image_id"), category = whole("category_id");
    if (!image || !category) return false;
    const auto known = class_of.find(*category);
    if (known == class_of.end()) {
      faults.Add(where, absl::StrCat("category_id ", *category, " is no category of the target's file"));
    } else if (!images.contains(*image)) {
      faults.Add(where, absl::StrCat("image_id ", *image, " is no image of the target's file"));
    } else if (masks_ ? AddMask(entry, where, images.at(*image), faults) : AddBox(entry, where, faults)) {
      classes_.Add(known->second);
      images_.Add(*image);
      return true;
    }
    return false;
  }

  void Take(std::vector<v1::Tensor>& tensors) {
    tensors.push_back(classes_.Take());
    tensors.push_back(images_.Take());
    if (!masks_) return tensors.push_back(boxes_.Take());
    tensors.push_back(sizes_.Take());
    tensors.push_back(runs_.Take());
    tensors.push_back(counts_.Take());
  }

 private:
  bool AddBox(const Json& entry, const std::string& where, Faults& faults) {
    const auto box = entry.find("bbox");
    const bool good = box != entry.end() && box->is_array() && box->size() == 4 &&
                      std::all_of(box->begin(), box->end(), [](const Json& side) { return side.is_number(); });
    if (!good) {
      faults.Add(where, "bbox is no list of four numbers");
      return false;
    }
    for (const Json& side : *box) boxes_.Add(side.get<double>());
    return true;
  }

  bool AddMask(const Json& entry, const std::string& where, const Image& image, Faults& faults) {
    Image size = image;
    const absl::StatusOr<std::vector<int64_t>> runs = RunsOf(entry.value("segmentation", Json()), size);
    if (!runs.ok()) {
      faults.Add(where, absl::StrCat("segmentation ", runs.status().message()));
      return false;
    }
    sizes_.Add(size.height);
    sizes_.Add(size.width);
    runs_.Add(static_cast<int64_t>(runs->size()));
    for (const int64_t run : *runs) counts_.Add(run);
    return true;
  }

  // The runs of polygons in an image of `size`, or of run lengths, whose own size they set.
  static absl::StatusOr<std::vector<int64_t>> RunsOf(const Json& segmentation, Image& size) {
    if (segmentation.is_object()) {
      const std::vector<int64_t> sides = WholesOf(segmentation.value("size", Json()));
      if (sides.size() != 2) return absl::InvalidArgumentError("size is not two whole numbers");
      size = {sides[0], sides[1]};
      const Json counts = segmentation.value("counts", Json());
      if (counts.is_string()) return RunsOfText(counts.get_ref<const std::string&>());
      std::vector<int64_t> runs = WholesOf(counts);
      if (runs.empty()) return absl::InvalidArgumentError("counts is neither text nor a list of whole numbers");
      return runs;
    }
    if (!segmentation.is_array()) return absl::InvalidArgumentError("is neither polygons nor run lengths");
    if (size.height == 0 || size.width == 0) {
      return absl::InvalidArgumentError("is polygons, and the image has no height and width");
    }
    std::vector<std::vector<double>> polygons;
    for (const Json& polygon : segmentation) {
      const auto is_number = [](const Json& number) { return number.is_number(); };
      if (!polygon.is_array() || !std::all_of(polygon.begin(), polygon.end(), is_number)) {
        return absl::InvalidArgumentError("has a polygon that is no list of numbers");
      }
      polygons.push_back(polygon.get<std::vector<double>>());
    }
    return RunsOfPolygons(polygons, size.height, size.width);
  }

  bool masks_;
  Column<int64_t> classes_, images_;
  Column<double> boxes_;
  Column<int64_t> sizes_, runs_, counts_;
};

// Gives `entry` every element of the lists at `depth` below the root, one at a time, with the list's name; what it does
// not keep is not held. Returns the rest, with the lists empty. INVALID_ARGUMENT if it is no JSON.
template <typename Entry>
absl::StatusOr<Json> EachEntry(ByteSource* source, const std::string& file, int depth, Entry entry) {
  using Event = Json::parse_event_t;
  ByteReader bytes(source);
  std::string section;
  std::map<std::string, int64_t> index;
  const Json::parser_callback_t callback = [&](int at, Event event, Json& value) {
    if (event == Event::key && at == 1 && depth == 2) section = value.get<std::string>();
    const bool whole = event == Event::value || event == Event::object_end || event == Event::array_end;
    if (!whole || at != depth) return true;
    entry(section, index[section]++, value);
    return false;
  };
  try {
    Json rest = Json::parse(ByteIterator(&bytes), ByteIterator(), callback);
    if (!bytes.status().ok()) return absl::InvalidArgumentError(absl::StrCat(file, ": ", bytes.status().message()));
    return rest;
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(file, " at byte ", bytes.position(), ": ", error.what()));
  }
}

class CocoReader {
 public:
  CocoReader(const CocoFiles& names, bool masks) : names_(names), target_("target_", masks), prediction_("", masks) {}

  absl::Status ReadTarget(ByteSource* source) {
    std::vector<std::pair<std::string, Json>> annotations;  // may come before what they name
    const auto add = [&](const std::string& section, int64_t index, Json& entry) {
      if (section != "annotations" && section != "images" && section != "categories") return;
      const std::string where = absl::StrCat(names_.target, ": ", section, "[", index, "]");
      if (!entry.is_object()) return faults_.Add(where, "is no object");
      if (section == "images") return AddImage(entry, where);
      if (section == "categories") return AddCategory(entry, where);
      annotations.emplace_back(where, std::move(entry));
    };
    const absl::StatusOr<Json> rest = EachEntry(source, names_.target, 2, add);
    if (!rest.ok()) return rest.status();
    if (!rest->is_object()) return absl::InvalidArgumentError(absl::StrCat(names_.target, " is no object of lists"));
    for (const char* section : {"images", "annotations", "categories"}) {
      if (!rest->value(section, Json()).is_array()) {
        faults_.Add(names_.target, absl::StrCat("has no list \"", section, "\""));
      }
    }
    for (const auto& [id, name] : categories_) class_of_.emplace(id, static_cast<int64_t>(class_of_.size()));
    for (const auto& [where, entry] : annotations) AddAnnotation(entry, where);
    return absl::OkStatus();
  }

  absl::Status ReadPrediction(ByteSource* source) {
    const auto add = [&](const std::string&, int64_t index, Json& entry) {
      const std::string where = absl::StrCat(names_.prediction, ": [", index, "]");
      if (!entry.is_object()) return faults_.Add(where, "is no object");
      const auto score = entry.find("score");
      if (score == entry.end() || !score->is_number()) return faults_.Add(where, "score is no number");
      if (prediction_.Add(entry, where, class_of_, images_, faults_)) scores_.Add(score->get<double>());
    };
    const absl::StatusOr<Json> rest = EachEntry(source, names_.prediction, 1, add);
    if (!rest.ok()) return rest.status();
    if (rest->is_array()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(names_.prediction, " is no list of results"));
  }

  absl::StatusOr<CocoTensors> Take() {
    if (absl::Status status = faults_.ToStatus("nothing was computed"); !status.ok()) return status;
    CocoTensors read;
    target_.Take(read.tensors);
    prediction_.Take(read.tensors);
    Column<int64_t> evaluated("evaluated_images", v1::DATA_TYPE_I64);
    for (const auto& [id, image] : images_) evaluated.Add(id);
    read.tensors.push_back(scores_.Take());
    read.tensors.push_back(crowd_.Take());
    read.tensors.push_back(area_.Take());
    read.tensors.push_back(evaluated.Take());
    for (const auto& [id, name] : categories_) read.classes.push_back(name);
    return read;
  }

 private:
  // The entry's id, unless it is none or was there before.
  template <typename Known>
  std::optional<int64_t> FreshId(const Json& entry, const std::string& where, const Known& known) {
    const std::optional<int64_t> id = WholeOf(entry.value("id", Json()));
    if (id && !known.contains(*id)) return id;
    faults_.Add(where, id ? absl::StrCat("id ", *id, " comes twice") : "id is no whole number");
    return std::nullopt;
  }

  void AddImage(const Json& entry, const std::string& where) {
    const std::optional<int64_t> id = FreshId(entry, where, images_);
    if (!id) return;
    const auto side = [&](const char* key) {
      const auto found = entry.find(key);
      return found == entry.end() ? 0 : WholeOf(*found).value_or(-1);
    };
    const Image image{side("height"), side("width")};
    constexpr int64_t kLargest = 1 << 16;
    if (image.height < 0 || image.height > kLargest || image.width < 0 || image.width > kLargest) {
      return faults_.Add(where, absl::StrCat("height or width is no whole number up to ", kLargest));
    }
    images_.emplace(*id, image);
  }

  void AddCategory(const Json& entry, const std::string& where) {
    const std::optional<int64_t> id = FreshId(entry, where, categories_);
    if (!id) return;
    const Json name = entry.value("name", Json());
    categories_.emplace(*id, name.is_string() ? name.get<std::string>() : absl::StrCat(*id));
  }

  void AddAnnotation(const Json& entry, const std::string& where) {
    if (entry.contains("id")) {
      const std::optional<int64_t> id = FreshId(entry, where, annotations_);
      if (!id) return;
      annotations_.insert(*id);
    }
    const Json crowd = entry.value("iscrowd", Json(0)), area = entry.value("area", Json());
    if (crowd != 0 && crowd != 1) return faults_.Add(where, "iscrowd is neither 0 nor 1");
    if (!area.is_number()) return faults_.Add(where, "area is no number");
    if (!target_.Add(entry, where, class_of_, images_, faults_)) return;
    crowd_.Add(crowd == 1 ? 1 : 0);
    area_.Add(area.get<double>());
  }

  const CocoFiles& names_;
  Side target_, prediction_;
  Column<double> scores_{"scores", v1::DATA_TYPE_F64}, area_{"target_area", v1::DATA_TYPE_F64};
  Column<int64_t> crowd_{"target_crowd", v1::DATA_TYPE_I64};
  std::map<int64_t, Image> images_;
  std::map<int64_t, std::string> categories_;
  std::map<int64_t, int64_t> class_of_;
  std::set<int64_t> annotations_;
  Faults faults_;
};

}  // namespace

absl::StatusOr<CocoTensors> ParseCocoTensors(ByteSource* target, ByteSource* prediction, const CocoFiles& names,
                                             bool masks) {
  CocoReader reader(names, masks);
  if (absl::Status status = reader.ReadTarget(target); !status.ok()) return status;
  if (absl::Status status = reader.ReadPrediction(prediction); !status.ok()) return status;
  return reader.Take();
}

absl::StatusOr<CocoTensors> ReadCocoTensors(const CocoFiles& files, bool masks) {
  if (files.target.empty() || files.prediction.empty()) {
    return absl::InvalidArgumentError(
        "COCO files come in twos: --input prediction=RESULTS.json --input target=FILE.json");
  }
  const auto no_progress = [](int64_t) {};
  absl::StatusOr<std::unique_ptr<ByteSource>> target = OpenSource(files.target, no_progress);
  if (!target.ok()) return absl::InvalidArgumentError(absl::StrCat(files.target, ": ", target.status().message()));
  absl::StatusOr<std::unique_ptr<ByteSource>> prediction = OpenSource(files.prediction, no_progress);
  if (!prediction.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(files.prediction, ": ", prediction.status().message()));
  }
  return ParseCocoTensors(target->get(), prediction->get(), files, masks);
}

}  // namespace gradeline::cli

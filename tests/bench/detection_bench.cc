// Average precision of detections in raw files, as detection.py writes them: one run, timed, as a line of JSON.
//
//     detection_bench FOLDER IMAGES_PER_BATCH
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "server/core/metric/metric.h"

namespace gradeline {
namespace {

/// A whole file of numbers in the machine's order.
template <typename Number>
std::vector<Number> Load(const std::filesystem::path& path) {
  std::vector<Number> numbers(std::filesystem::file_size(path) / sizeof(Number));
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(numbers.data()), static_cast<std::streamsize>(numbers.size() * sizeof(Number)));
  return numbers;
}

/// Objects by image; boxes are xywh.
struct Objects {
  explicit Objects(const std::filesystem::path& folder, const std::string& prefix)
      : boxes(Load<double>(folder / (prefix + "boxes.f64"))),
        classes(Load<int64_t>(folder / (prefix + "classes.i64"))),
        images(Load<int64_t>(folder / (prefix + "images.i64"))) {}
  std::vector<double> boxes;
  std::vector<int64_t> classes, images;
};

struct Data {
  explicit Data(const std::filesystem::path& folder)
      : found(folder, ""),
        wanted(folder, "target_"),
        scores(Load<double>(folder / "scores.f64")),
        crowd(Load<uint8_t>(folder / "target_crowd.u8")),
        areas(Load<double>(folder / "target_area.f64")) {}
  Objects found, wanted;
  std::vector<double> scores;
  std::vector<uint8_t> crowd;
  std::vector<double> areas;
};

/// Shapes of a slice live as long as this.
struct Slice {
  int64_t begin, rows;
  std::vector<int64_t> list{rows}, boxes{rows, 4};
};

Slice ImagesBelow(const Objects& objects, int64_t begin, int64_t image) {
  const auto end = std::lower_bound(objects.images.begin() + begin, objects.images.end(), image);
  return {begin, end - objects.images.begin() - begin};
}

MetricBatch BatchOf(const Data& data, const Slice& found, const Slice& wanted) {
  return MetricBatch("detections",
                     {{"scores", {DType::kF64, found.list, data.scores.data() + found.begin}},
                      {"classes", {DType::kI64, found.list, data.found.classes.data() + found.begin}},
                      {"images", {DType::kI64, found.list, data.found.images.data() + found.begin}},
                      {"boxes", {DType::kF64, found.boxes, data.found.boxes.data() + 4 * found.begin}},
                      {"target_classes", {DType::kI64, wanted.list, data.wanted.classes.data() + wanted.begin}},
                      {"target_images", {DType::kI64, wanted.list, data.wanted.images.data() + wanted.begin}},
                      {"target_boxes", {DType::kF64, wanted.boxes, data.wanted.boxes.data() + 4 * wanted.begin}},
                      {"target_crowd", {DType::kU8, wanted.list, data.crowd.data() + wanted.begin}},
                      {"target_area", {DType::kF64, wanted.list, data.areas.data() + wanted.begin}}});
}

struct Clock {
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  std::clock_t cpu = std::clock();
  void Print(const char* what) const {
    std::printf("\"%s\": [%.9f, %.9f], ", what,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
                static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC);
  }
};

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

/// `records`: every batch by counts of its own whose bytes are merged, as the server keeps them.
MetricResult Run(const Data& data, int64_t per_batch, bool records, size_t& bytes) {
  const Metric& metric = **FindMetric("coco_average_precision");
  const ParamMap params = *ResolveParams(metric.params, {{"box_format", "xywh"}});
  const CountsKind& kind = metric.counts("detections");
  const CountsOptions options{params, int64_t{1} << 30};
  const std::unique_ptr<Counts> sum = kind.make(options);
  const int64_t images = 1 + std::max(data.found.images.back(), data.wanted.images.back());
  Slice found{0, 0}, wanted{0, 0};
  for (int64_t image = 0; image < images; image += per_batch) {
    found = ImagesBelow(data.found, found.begin + found.rows, image + per_batch);
    wanted = ImagesBelow(data.wanted, wanted.begin + wanted.rows, image + per_batch);
    const MetricBatch batch = BatchOf(data, found, wanted);
    if (!records) {
      Check(sum->Add(batch));
      continue;
    }
    const std::unique_ptr<Counts> record = kind.make(options);
    Check(record->Add(batch));
    const std::string own = record->Bytes();
    bytes += own.size();
    Check(sum->Merge(own));
  }
  return metric.compute(*sum, params);
}

}  // namespace

int Main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: detection_bench FOLDER IMAGES_PER_BATCH\n");
    return 2;
  }
  const Data data{std::filesystem::path(argv[1])};
  const int64_t per_batch = std::max(1, std::atoi(argv[2]));
  std::printf("{");
  size_t bytes = 0;
  const Clock one;
  const MetricResult result = Run(data, per_batch, false, bytes);
  one.Print("one sum");
  const Clock records;
  const MetricResult merged = Run(data, per_batch, true, bytes);
  records.Print("records merged");
  std::printf("\"same\": %s, \"record_bytes\": %zu, \"value\": %.17g", merged == result ? "true" : "false", bytes,
              result.value);
  for (const NamedNumber& number : result.numbers) std::printf(", \"%s\": %.17g", number.name.c_str(), number.value);
  std::printf("}\n");
  return 0;
}

}  // namespace gradeline

int main(int argc, char** argv) { return gradeline::Main(argc, argv); }

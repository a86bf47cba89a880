// Random detections and targets for tests, and average precision by its definition, as plainly as can be.
#ifndef GRADELINE_SERVER_CORE_METRIC_TEST_OBJECTS_H_
#define GRADELINE_SERVER_CORE_METRIC_TEST_OBJECTS_H_

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/core/metric/test_batch.h"

namespace gradeline {

constexpr int kTestSize = 12;  // height and width of test masks

/// Corners; of a mask its pixels, column by column. Signals use the one or the other.
struct TestObject {
  int64_t image = 0;
  int class_id = 0;
  double left = 0, top = 0, right = 0, bottom = 0;
  std::vector<bool> mask = {};
  double score = 0;    // of detections
  bool crowd = false;  // of targets
  double area = 0;     // of targets as given, of detections that of the box or mask
};

struct TestScene {
  bool masks = false;
  std::vector<int64_t> images = {};
  std::vector<TestObject> detections = {}, targets = {};
};

inline void SetShape(TestObject& object, bool masks, int left, int top, int width, int height) {
  object.left = left;
  object.top = top;
  object.right = left + width;
  object.bottom = top + height;
  object.area = width * height;
  if (!masks) return;
  object.mask.assign(kTestSize * kTestSize, false);
  object.area = 0;
  for (int x = std::max(0, left); x < std::min(kTestSize, left + width); ++x) {
    for (int y = std::max(0, top + x % 2); y < std::min(kTestSize, top + height); ++y) {
      object.mask[static_cast<size_t>(x * kTestSize + y)] = true;
      ++object.area;
    }
  }
}

/// Whole coordinates, so that an IoU at a threshold occurs; scores of few values, so that ties do.
inline TestScene RandomScene(std::mt19937_64& random, bool masks) {
  const auto below = [&](int most) { return static_cast<int>(random() % static_cast<uint64_t>(most)); };
  TestScene scene{.masks = masks};
  const int images = 1 + below(6), classes = 1 + below(3), scale = masks || below(2) == 0 ? 1 : 6,
            levels = 1 + below(40);
  for (int i = 0; i < images; ++i) {
    scene.images.push_back(100 - 7 * i);
    for (int t = below(5); t > 0; --t) {
      TestObject target{.image = scene.images.back(), .class_id = below(classes), .crowd = below(6) == 0};
      const int left = below(8), top = below(8), width = 1 + below(10), height = 1 + below(10);
      SetShape(target, masks, left * scale, top * scale, width * scale, height * scale);
      for (int d = below(4); d > 0; --d) {
        TestObject near{.image = target.image, .class_id = below(8) == 0 ? below(classes) : target.class_id};
        SetShape(near, masks, left * scale + below(2), top * scale + below(3) - 1, width * scale,
                 (height + below(2)) * scale);
        scene.detections.push_back(near);
      }
      if (below(3) == 0) target.area = std::vector<double>{1, 1024, 1025, 9216, 9217, 1e10, 3e10}[random() % 7];
      scene.targets.push_back(target);
    }
    for (int d = below(6); d > 0; --d) {
      TestObject other{.image = scene.images.back(), .class_id = below(classes)};
      SetShape(other, masks, below(8) * scale, below(8) * scale, (1 + below(9)) * scale, below(9) * scale);
      scene.detections.push_back(other);
    }
  }
  std::shuffle(scene.detections.begin(), scene.detections.end(), random);
  for (TestObject& detection : scene.detections) detection.score = below(levels) / 8.0 - 1;
  return scene;
}

inline void PutMasks(const std::string& prefix, const std::vector<TestObject>& objects, OwnedBatch& batch) {
  std::vector<double> sizes, runs, counts;
  for (const TestObject& object : objects) {
    sizes.insert(sizes.end(), {kTestSize, kTestSize});
    const size_t before = counts.size();
    bool value = false;
    double run = 0;
    for (const bool pixel : object.mask) {
      if (pixel != value) {
        counts.push_back(run);
        run = 0;
        value = pixel;
      }
      ++run;
    }
    counts.push_back(run);
    runs.push_back(static_cast<double>(counts.size() - before));
  }
  const auto rows = static_cast<int64_t>(objects.size());
  batch.tensors.emplace_back(prefix + "mask_sizes", DType::kI64, std::vector<int64_t>{rows, 2}, sizes);
  batch.tensors.emplace_back(prefix + "mask_runs", DType::kI32, std::vector<int64_t>{rows}, runs);
  batch.tensors.emplace_back(prefix + "mask_counts", DType::kI64,
                             std::vector<int64_t>{static_cast<int64_t>(counts.size())}, counts);
}

/// Boxes are xyxy.
inline OwnedBatch BatchOf(const TestScene& scene) {
  OwnedBatch batch{scene.masks ? "instances" : "detections", {}};
  const auto put = [&](const std::string& name, DType dtype, const std::vector<TestObject>& objects, auto of) {
    std::vector<double> values;
    for (const TestObject& object : objects) values.push_back(static_cast<double>(of(object)));
    batch.tensors.emplace_back(name, dtype, std::vector<int64_t>{static_cast<int64_t>(objects.size())}, values);
  };
  put("scores", DType::kF32, scene.detections, [](const TestObject& o) { return o.score; });
  put("classes", DType::kU8, scene.detections, [](const TestObject& o) { return o.class_id; });
  put("images", DType::kI64, scene.detections, [](const TestObject& o) { return o.image; });
  put("target_classes", DType::kI32, scene.targets, [](const TestObject& o) { return o.class_id; });
  put("target_images", DType::kI64, scene.targets, [](const TestObject& o) { return o.image; });
  put("target_crowd", DType::kU8, scene.targets, [](const TestObject& o) { return o.crowd; });
  put("target_area", DType::kF64, scene.targets, [](const TestObject& o) { return o.area; });
  batch.tensors.emplace_back("evaluated_images", DType::kI64,
                             std::vector<int64_t>{static_cast<int64_t>(scene.images.size())},
                             std::vector<double>(scene.images.begin(), scene.images.end()));
  for (const bool target : {false, true}) {
    const std::vector<TestObject>& objects = target ? scene.targets : scene.detections;
    const std::string prefix = target ? "target_" : "";
    if (scene.masks) {
      PutMasks(prefix, objects, batch);
      continue;
    }
    std::vector<double> corners;
    for (const TestObject& o : objects) corners.insert(corners.end(), {o.left, o.top, o.right, o.bottom});
    batch.tensors.emplace_back(prefix + "boxes", DType::kF32,
                               std::vector<int64_t>{static_cast<int64_t>(objects.size()), 4}, corners);
  }
  return batch;
}

/// Some images of the scene to each piece.
inline std::vector<OwnedBatch> PiecesOf(const TestScene& scene, std::mt19937_64& random) {
  std::vector<TestScene> pieces(1 + random() % 4);
  for (TestScene& piece : pieces) piece.masks = scene.masks;
  std::map<int64_t, size_t> piece_of;
  for (const int64_t image : scene.images) {
    piece_of[image] = random() % pieces.size();
    pieces[piece_of[image]].images.push_back(image);
  }
  for (const TestObject& detection : scene.detections)
    pieces[piece_of[detection.image]].detections.push_back(detection);
  for (const TestObject& target : scene.targets) pieces[piece_of[target.image]].targets.push_back(target);
  std::vector<OwnedBatch> batches;
  for (const TestScene& piece : pieces) batches.push_back(BatchOf(piece));
  return batches;
}

inline double PlainIou(const TestObject& a, const TestObject& b, bool over_first, double offset = 0) {
  double both = 0, first = 0, second = 0;
  if (!a.mask.empty()) {
    for (size_t i = 0; i < a.mask.size(); ++i) {
      both += a.mask[i] && b.mask[i] ? 1 : 0;
      first += a.mask[i] ? 1 : 0;
      second += b.mask[i] ? 1 : 0;
    }
  } else {
    const double width = std::min(a.right, b.right) - std::max(a.left, b.left) + offset;
    const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top) + offset;
    both = std::max(0.0, width) * std::max(0.0, height);
    first = (a.right - a.left + offset) * (a.bottom - a.top + offset);
    second = (b.right - b.left + offset) * (b.bottom - b.top + offset);
  }
  return both == 0 ? 0 : both / (over_first ? first : first + second - both);
}

/// A detection in the final order: whether it finds a target, and its place in its image.
struct PlainHit {
  double score;
  int64_t image;
  size_t place;
  bool hit;
};

/// Detections of an image and class, by score.
inline std::vector<TestObject> InImage(const std::vector<TestObject>& objects, int64_t image, int class_id) {
  std::vector<TestObject> own;
  for (const TestObject& object : objects) {
    if (object.image == image && object.class_id == class_id) own.push_back(object);
  }
  std::stable_sort(own.begin(), own.end(), [](const TestObject& a, const TestObject& b) { return a.score > b.score; });
  return own;
}

inline void SortHits(std::vector<PlainHit>& hits) {
  std::sort(hits.begin(), hits.end(), [](const PlainHit& a, const PlainHit& b) {
    return std::tuple(-a.score, a.image, a.place) < std::tuple(-b.score, b.image, b.place);
  });
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_TEST_OBJECTS_H_

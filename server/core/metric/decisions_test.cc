#include "server/core/metric/decisions.h"

#include <cmath>
#include <limits>

#include "server/core/base/status.h"
#include "server/core/metric/test_batch.h"
#include "server/core/metric/typed.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TensorView View(const OwnedTensor& tensor) { return {tensor.dtype, tensor.shape, tensor.bytes.data()}; }

absl::StatusOr<Decisions> Decided(const OwnedTensor& prediction, const OwnedTensor& target, int64_t ignored = -100) {
  return Decide(View(prediction), View(target), ignored);
}

std::vector<FieldViolation> ViolationsOf(const OwnedTensor& prediction, const OwnedTensor& target,
                                         int64_t ignored = -100) {
  return FieldViolationsOf(Decided(prediction, target, ignored).status());
}

/// The first highest of every item, one after the other.
std::vector<int32_t> HighestOf(const TensorView& scores, int64_t outer, int64_t classes, int64_t inner) {
  std::vector<int32_t> highest;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      int32_t best = 0;
      const auto at = [&](int64_t k) { return ReadDouble(scores, (o * classes + k) * inner + i); };
      for (int32_t k = 1; k < classes; ++k) best = at(k) > at(best) ? k : best;
      highest.push_back(best);
    }
  }
  return highest;
}

struct Shape {
  int64_t outer, classes, inner;
  std::vector<int64_t> scores() const {
    return inner == 1 ? std::vector<int64_t>{outer, classes} : std::vector<int64_t>{outer, classes, inner};
  }
  std::vector<int64_t> labels() const {
    return inner == 1 ? std::vector<int64_t>{outer} : std::vector<int64_t>{outer, inner};
  }
};

constexpr DType kReals[] = {DType::kF32, DType::kF64, DType::kF16, DType::kBF16};
constexpr DType kWholes[] = {DType::kU8, DType::kI32, DType::kI64};

class RandomDecisionsTest : public ::testing::Test {
 protected:
  int64_t Below(int64_t end) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(end)); }
  /// Few values, so that there are ties, in memory that is aligned to nothing.
  OwnedTensor Scores(DType dtype, const Shape& shape) {
    OwnedTensor scores("prediction", dtype, shape.scores(), {});
    const int64_t values = 2 + Below(60);
    for (int64_t i = 0; i < shape.outer * shape.classes * shape.inner; ++i) {
      const int64_t value = Below(values) - values / 2;
      scores.Append(Below(50) == 0 ? -std::numeric_limits<double>::infinity() : static_cast<double>(value) / 4);
    }
    return scores;
  }
  static TensorView Unaligned(const OwnedTensor& tensor, std::vector<std::byte>& room) {
    room.assign(1, std::byte{0});
    room.insert(room.end(), tensor.bytes.begin(), tensor.bytes.end());
    return {tensor.dtype, tensor.shape, room.data() + 1};
  }
  Shape AnyShape() {
    // Few and many classes, below and above a vector and what is widened at once; blocks of pixels and what is left.
    const int64_t classes[] = {1, 2, 5, 16, 17, 33, 1000, 1025, 2500};
    const int64_t inners[] = {1, 1, 2, 7, 64, 100, 2047, 2048, 2049, 5000};
    Shape shape{1 + Below(5), classes[Below(9)], inners[Below(10)]};
    if (shape.inner == 1) shape.outer = 1 + Below(300);
    if (shape.classes >= 1000) shape.inner = std::min<int64_t>(shape.inner, 64);
    return shape;
  }

  const uint64_t seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
};

TEST_F(RandomDecisionsTest, AreThoseOfAPlainLoop) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 150; ++round) {
    const Shape shape = AnyShape();
    const OwnedTensor scores = Scores(kReals[Below(4)], shape);
    OwnedTensor labels("target", kWholes[Below(3)], shape.labels(), {});
    const int64_t ignored = 255;
    std::vector<int32_t> wanted;
    for (int64_t i = 0; i < shape.outer * shape.inner; ++i) {
      const bool skip = Below(5) == 0 && shape.classes <= 255;
      const int64_t label = Below(labels.dtype == DType::kU8 ? std::min<int64_t>(shape.classes, 255) : shape.classes);
      labels.Append(static_cast<double>(skip ? ignored : label));
      wanted.push_back(skip || label == ignored ? kIgnored : static_cast<int32_t>(label));
    }
    std::vector<std::byte> room1, room2;
    const absl::StatusOr<Decisions> got = Decide(Unaligned(scores, room1), Unaligned(labels, room2), ignored);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->classes, shape.classes);
    EXPECT_EQ(got->outer, shape.outer);
    EXPECT_EQ(got->inner, shape.inner);
    ASSERT_EQ(got->predicted, HighestOf(View(scores), shape.outer, shape.classes, shape.inner))
        << shape.classes << " classes, inner " << shape.inner << ", " << NameOf(scores.dtype);
    ASSERT_EQ(got->wanted, wanted);
  }
}

TEST_F(RandomDecisionsTest, OfSoftTargetsTheHighestIsWanted) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 50; ++round) {
    const Shape shape = AnyShape();
    const OwnedTensor scores = Scores(kReals[Below(4)], shape), target = Scores(kReals[Below(4)], shape);
    const absl::StatusOr<Decisions> got = Decided(scores, target, 0);
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(got->wanted, HighestOf(View(target), shape.outer, shape.classes, shape.inner));
  }
}

TEST_F(RandomDecisionsTest, NanIsFoundWhereverItIs) {
  SCOPED_TRACE(seed_);
  for (int round = 0; round < 100; ++round) {
    const Shape shape = AnyShape();
    OwnedTensor scores = Scores(kReals[Below(4)], shape);
    const int64_t element = Below(shape.outer * shape.classes * shape.inner);
    OwnedTensor nan("", scores.dtype, {1}, {std::nan("")});
    std::copy(nan.bytes.begin(), nan.bytes.end(),
              scores.bytes.begin() + element * static_cast<int64_t>(nan.bytes.size()));
    const int64_t item = element / (shape.classes * shape.inner) * shape.inner + element % shape.inner;
    const OwnedTensor labels("target", DType::kU8, shape.labels(),
                             std::vector<double>(static_cast<size_t>(shape.outer * shape.inner)));
    const std::string text = absl::StrCat("is NaN at item ", item, "; allowed: numbers");
    ASSERT_THAT(ViolationsOf(scores, labels), ElementsAre(FieldViolation{"inputs.prediction", text}))
        << shape.outer << " " << shape.classes << " " << shape.inner;
    const OwnedTensor good("prediction", DType::kF32, shape.scores(),
                           std::vector<double>(scores.bytes.size() / nan.bytes.size()));
    ASSERT_THAT(ViolationsOf(good, scores), ElementsAre(FieldViolation{"inputs.target", text}));
  }
}

TEST(DecisionsTest, AmongEqualsTheLowestClassIsHighest) {
  for (const int64_t classes : {2, 5, 40, 3000}) {
    std::vector<double> same(static_cast<size_t>(classes), 1.0);
    const OwnedTensor rows("prediction", DType::kF32, {1, classes}, same);
    EXPECT_EQ(Decided(rows, {"target", DType::kU8, {1}, {0}})->predicted.at(0), 0);
    same.at(0) = -0.0;
    std::fill(same.begin() + 1, same.end(), 0.0);
    const OwnedTensor zeros("prediction", DType::kF64, {1, classes, 1}, same);
    EXPECT_EQ(Decided(zeros, {"target", DType::kU8, {1, 1}, {0}})->predicted.at(0), 0) << "-0 is 0";
    const OwnedTensor lowest("prediction", DType::kF32, {1, classes},
                             std::vector<double>(static_cast<size_t>(classes), -INFINITY));
    EXPECT_EQ(Decided(lowest, {"target", DType::kU8, {1}, {0}})->predicted.at(0), 0);
  }
}

TEST(DecisionsTest, DecidedClassesAreAsManyAsTheHighest) {
  for (const DType dtype : kWholes) {
    const OwnedTensor prediction("prediction", dtype, {2, 2}, {3, 0, 1, 4});
    const absl::StatusOr<Decisions> got = Decided(prediction, {"target", dtype, {2, 2}, {3, 9, 2, 0}}, 9);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->classes, 5) << "what is ignored is no class";
    EXPECT_THAT(got->predicted, ElementsAre(3, 0, 1, 4));
    EXPECT_THAT(got->wanted, ElementsAre(3, kIgnored, 2, 0));
  }
}

TEST(DecisionsTest, IgnoredBeforeItIsAClass) {
  const OwnedTensor prediction("prediction", DType::kF32, {3, 2}, {1, 0, 0, 1, 1, 0});
  EXPECT_THAT(Decided(prediction, {"target", DType::kI32, {3}, {1, 0, 1}}, 1)->wanted, ElementsAre(-1, 0, -1));
}

TEST(DecisionsTest, NothingIsDecidedOfNothing) {
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{0, 3}, {0, 3, 4}, {2, 3, 0}}) {
    std::vector<int64_t> labels = shape;
    labels.erase(labels.begin() + 1);
    const absl::StatusOr<Decisions> got =
        Decided({"prediction", DType::kF32, shape, {}}, {"target", DType::kI64, labels, {}});
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->classes, 3);
    EXPECT_THAT(got->predicted, IsEmpty());
    EXPECT_THAT(got->wanted, IsEmpty());
  }
}

TEST(DecisionsTest, WrongLabelsAreNamed) {
  const OwnedTensor prediction("prediction", DType::kF32, {3, 2}, {1, 0, 0, 1, 1, 0});
  const std::string allowed = " at item 2; allowed: 0 to 1, and -100, which is ignored";
  // The last has the lower 32 bits of the ignored one.
  for (const double wrong : {2.0, -1.0, 1099511627776.0, -99.0, 4294967296.0, 4294967196.0}) {
    const std::string text = absl::StrCat("is ", static_cast<int64_t>(wrong), allowed);
    EXPECT_THAT(ViolationsOf(prediction, {"target", DType::kI64, {3}, {0, -100, wrong}}),
                ElementsAre(FieldViolation{"inputs.target", text}));
  }
  EXPECT_THAT(ViolationsOf(prediction, {"target", DType::kU8, {3}, {0, 1, 7}}, -100),
              ElementsAre(FieldViolation{"inputs.target", absl::StrCat("is 7", allowed)}));
}

TEST(DecisionsTest, AllThatIsWrongIsNamedAtOnce) {
  EXPECT_THAT(
      ViolationsOf({"prediction", DType::kF32, {2, 2}, {1, std::nan(""), 0, 1}}, {"target", DType::kI32, {2}, {5, 0}}),
      ElementsAre(FieldViolation{"inputs.prediction", "is NaN at item 0; allowed: numbers"},
                  FieldViolation{"inputs.target", "is 5 at item 0; allowed: 0 to 1, and -100, which is ignored"}));
  EXPECT_THAT(ViolationsOf({"prediction", DType::kI64, {1}, {-100}}, {"target", DType::kI64, {1}, {-1}}),
              ElementsAre(FieldViolation{"inputs.prediction", "is -100 at item 0; allowed: 0 and above"},
                          FieldViolation{"inputs.target",
                                         "is -1 at item 0; allowed: 0 and above, and -100, which is ignored"}));
  EXPECT_THAT(ViolationsOf({"prediction", DType::kU8, {2}, {0, 0}}, {"target", DType::kF32, {3}, {0, 0, 0}}),
              ElementsAre(FieldViolation{"inputs.target", "has type f32; a prediction of classes needs u8, i32 or i64"},
                          FieldViolation{"inputs.target", "has shape [3]; a prediction of [2] needs [2]"}));
}

TEST(DecisionsTest, WrongShapes) {
  EXPECT_THAT(
      ViolationsOf({"prediction", DType::kF32, {2}, {0, 0}}, {"target", DType::kU8, {2}, {0, 0}}),
      ElementsAre(FieldViolation{"inputs.prediction", "has shape [2]; allowed: scores [N, C, ...] with C at least 1"}));
  EXPECT_THAT(ViolationsOf({"prediction", DType::kF32, {2, 0}, {}}, {"target", DType::kU8, {2}, {0, 0}}),
              ElementsAre(FieldViolation{"inputs.prediction",
                                         "has shape [2, 0]; allowed: scores [N, C, ...] with C at least 1"}));
  EXPECT_THAT(ViolationsOf({"prediction", DType::kU8, {}, {0}}, {"target", DType::kU8, {}, {0}}),
              ElementsAre(FieldViolation{"inputs.prediction", "has shape []; allowed: classes [N, ...]"}));
  EXPECT_THAT(ViolationsOf({"prediction", DType::kF32, {1, 2}, {0, 0}}, {"target", DType::kF64, {2}, {0, 0}}),
              ElementsAre(FieldViolation{"inputs.target", "has shape [2]; a prediction of [1, 2] needs [1, 2]"}));
}

}  // namespace
}  // namespace gradeline

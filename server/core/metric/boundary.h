// How well the boundaries of segmented classes lie, as counts.
#ifndef GRADELINE_SERVER_CORE_METRIC_BOUNDARY_H_
#define GRADELINE_SERVER_CORE_METRIC_BOUNDARY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "server/core/metric/counts.h"

namespace gradeline {

/// One image: the class of every pixel, row by row. From `classes` on it is background, below 0 not known.
struct ClassMap {
  absl::Span<const int32_t> pixels;
  int64_t rows = 0, columns = 0;
  int64_t classes = 0;
};

/// A boundary F-score as a fixed-point number.
struct BoundaryScore {
  int32_t index = 0;    ///< the class
  uint64_t scaled = 0;  ///< F times 2^52, rounded to the nearest whole number, halves up
};

/// Of every class that occurs in the image. A pixel is of the boundary of its class if one of its four neighbours in
/// the image is of another; a border of the image is none, nor is a pixel that is not known. With p the predicted
/// boundary pixels of which the distance to one of the target is at most `tolerance` * the diagonal of the image, of P
/// (precision p / P), and t those of the target near a predicted one, of T (recall t / T), F is
/// 2 p t / (p T + t P); 0 if p or t is 0; 1 if neither has a boundary. `predicted` and `wanted` have the same shape and
/// where one is not known, both are not.
std::vector<BoundaryScore> BoundaryScores(const ClassMap& predicted, const ClassMap& wanted, double tolerance);

/// Of pixel-multiclass [N, C, H, W] or decided [N, H, W], and pixel-binary [..., H, W] (the positive class alone, as
/// class 0). Ignored pixels are not known. Every F is rounded once, to a multiple of 2^-52; the sum of the multiples is
/// a whole number of 128 bits, the same for every partition. 32 bytes of memory for each class.
class Boundary : public Counts {
 public:
  __extension__ using Wide = unsigned __int128;
  struct Sum {
    Wide scaled = 0;
    int64_t images = 0;  ///< in which the class occurs
  };

  explicit Boundary(const CountsOptions& options);

  absl::Status Add(const MetricBatch& batch) override;
  /// Bytes: images of every class up to the last that occurs and, if they are not 0, the low and the high half of the
  /// sum.
  absl::Status Merge(std::string_view bytes) override;
  std::string Bytes() const override;
  const std::vector<Sum>& sums() const { return sums_; }  ///< by class

 private:
  absl::Status AddSums(const std::vector<Sum>& sums);

  double tolerance_;
  int64_t max_bytes_;
  int64_t images_ = 0;  // of all classes together
  std::vector<Sum> sums_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_BOUNDARY_H_

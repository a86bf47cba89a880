// Sums of doubles, and of products of two, without any rounding: the same for every order.
#ifndef GRADELINE_SERVER_CORE_METRIC_EXACT_SUM_H_
#define GRADELINE_SERVER_CORE_METRIC_EXACT_SUM_H_

#include <array>
#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "server/core/metric/counts_bytes.h"

namespace gradeline {

/// A whole number of any size. What is computed from sums is computed in it and rounded once, at the end.
using Integer = boost::multiprecision::cpp_int;

/// One whole number of 2^-2148, the finest that the product of two doubles has. It has room for 2^53 products of any
/// finite doubles, so that nothing is lost at either end. Its value alone is kept, not what it was made of: equal sums
/// are equal.
class ExactSum {
 public:
  static constexpr int kFinest = 2148;
  /// Any product of finite doubles is below 2^kProductBits in units of 2^-2148.
  static constexpr int kProductBits = kFinest + 2048;

  void Add(double finite);
  void AddProduct(double finite, double other_finite);
  void Add(const ExactSum& other);
  /// Adds `magnitude` times 2^(position - 2148), or takes it away. Position from 0 to kProductBits.
  void AddAt(unsigned __int128 magnitude, int position, bool negative);

  bool negative() const { return words_.back() >> 63 != 0; }
  int bits() const;          ///< of its magnitude
  Integer Multiple() const;  ///< the sum times 2^2148
  void Put(std::string& bytes) const;
  /// Replaces the sum by one that was put; false if there is none of at most `most_bits` bits.
  bool Read(CountsReader& reader, int most_bits);
  bool operator==(const ExactSum&) const = default;

 private:
  static constexpr size_t kWords = 67;
  using Words = std::array<uint64_t, kWords>;
  Words Magnitude() const;
  Words words_{};  // two's complement, the lowest first
};

/// Adds finite values to `sum`, their squares to `squares` and, unless it is nullptr, their magnitudes to `magnitudes`.
/// As Add and AddProduct one by one, only faster.
void AddAll(absl::Span<const double> values, ExactSum& sum, ExactSum& squares, ExactSum* magnitudes);

/// The double nearest to numerator / denominator * 2^exponent, ties to even. The denominator is above 0.
double RoundedRatio(const Integer& numerator, const Integer& denominator, int64_t exponent = 0);
/// The double nearest to the square root of the same, of an even exponent; the numerator is not below 0.
double RoundedRoot(const Integer& numerator, const Integer& denominator, int64_t exponent = 0);
/// The mean of finite values, rounded once; 0 of none.
double RoundedMean(absl::Span<const double> values);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_EXACT_SUM_H_

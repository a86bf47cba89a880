// Numbers as bytes, the small ones short (LEB128 varints): how counts travel. Bytes may come from anywhere.
#ifndef GRADELINE_SERVER_CORE_METRIC_COUNTS_BYTES_H_
#define GRADELINE_SERVER_CORE_METRIC_COUNTS_BYTES_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gradeline {

inline void PutUnsigned(uint64_t value, std::string& bytes) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
}
/// Small magnitudes are short.
inline void PutSigned(int64_t value, std::string& bytes) {
  PutUnsigned(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63), bytes);
}
inline void PutDouble(double value, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// Reads what was put, in the same order. Beyond the end, and of a varint that is none, everything is 0 and not ok.
class CountsReader {
 public:
  explicit CountsReader(std::string_view bytes) : bytes_(bytes) {}

  uint64_t Unsigned() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return Fail();
  }
  int64_t Signed() {
    const uint64_t value = Unsigned();
    return static_cast<int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }
  /// A count or a size: at most `most`.
  int64_t Count(int64_t most = (int64_t{1} << 53)) {
    const uint64_t value = Unsigned();
    return value <= static_cast<uint64_t>(most) ? static_cast<int64_t>(value) : static_cast<int64_t>(Fail());
  }
  double Double() {
    double value = 0;
    if (bytes_.size() < sizeof(value)) return static_cast<double>(Fail());
    std::memcpy(&value, bytes_.data(), sizeof(value));
    bytes_.remove_prefix(sizeof(value));
    return value;
  }
  bool ok() const { return ok_; }
  bool done() const { return bytes_.empty(); }
  size_t left() const { return bytes_.size(); }
  /// INVALID_ARGUMENT unless all was read and all was good.
  absl::Status Finish(std::string_view kind) const {
    if (ok_ && done()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("is no ", absl::string_view(kind.data(), kind.size()), " count"));
  }

 private:
  uint64_t Fail() {
    ok_ = false;
    bytes_ = {};
    return 0;
  }
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_METRIC_COUNTS_BYTES_H_

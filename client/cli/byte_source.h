// Bytes from the front, in pieces: what the readers of annotation files take, so that none holds a whole file and each
// can be tested on bytes in memory.
#ifndef GRADELINE_CLIENT_CLI_BYTE_SOURCE_H_
#define GRADELINE_CLIENT_CLI_BYTE_SOURCE_H_

#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gradeline::cli {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Puts up to `size` bytes (at least 1) into `buffer` and gives their number; 0 only at the end.
  virtual absl::StatusOr<size_t> Read(char* buffer, size_t size) = 0;
};

/// Bytes that outlive it.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(absl::string_view bytes) : left_(bytes) {}
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override;

 private:
  absl::string_view left_;
};

/// A file, plain or compressed with gzip; "-" is standard input. INVALID_ARGUMENT if it cannot be opened; reads say
/// what is wrong with the compressed data. Errors do not name the file. `progress`, if there is one, learns how much of
/// the file as it lies on the disk is read, after every read.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenSource(const std::string& path,
                                                       std::function<void(int64_t done_bytes)> progress);

/// The bytes of a source one by one.
class ByteReader {
 public:
  explicit ByteReader(ByteSource* source) : source_(source) {}
  /// The next byte, still to be taken; -1 at the end and after a failure.
  int Peek() { return at_ < filled_ || Fill() ? static_cast<unsigned char>(buffer_[at_]) : -1; }
  int Take() {
    const int byte = Peek();
    if (byte >= 0) ++at_;
    return byte;
  }
  /// How many bytes were taken.
  int64_t position() const { return before_ + static_cast<int64_t>(at_); }
  /// Why the source ended early.
  const absl::Status& status() const { return status_; }

 private:
  bool Fill();

  ByteSource* const source_;
  absl::Status status_;
  bool ended_ = false;
  int64_t before_ = 0;  // bytes of earlier fillings
  size_t at_ = 0, filled_ = 0;
  char buffer_[1 << 16];
};

/// The bytes of a reader as an input iterator, for parsers that take one. `limit`: where to stop, if it is before the
/// end.
class ByteIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  ByteIterator() = default;  // the end
  explicit ByteIterator(ByteReader* bytes, const int64_t* limit = nullptr) : bytes_(bytes), limit_(limit) {}
  char operator*() const { return static_cast<char>(bytes_->Peek()); }
  ByteIterator& operator++() {
    bytes_->Take();
    return *this;
  }
  bool operator!=(const ByteIterator& other) const { return AtEnd() != other.AtEnd(); }
  bool operator==(const ByteIterator& other) const { return AtEnd() == other.AtEnd(); }

 private:
  bool AtEnd() const {
    return bytes_ == nullptr || (limit_ != nullptr && bytes_->position() >= *limit_) || bytes_->Peek() < 0;
  }
  ByteReader* bytes_ = nullptr;
  const int64_t* limit_ = nullptr;
};

}  // namespace gradeline::cli

#endif  // GRADELINE_CLIENT_CLI_BYTE_SOURCE_H_

// See idx.h. Format: two zero bytes, the element type (8: unsigned byte), the number of dimensions, the sizes as
// big-endian 32-bit integers, the elements.
#include "client/cli/idx.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace gradeline::cli {
namespace {

// A file at its first element, once the header is read.
class IdxReader {
 public:
  explicit IdxReader(ByteSource* source) : source_(source) {}

  const std::vector<int64_t>& sizes() const { return sizes_; }
  // Elements as the header says; the sizes that ReadHeader allows cannot overflow.
  int64_t elements() const {
    int64_t out = 1;
    for (const int64_t size : sizes_) out *= size;
    return out;
  }

  absl::Status ReadHeader(int dimensions) {
    std::vector<uint8_t> header;
    if (absl::Status status = Read(4 + 4 * dimensions, &header); !status.ok()) return status;
    if (header[0] != 0 || header[1] != 0 || header[2] != 8 || header[3] != dimensions) {
      return absl::InvalidArgumentError(
          absl::StrFormat("it begins with %02x %02x %02x %02x, expected 00 00 08 %02x (idx%d of unsigned bytes)",
                          header[0], header[1], header[2], header[3], dimensions, dimensions));
    }
    for (int i = 0; i < dimensions; ++i) {
      const uint8_t* at = &header[4 + 4 * i];
      sizes_.push_back(int64_t{at[0]} << 24 | int64_t{at[1]} << 16 | int64_t{at[2]} << 8 | at[3]);
    }
    for (int i = 1; i < dimensions; ++i) {
      if (sizes_[i] < 1 || sizes_[i] > 65536) {
        return absl::InvalidArgumentError(
            absl::StrCat("its images have ", sizes_[i], " rows or columns, allowed are 1 to 65536"));
      }
    }
    if (sizes_[0] > 100'000'000) {
      return absl::InvalidArgumentError(
          absl::StrCat("its header announces ", sizes_[0], " items, allowed are up to 100,000,000"));
    }
    return absl::OkStatus();
  }

  // Reads exactly `count` bytes; `kept` may be null.
  absl::Status Read(int64_t count, std::vector<uint8_t>* kept) {
    std::vector<char> buffer(1 << 16);
    for (int64_t done = 0; done < count;) {
      const auto most = static_cast<size_t>(std::min<int64_t>(count - done, static_cast<int64_t>(buffer.size())));
      const absl::StatusOr<size_t> got = source_->Read(buffer.data(), most);
      if (!got.ok()) return got.status();
      if (*got == 0) {
        return absl::InvalidArgumentError(absl::StrCat("it is cut short: ", done, " of ", count, " bytes are there"));
      }
      if (kept != nullptr) kept->insert(kept->end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(*got));
      done += static_cast<int64_t>(*got);
    }
    return absl::OkStatus();
  }

  // The file must end here.
  absl::Status CheckEnd() {
    char byte = 0;
    const absl::StatusOr<size_t> got = source_->Read(&byte, 1);
    if (!got.ok()) return got.status();
    if (*got == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("it goes on after the ", elements(), " elements that its header announces"));
  }

 private:
  ByteSource* const source_;
  std::vector<int64_t> sizes_;
};

}  // namespace

absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(ByteSource* source) {
  IdxReader reader(source);
  std::vector<uint8_t> out;
  if (absl::Status status = reader.ReadHeader(1); !status.ok()) return status;
  if (absl::Status status = reader.Read(reader.elements(), &out); !status.ok()) return status;
  if (absl::Status status = reader.CheckEnd(); !status.ok()) return status;
  return out;
}

absl::StatusOr<int64_t> CountIdxImages(ByteSource* source) {
  IdxReader reader(source);
  if (absl::Status status = reader.ReadHeader(3); !status.ok()) return status;
  if (absl::Status status = reader.Read(reader.elements(), nullptr); !status.ok()) return status;
  if (absl::Status status = reader.CheckEnd(); !status.ok()) return status;
  return reader.sizes()[0];
}

}  // namespace gradeline::cli

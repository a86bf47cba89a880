// The form: a version; the number of labels and each one's distance from the one before; the group; the number of tags
// and each; the subset. Numbers are LEB128, texts have their length before them. It ends after the last that is not
// empty.
#include "server/core/experiment/item_codec.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace gradeline {
namespace {

constexpr char kVersion = 1;

void PutNumber(uint64_t number, std::string& bytes) {
  for (; number >= 0x80; number >>= 7) bytes.push_back(static_cast<char>(number | 0x80));
  bytes.push_back(static_cast<char>(number));
}

void PutText(std::string_view text, std::string& bytes) {
  PutNumber(text.size(), bytes);
  bytes.append(text);
}

// Reads from the front; where nothing is left, numbers are 0 and texts empty.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : left_(bytes) {}
  bool good() const { return good_ && left_.empty(); }

  uint64_t Number() {
    uint64_t number = 0;
    if (left_.empty()) return number;
    for (int shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      number |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return number;
    }
    good_ = false;
    return number;
  }
  // Of things of at least one byte each.
  uint64_t Count() {
    const uint64_t count = Number();
    if (count <= left_.size()) return count;
    good_ = false;
    return 0;
  }
  std::string_view Text() {
    const uint64_t size = Count();
    const std::string_view text = left_.substr(0, size);
    left_.remove_prefix(size);
    return text;
  }

 private:
  std::string_view left_;
  bool good_ = true;
};

}  // namespace

std::string EncodeMore(const Item& item) {
  const int fields = !item.subset.empty() ? 4 : !item.tags.empty() ? 3 : !item.group.empty() ? 2 : !item.labels.empty();
  if (fields == 0) return "";
  std::string bytes(1, kVersion);
  PutNumber(item.labels.size(), bytes);
  int32_t before = 0;
  for (const int32_t label : item.labels) {
    PutNumber(static_cast<uint32_t>(label) - static_cast<uint32_t>(before), bytes);
    before = label;
  }
  if (fields >= 2) PutText(item.group, bytes);
  if (fields >= 3) {
    PutNumber(item.tags.size(), bytes);
    for (const std::string& tag : item.tags) PutText(tag, bytes);
  }
  if (fields >= 4) PutText(item.subset, bytes);
  return bytes;
}

absl::Status DecodeMore(std::string_view bytes, Item& item) {
  item.labels.clear();
  item.tags.clear();
  item.group.clear();
  item.subset.clear();
  if (bytes.empty()) return absl::OkStatus();
  const char version = bytes.front();
  Cursor cursor(bytes.substr(1));
  uint32_t label = 0;
  for (uint64_t left = cursor.Count(); left > 0; --left) {
    label += static_cast<uint32_t>(cursor.Number());
    item.labels.push_back(static_cast<int32_t>(label));
  }
  item.group = cursor.Text();
  for (uint64_t left = cursor.Count(); left > 0; --left) item.tags.emplace_back(cursor.Text());
  item.subset = cursor.Text();
  if (version == kVersion && cursor.good()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("item ", item.index, ": ", bytes.size(), " stored bytes of version ",
                                          static_cast<int>(version), " cannot be read; the version known is ",
                                          static_cast<int>(kVersion)));
}

}  // namespace gradeline

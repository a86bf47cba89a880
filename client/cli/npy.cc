// See npy.h. The header's grammar is a Python dict literal with exactly the keys descr, fortran_order and shape.
#include "client/cli/npy.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/file.h"
#include "client/cli/narrow.h"

namespace gradeline::cli {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxHeaderBytes = 65536;
constexpr size_t kMaxDimensions = 32;  // NumPy's own limit
constexpr char kAllowedTypes[] =
    "allowed are <f2, <f4, <f8, |u1, |b1, <i4 and <i8: convert with astype, for example numpy.float32";

absl::Status Invalid(absl::string_view what) { return absl::InvalidArgumentError(what); }

struct Header {
  v1::DataType type = v1::DATA_TYPE_UNSPECIFIED;
  bool is_bool = false;
  std::vector<int64_t> shape;
};

// Reads the dict literal. Each Take... consumes spaces before its token.
class HeaderReader {
 public:
  explicit HeaderReader(absl::string_view text) : text_(text) {}

  absl::StatusOr<Header> Read() {
    Header out;
    bool have[3] = {};
    if (!Take('{')) return Bad("does not begin with {");
    while (!Take('}')) {
      std::string key;
      if (!TakeString(&key) || !Take(':')) return Bad("has an entry that is not 'key': value");
      const int index = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (index < 0 || std::exchange(have[index], true)) {
        return Bad(absl::StrCat("has the key '", absl::CHexEscape(key),
                                "' (expected each of descr, fortran_order, shape once)"));
      }
      absl::Status status = index == 0 ? ReadDescr(&out) : index == 1 ? ReadOrder() : ReadShape(&out.shape);
      if (!status.ok()) return status;
      if (!Take(',') && !Next('}')) return Bad("lacks a comma between entries");
    }
    SkipSpace();
    if (position_ != text_.size()) return Bad("goes on after }");
    if (!have[0] || !have[1] || !have[2]) return Bad("lacks one of descr, fortran_order, shape");
    return out;
  }

 private:
  absl::Status Bad(absl::string_view what) { return Invalid(absl::StrCat("the header ", what)); }

  void SkipSpace() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }
  bool Next(char c) {
    SkipSpace();
    return position_ < text_.size() && text_[position_] == c;
  }
  bool Take(char c) {
    const bool taken = Next(c);
    position_ += taken ? 1 : 0;
    return taken;
  }
  bool TakeWord(absl::string_view word) {
    SkipSpace();
    const bool taken = absl::StartsWith(text_.substr(position_), word);
    position_ += taken ? word.size() : 0;
    return taken;
  }
  bool TakeString(std::string* out) {
    SkipSpace();
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    const size_t end = quote == '\'' || quote == '"' ? text_.find(quote, position_ + 1) : absl::string_view::npos;
    if (end == absl::string_view::npos) return false;
    *out = std::string(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    return true;
  }

  absl::Status ReadDescr(Header* out) {
    std::string descr;
    if (Next('[')) return Invalid(absl::StrCat("the type is structured; ", kAllowedTypes));
    if (!TakeString(&descr)) return Bad("has a descr that is not a string");
    const std::string shown = absl::CHexEscape(descr.substr(0, 40));
    if (!descr.empty() && descr[0] == '>') {
      return Invalid(absl::StrCat("the byte order of '", shown,
                                  "' is big-endian; convert with a.astype(a.dtype.newbyteorder('<'))"));
    }
    if (absl::StrContains(descr, 'O')) {
      return Invalid(
          absl::StrCat("the type '", shown, "' holds Python objects, which are never read; ", kAllowedTypes));
    }
    static constexpr std::pair<absl::string_view, v1::DataType> kTypes[] = {
        {"<f2", v1::DATA_TYPE_F16}, {"<f4", v1::DATA_TYPE_F32}, {"<f8", v1::DATA_TYPE_F64}, {"|u1", v1::DATA_TYPE_U8},
        {"<u1", v1::DATA_TYPE_U8},  {"|b1", v1::DATA_TYPE_U8},  {"<i4", v1::DATA_TYPE_I32}, {"<i8", v1::DATA_TYPE_I64}};
    const auto* found =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& t) { return t.first == descr; });
    if (found == std::end(kTypes)) {
      return Invalid(absl::StrCat("the type '", shown, "' cannot be sent; ", kAllowedTypes));
    }
    out->type = found->second;
    out->is_bool = descr == "|b1";
    return absl::OkStatus();
  }

  absl::Status ReadOrder() {
    if (TakeWord("False")) return absl::OkStatus();
    if (TakeWord("True")) {
      return Invalid("the array is in Fortran order; save numpy.ascontiguousarray(a) instead");
    }
    return Bad("has a fortran_order that is neither True nor False");
  }

  absl::Status ReadShape(std::vector<int64_t>* shape) {
    if (!Take('(')) return Bad("has a shape that is not a tuple");
    while (!Take(')')) {
      SkipSpace();
      const size_t begin = position_;
      while (position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9') ++position_;
      int64_t size = 0;
      if (!absl::SimpleAtoi(text_.substr(begin, position_ - begin), &size)) {
        return Bad("has a shape with an entry that is not an integer from 0 to 2^63 - 1");
      }
      shape->push_back(size);
      if (shape->size() > kMaxDimensions) return Bad("has a shape of more than 32 dimensions");
      const bool comma = Take(',');
      if (!comma && !Next(')')) return Bad("has a shape without commas between its sizes");
      if (!comma && shape->size() == 1) return Bad("has a shape of one size without a comma: it is no tuple");
    }
    return absl::OkStatus();
  }

  absl::string_view text_;
  size_t position_ = 0;
};

// Bytes of all elements, or INVALID_ARGUMENT where the product leaves 63 bits.
absl::StatusOr<int64_t> DataBytes(v1::DataType type, const std::vector<int64_t>& shape) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) {
    return 0;
  }
  int64_t bytes = ElementBytes(type);
  for (const int64_t size : shape) {
    if (size < 0 || bytes > std::numeric_limits<int64_t>::max() / size) {
      return Invalid(absl::StrCat("the shape (", absl::StrJoin(shape, ", "), ") has more than 2^63 bytes"));
    }
    bytes *= size;
  }
  return bytes;
}

// Where the header's text lies; sets `data` to the offset of the elements.
absl::StatusOr<absl::string_view> HeaderText(absl::string_view content, size_t* data) {
  if (!absl::StartsWith(content, kMagic)) {
    return Invalid(absl::StrCat("it begins with \"", absl::CHexEscape(content.substr(0, 6)),
                                "\", not with the \"\\x93NUMPY\" of a .npy file"));
  }
  if (content.size() < 10) {
    return Invalid(absl::StrCat("it is cut short: ", content.size(), " bytes, before the end of the header's length"));
  }
  const int major = static_cast<unsigned char>(content[6]), minor = static_cast<unsigned char>(content[7]);
  if (major < 1 || major > 3 || minor != 0) {
    return Invalid(absl::StrCat("it has version ", major, ".", minor, ", allowed are 1.0, 2.0 and 3.0"));
  }
  const size_t length_bytes = major == 1 ? 2 : 4;
  const size_t begin = 8 + length_bytes;
  if (content.size() < begin) {
    return Invalid(absl::StrCat("it is cut short: ", content.size(), " bytes, before the end of the header's length"));
  }
  size_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) {
    length |= static_cast<size_t>(static_cast<unsigned char>(content[8 + i])) << (8 * i);
  }
  if (length > kMaxHeaderBytes) {
    return Invalid(absl::StrCat("it has a header of ", length, " bytes, more than the allowed ", kMaxHeaderBytes));
  }
  if (content.size() - begin < length) {
    return Invalid(
        absl::StrCat("it is cut short: the header has ", length, " bytes, ", content.size() - begin, " are there"));
  }
  *data = begin + length;
  return content.substr(begin, length);
}

absl::string_view DescrOf(v1::DataType type) {
  switch (type) {
    case v1::DATA_TYPE_F16:
      return "<f2";
    case v1::DATA_TYPE_F32:
      return "<f4";
    case v1::DATA_TYPE_F64:
      return "<f8";
    case v1::DATA_TYPE_U8:
      return "|u1";
    case v1::DATA_TYPE_I32:
      return "<i4";
    case v1::DATA_TYPE_I64:
      return "<i8";
    default:
      return "";
  }
}

}  // namespace

int ElementBytes(v1::DataType type) {
  switch (type) {
    case v1::DATA_TYPE_U8:
      return 1;
    case v1::DATA_TYPE_F16:
    case v1::DATA_TYPE_BF16:
      return 2;
    case v1::DATA_TYPE_F32:
    case v1::DATA_TYPE_I32:
      return 4;
    case v1::DATA_TYPE_F64:
    case v1::DATA_TYPE_I64:
      return 8;
    default:
      return 0;
  }
}

absl::StatusOr<v1::Tensor> ParseNpy(absl::string_view content) {
  size_t data = 0;
  absl::StatusOr<absl::string_view> text = HeaderText(content, &data);
  if (!text.ok()) return text.status();
  absl::StatusOr<Header> header = HeaderReader(*text).Read();
  if (!header.ok()) return header.status();
  absl::StatusOr<int64_t> bytes = DataBytes(header->type, header->shape);
  if (!bytes.ok()) return bytes.status();
  const auto found = static_cast<int64_t>(content.size() - data);
  if (found != *bytes) {
    return Invalid(absl::StrCat(found < *bytes ? "it is cut short" : "it has trailing bytes", ": the shape (",
                                absl::StrJoin(header->shape, ", "), ") needs ", *bytes, " bytes of data, ", found,
                                " are there"));
  }
  const absl::string_view elements = content.substr(data);
  if (header->is_bool) {
    const size_t bad = elements.find_first_not_of(absl::string_view("\x00\x01", 2));
    if (bad != absl::string_view::npos) {
      return Invalid(absl::StrCat("element ", bad, " of type bool is ", static_cast<unsigned char>(elements[bad]),
                                  ", allowed are 0 and 1"));
    }
  }
  v1::Tensor out;
  out.set_data_type(header->type);
  out.mutable_shape()->Assign(header->shape.begin(), header->shape.end());
  out.set_data(elements.data(), elements.size());
  return out;
}

absl::StatusOr<std::string> FormatNpy(const v1::Tensor& tensor) {
  if (tensor.data_type() == v1::DATA_TYPE_BF16) {
    v1::Tensor wide = tensor;
    WidenBf16(&wide);
    return FormatNpy(wide);
  }
  const std::vector<int64_t> shape(tensor.shape().begin(), tensor.shape().end());
  const absl::StatusOr<int64_t> bytes = DataBytes(tensor.data_type(), shape);
  if (!bytes.ok()) return bytes.status();
  if (DescrOf(tensor.data_type()).empty() || *bytes != static_cast<int64_t>(tensor.data().size())) {
    return Invalid(absl::StrCat("the tensor \"", tensor.name(), "\" has ", tensor.data().size(),
                                " bytes of data, its type and shape need ", *bytes));
  }
  std::string header = absl::StrCat("{'descr': '", DescrOf(tensor.data_type()), "', 'fortran_order': False, 'shape': (",
                                    absl::StrJoin(shape, ", "), shape.size() == 1 ? ",), }" : "), }");
  // The elements begin at a multiple of 64; the header ends with a newline.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header.push_back('\n');
  std::string out(kMagic);
  out.append({'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)});
  return absl::StrCat(out, header, tensor.data());
}

absl::StatusOr<v1::Tensor> ReadNpyFile(const std::string& path) {
  absl::StatusOr<std::string> content = ReadFile(path);
  if (!content.ok()) return content.status();
  absl::StatusOr<v1::Tensor> tensor = ParseNpy(*content);
  if (!tensor.ok()) return Invalid(absl::StrCat(path, ": ", tensor.status().message()));
  return tensor;
}

absl::Status WriteNpyFile(const std::string& path, const v1::Tensor& tensor) {
  const absl::StatusOr<std::string> content = FormatNpy(tensor);
  return content.ok() ? WriteFile(path, *content) : content.status();
}

}  // namespace gradeline::cli

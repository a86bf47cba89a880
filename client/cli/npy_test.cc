#include "client/cli/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"

namespace gradeline::cli {
namespace {

using testing::HasSubstr;

// A file of version 1.0 with this header and data.
std::string File(const std::string& header, const std::string& data, int major = 1) {
  std::string out("\x93NUMPY", 6);
  out.push_back(static_cast<char>(major));
  out.push_back('\0');
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) out.push_back(static_cast<char>(header.size() >> (8 * i) & 0xff));
  return out + header + data;
}

std::string Header(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return absl::StrCat("{'descr': '", descr, "', 'fortran_order': ", order, ", 'shape': ", shape, ", }");
}

TEST(Npy, ReadsEveryTypeAndVersion) {
  const std::pair<const char*, v1::DataType> types[] = {
      {"<f2", v1::DATA_TYPE_F16}, {"<f4", v1::DATA_TYPE_F32}, {"<f8", v1::DATA_TYPE_F64}, {"|u1", v1::DATA_TYPE_U8},
      {"|b1", v1::DATA_TYPE_U8},  {"<i4", v1::DATA_TYPE_I32}, {"<i8", v1::DATA_TYPE_I64}};
  for (const auto& [descr, type] : types) {
    for (const int major : {1, 2, 3}) {
      const std::string data(static_cast<size_t>(6 * ElementBytes(type)), '\x01');
      const auto tensor = ParseNpy(File(Header(descr, "(2, 3)"), data, major));
      ASSERT_TRUE(tensor.ok()) << descr << tensor.status();
      EXPECT_EQ(tensor->data_type(), type);
      EXPECT_THAT(tensor->shape(), testing::ElementsAre(2, 3));
      EXPECT_EQ(tensor->data(), data);
    }
  }
}

TEST(Npy, ReadsScalarsEmptyOnesAndOtherSpelling) {
  EXPECT_EQ(ParseNpy(File(Header("<f4", "()"), "abcd"))->shape_size(), 0);
  EXPECT_THAT(ParseNpy(File(Header("<f4", "(0, 9223372036854775807)"), ""))->shape(),
              testing::ElementsAre(0, INT64_C(9223372036854775807)));
  EXPECT_THAT(ParseNpy(File("{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"<i4\"}  \n", "abcd"))->shape(),
              testing::ElementsAre(1));
}

TEST(Npy, RefusesWhatCannotBeSentAndSaysWhy) {
  const std::string four(4, '\0');
  const std::pair<std::string, const char*> cases[] = {
      {"", "begins with"},
      {"PK\x03\x04 a zip file", "begins with"},
      {std::string("\x93NUMPY\x01", 7), "cut short"},
      {File(Header("<f4", "(1,)"), "").substr(0, 40), "cut short: the header"},
      {File(Header("<f4", "(1,)"), four, 4), "version 4.0"},
      {File(std::string(70000, ' '), "", 2), "header of 70000 bytes"},
      {File(Header("<f4", "(2, 2)", "True"), std::string(16, '\0')), "Fortran order"},
      {File(Header(">f4", "(1,)"), four), "big-endian"},
      {File(Header(">i8", "(1,)"), four), "big-endian"},
      {File(Header("|O", "(1,)"), four), "Python objects"},
      {File("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", four), "structured"},
      {File(Header("<c8", "(1,)"), std::string(8, '\0')), "'<c8' cannot be sent"},
      {File(Header("<u4", "(1,)"), four), "allowed are <f2"},
      {File(Header("|S4", "(1,)"), four), "allowed are <f2"},
      {File(Header("<f4", "(2,)"), four), "cut short: the shape (2) needs 8 bytes of data, 4 are there"},
      {File(Header("<f4", "(1,)"), four + "x"), "trailing bytes"},
      {File(Header("<f4", "(4294967296, 4294967296)"), four), "more than 2^63 bytes"},
      {File(Header("<f8", "(1152921504606846976,)"), four), "more than 2^63 bytes"},
      {File(Header("<f4", "(9223372036854775808,)"), four), "not an integer"},
      {File(Header("<f4", "(-1,)"), four), "not an integer"},
      {File(Header("<f4", "(1.5,)"), four), "commas"},
      {File(Header("<f4", "(1 2)"), four), "commas"},
      {File(Header("<f4", "(1)"), four), "no tuple"},
      {File(Header("<f4", "[1]"), four), "not a tuple"},
      {File(Header("<f4", "(1,,)"), four), "not an integer"},
      {File(Header("<f4", "(1,"), four), "not an integer"},
      {File(Header("<f4", "(" + std::string(66, '1').replace(1, 1, ",") + ",)"), four), "not an integer"},
      {File(Header("<f4", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), four),
       "32 dimensions"},
      {File(Header("<f4", "(1,)", "0"), four), "fortran_order"},
      {File("{'descr': '<f4', 'shape': (1,), }", four), "lacks one of"},
      {File("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", four), "'descr'"},
      {File("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", four), "'x'"},
      {File("{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", four), "comma"},
      {File("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } evil()", four), "goes on after }"},
      {File("__import__('os')", four), "does not begin with {"},
      {File("{'descr': '<f4", four), "not a string"},
      {File(Header("|b1", "(3,)"), std::string("\0\1\2", 3)), "element 2 of type bool is 2"},
  };
  for (const auto& [content, message] : cases) {
    const auto tensor = ParseNpy(content);
    EXPECT_EQ(tensor.status().code(), absl::StatusCode::kInvalidArgument) << message;
    EXPECT_THAT(std::string(tensor.status().message()), HasSubstr(message));
  }
}

TEST(Npy, WritesWhatItReads) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    v1::Tensor tensor;
    constexpr v1::DataType kTypes[] = {v1::DATA_TYPE_F16, v1::DATA_TYPE_F32, v1::DATA_TYPE_F64,
                                       v1::DATA_TYPE_U8,  v1::DATA_TYPE_I32, v1::DATA_TYPE_I64};
    tensor.set_data_type(kTypes[random() % 6]);
    int64_t bytes = ElementBytes(tensor.data_type());
    for (unsigned d = random() % 5; d > 0; --d) {
      tensor.add_shape(random() % 6);
      bytes *= tensor.shape(tensor.shape_size() - 1);
    }
    for (int64_t i = 0; i < bytes; ++i) tensor.mutable_data()->push_back(static_cast<char>(random()));
    const auto content = FormatNpy(tensor);
    ASSERT_TRUE(content.ok()) << content.status();
    EXPECT_EQ((content->size() - tensor.data().size()) % 64, 0u) << "elements are aligned";
    const auto back = ParseNpy(*content);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->SerializeAsString(), tensor.SerializeAsString());
  }
}

TEST(Npy, RefusesToWriteATensorWhoseDataDoesNotFit) {
  v1::Tensor tensor;
  tensor.set_data_type(v1::DATA_TYPE_F32);
  tensor.add_shape(2);
  tensor.set_data("abcd");
  EXPECT_FALSE(FormatNpy(tensor).ok());
  tensor.set_data_type(v1::DATA_TYPE_UNSPECIFIED);
  EXPECT_FALSE(FormatNpy(tensor).ok());
}

TEST(Npy, AFileThatIsNotThereIsNamed) {
  EXPECT_THAT(std::string(ReadNpyFile("/nonexistent/p.npy").status().message()), HasSubstr("/nonexistent/p.npy"));
  EXPECT_THAT(std::string(WriteNpyFile("/nonexistent/p.npy", *ParseNpy(File(Header("<f4", "()"), "abcd"))).message()),
              HasSubstr("/nonexistent/p.npy"));
}

// Damaged files are refused or read, never worse; under the sanitizers this is a small fuzzer.
TEST(Npy, SurvivesDamage) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const std::string good = File(Header("<f4", "(2, 3)"), std::string(24, '\x3f'));
  const std::string alphabet = "{}()[],:'\"<>|=0123456789fiubO TrueFals\n\\";
  int read = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bad = good;
    for (unsigned edits = 1 + random() % 4; edits > 0 && !bad.empty(); --edits) {
      const size_t at = random() % bad.size();
      switch (random() % 4) {
        case 0:
          bad[at] = static_cast<char>(random());
          break;
        case 1:
          bad[at] = alphabet[random() % alphabet.size()];
          break;
        case 2:
          bad.erase(at, random() % 8);
          break;
        default:
          bad.insert(at, 1, alphabet[random() % alphabet.size()]);
      }
    }
    const auto tensor = ParseNpy(bad);
    if (tensor.ok()) {
      ++read;
      int64_t elements = 1;
      for (const int64_t size : tensor->shape()) elements *= size;
      EXPECT_EQ(elements * ElementBytes(tensor->data_type()), static_cast<int64_t>(tensor->data().size()));
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_LT(read, 20000);
}

}  // namespace
}  // namespace gradeline::cli

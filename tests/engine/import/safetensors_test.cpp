#include "engine/import/safetensors.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace shoal::import {
namespace {

std::string file_of(std::string_view header, std::string_view data) {
  const std::uint64_t size = header.size();
  std::string file(sizeof(size), '\0');
  std::memcpy(file.data(), &size, sizeof(size));
  return file.append(header).append(data);
}

std::string message_of(std::string_view header, std::string_view data) {
  const auto result = parse_safetensors(as_bytes(file_of(header, data)));
  return result ? "accepted" : result.error().message;
}

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const float values[2] = {1.5F, -2.0F};
  std::string data(reinterpret_cast<const char*>(values), sizeof(values));
  data += std::string("\x00\x3C\x00\xC0", 4);  // F16: 1, -2
  data += std::string("\x80\x3F", 2);          // BF16: 1
  const std::string file =
      file_of(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},
    "half":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},"brain":{"dtype":"BF16","shape":[],"data_offsets":[12,14]},
    "none":{"dtype":"I64","shape":[0,7],"data_offsets":[14,14]}}   )",
              data);
  const auto parsed = parse_safetensors(as_bytes(file));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->metadata.at("format"), "pt");
  EXPECT_EQ((*parsed->find("a"))->shape, (std::vector<std::uint64_t>{2, 1}));
  EXPECT_EQ(*to_floats(**parsed->find("a")), (std::vector<float>{1.5F, -2.0F}));
  EXPECT_EQ(*to_floats(**parsed->find("half")), (std::vector<float>{1.0F, -2.0F}));
  EXPECT_EQ(*to_floats(**parsed->find("brain")), (std::vector<float>{1.0F}));
  EXPECT_FALSE(to_floats(**parsed->find("none")));
  EXPECT_EQ(parsed->find("b").error().code, Code::kNotFound);
}

TEST(Safetensors, RefusesWhatTheFormatForbids) {
  struct Case {
    const char* header;
    std::size_t data_size;
    const char* reason;
  };
  const Case cases[] = {
      {"", 0, "no JSON"},
      {"[]", 0, "list where none belongs"},
      {"{", 0, "no JSON"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} x)", 4, "no JSON"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "end at byte 4 of 5"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3, "outside the file"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "its shape and dtype say 8"},
      {R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "unknown dtype 'F33'"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", 4, "ends before it begins"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,18446744073709551615]}})", 4, "outside the file"},
      {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "more than 2^64"},
      {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,4]}})", 4, "negative"},
      {R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,4]}})", 4, "not an integer"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,8]}})", 4, "number where none belongs"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0]}})", 4, "needs two numbers"},
      {R"({"a":{"dtype":"U8","shape":[4]}})", 4, "lacks"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"more":1}})", 4, "unexpected key 'more'"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
       4, "'a' twice"},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
       4, "overlaps"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
       4, "hole"},
      {R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1, "list where none belongs"},
      {R"({"__metadata__":{"k":1}})", 0, "number where none belongs"},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "twice"},
      {R"({"a":null})", 0, "null"},
      {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1, "too many"},
  };
  for (const Case& c : cases) {
    EXPECT_NE(message_of(c.header, std::string(c.data_size, 'x')).find(c.reason), std::string::npos)
        << c.header << "\n -> " << message_of(c.header, std::string(c.data_size, 'x'));
  }
}

TEST(Safetensors, DeepNestingIsRefusedAtTheThirdLevel) {
  EXPECT_NE(message_of(R"({"a":)" + std::string(200'000, '{'), ""), "accepted");
  EXPECT_NE(message_of(std::string(200'000, '['), ""), "accepted");
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::string file = file_of(
      R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F16","shape":[1],"data_offsets":[3,5]}})",
      "abcde");
  ASSERT_TRUE(parse_safetensors(as_bytes(file)));
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(parse_safetensors(as_bytes(std::string_view(file).substr(0, size)))) << size;
  }
}

TEST(Safetensors, HugeHeaderSizeIsRefusedBeforeAnythingIsRead) {
  std::string file = file_of("{}", "");
  file[7] = '\x7F';
  EXPECT_NE(parse_safetensors(as_bytes(file)).error().message.find("the limit is"), std::string::npos);
}

TEST(Safetensors, ReadsEveryFixture) {
  const char* fixtures = std::getenv("SHOAL_FIXTURES");
  if (fixtures == nullptr) {
    GTEST_SKIP() << "SHOAL_FIXTURES is not set: the model fixtures are not here";
  }
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(fixtures) / "models")) {
    if (entry.path().extension() != ".safetensors") {
      continue;
    }
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto parsed = parse_safetensors(as_bytes(file));
    ASSERT_TRUE(parsed) << entry.path() << ": " << parsed.error().message;
    EXPECT_FALSE(parsed->tensors.empty()) << entry.path();
    ++count;
  }
  EXPECT_GT(count, 60);
}

}  // namespace
}  // namespace shoal::import

#include "server/wire/json_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "server/wire/numbers.hpp"
#include "server/wire/utf8.hpp"

namespace shoal::wire {
namespace {

using testing::HasSubstr;

// The error of reading `text` as one value, empty when it is fine.
std::string error_of(std::string_view text) {
  JsonReader reader(text);
  reader.skip_value();
  const Status status = reader.finish();
  return status ? "" : status.error().message;
}

TEST(JsonReader, ReadsEveryKindOfValue) {
  JsonReader reader(R"( {"a" : [1, -2.5e3, true, null, "x\u00e9\ud83d\ude00\n"], "b":{}} )");
  ASSERT_TRUE(reader.enter_object());
  EXPECT_EQ(reader.next_key(), "a");
  ASSERT_TRUE(reader.enter_array());
  EXPECT_TRUE(reader.next_element());
  EXPECT_EQ(reader.read_int64(), 1);
  EXPECT_TRUE(reader.next_element());
  EXPECT_EQ(reader.read_number(), "-2.5e3");
  EXPECT_TRUE(reader.next_element());
  EXPECT_EQ(reader.read_bool(), true);
  EXPECT_TRUE(reader.next_element());
  EXPECT_TRUE(reader.read_null());
  EXPECT_TRUE(reader.next_element());
  EXPECT_EQ(reader.read_string(), "x\u00e9\U0001F600\n");
  EXPECT_FALSE(reader.next_element());
  EXPECT_EQ(reader.next_key(), "b");
  EXPECT_EQ(reader.skip_value(), "{}");
  EXPECT_FALSE(reader.next_key());
  EXPECT_TRUE(reader.finish());
}

TEST(JsonReader, RefusesWhatIsNotJson) {
  for (const char* text : {"",    " ",       "{",           "[1,]",        "{\"a\":}",  "{\"a\" 1}", "{a:1}", "[1 2]",
                           "01",  "1.",      ".5",          "+1",          "1e",        "-",         "nul",   "tru",
                           "\"a", "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\u12\"", "\"\t\"",    "[1]]",  "{}{}",
                           "'a'", "[1}",     "{\"a\":1]",   "Nan",         "-NaN",      "inf"}) {
    EXPECT_NE(error_of(text), "") << text;
  }
}

TEST(JsonReader, NamesTheByte) { EXPECT_THAT(error_of(R"({"a":1,"a":2})"), HasSubstr("duplicate key 'a' at byte 10")); }

TEST(JsonReader, BoundsDepthAndKeys) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(error_of(nested(100)), "");
  EXPECT_THAT(error_of(nested(101)), HasSubstr("deeper than 100"));
  EXPECT_THAT(error_of(std::string(250'000, '[')), HasSubstr("deeper than 100"));
  std::string keys = "{\"k0\":0";
  for (std::size_t index = 1; index <= JsonReader::kMaxKeys; ++index) {
    keys += ",\"k" + std::to_string(index) + "\":0";
  }
  EXPECT_THAT(error_of(keys + "}"), HasSubstr("more than 1024 keys"));
}

TEST(JsonReader, RefusesInvalidUtf8) {
  EXPECT_THAT(error_of("\"\xff\""), HasSubstr("not UTF-8"));
  EXPECT_FALSE(is_utf8("\xc0\x80"));
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));
  EXPECT_FALSE(is_utf8("abcdefgh\xe2\x82"));
  EXPECT_TRUE(is_utf8("abcdefgh\u20ac\U0010FFFF"));
}

TEST(JsonReader, SurvivesACutAtEveryByte) {
  constexpr std::string_view kText =
      R"({"inputs":[{"name":"x","data":[[1.5,-2],[NaN,1e9]],"s":"\u00e9\ud83d\ude00"}]})";
  EXPECT_EQ(error_of(kText), "");
  for (std::size_t length = 0; length < kText.size(); ++length) {
    EXPECT_NE(error_of(kText.substr(0, length)), "") << length;
  }
}

TEST(Numbers, AreExactAtTheEdges) {
  EXPECT_EQ(parse_number<std::int8_t>("-128"), -128);
  EXPECT_FALSE(parse_number<std::int8_t>("128"));
  EXPECT_FALSE(parse_number<std::uint8_t>("-1"));
  EXPECT_FALSE(parse_number<std::int32_t>("1.0"));
  EXPECT_EQ(parse_number<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(parse_number<float>("0.1"), 0.1F);
  EXPECT_FALSE(parse_number<float>("1e39"));
  EXPECT_EQ(parse_number<float>("1e-60"), 0.0F);
  EXPECT_TRUE(std::isnan(*parse_number<float>("NaN")));
  EXPECT_EQ(parse_number<double>("-Infinity"), -std::numeric_limits<double>::infinity());
}

TEST(Numbers, AreWrittenShortAndReadBack) {
  const auto written = [](auto value) {
    std::string out;
    append_number(out, value);
    return out;
  };
  EXPECT_EQ(written(0.1F), "0.1");
  EXPECT_EQ(written(1.0F), "1.0");
  EXPECT_EQ(written(-0.0), "-0.0");
  EXPECT_EQ(written(1e30F), "1e+30");
  EXPECT_EQ(written(std::numeric_limits<float>::quiet_NaN()), "NaN");
  EXPECT_EQ(written(-std::numeric_limits<double>::infinity()), "-Infinity");
  EXPECT_EQ(written(std::int8_t{-5}), "-5");
  EXPECT_EQ(written(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

}  // namespace
}  // namespace shoal::wire

#include "server/wire/generate_json.hpp"

#include <gtest/gtest.h>

namespace shoal::wire {
namespace {

std::optional<DataType> type_of(std::string_view name) {
  return name == "text"     ? std::optional(DataType::kBytes)
         : name == "number" ? std::optional(DataType::kFp32)
         : name == "half"   ? std::optional(DataType::kFp16)
                            : std::nullopt;
}

Result<GenerateBody> parse(std::string_view body) { return parse_generate(body, type_of, 64); }

std::string refusal(std::string_view body, std::string_view param) {
  const auto parsed = parse(body);
  EXPECT_FALSE(parsed) << body;
  EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
  EXPECT_EQ(parsed.error().param, param) << body;
  return parsed.error().message;
}

TEST(GenerateJson, MembersAreInputsByNameOrParameters) {
  const auto parsed = parse(R"({"text":"hé","id":"7","number":[1,2.5,-3],"stream":false,"top":3})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->id, "7");
  ASSERT_EQ(parsed->inputs.size(), 2U);
  EXPECT_EQ(parsed->inputs[0].shape, Shape{1});
  EXPECT_EQ(parsed->inputs[0].data, std::string("\3\0\0\0h\xc3\xa9", 7));
  EXPECT_EQ(parsed->inputs[1].shape, Shape{3});
  EXPECT_EQ(parsed->inputs[1].data.size(), 12U);
  EXPECT_EQ(parsed->parameters.size(), 2U);
  EXPECT_EQ(std::get<std::int64_t>(parsed->parameters.at("top")), 3);
}

TEST(GenerateJson, SoAreThoseOfTheirParameters) {
  const auto parsed = parse(R"({"parameters":{"text":["a","","b"],"top":3,"id":"mine"},"low":true})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->inputs.at(0).shape, Shape{3});
  EXPECT_EQ(parsed->parameters.size(), 3U);
  EXPECT_EQ(std::get<std::string>(parsed->parameters.at("id")), "mine");
  EXPECT_TRUE(parsed->id.empty());
}

TEST(GenerateJson, WhatIsWrongIsNamed) {
  refusal("", "");
  refusal("[1]", "");
  refusal(R"({"text":"a"} 1)", "");
  EXPECT_EQ(refusal(R"({"text":7})", "text"), "input 'text' has an element in 'data' that is no BYTES");
  refusal(R"({"number":["x"]})", "number");
  refusal(R"({"number":null})", "number");
  EXPECT_NE(refusal(R"({"half":1})", "half").find("FP16"), std::string::npos);
  EXPECT_EQ(refusal(R"({"text":"a","parameters":{"text":"b"}})", "text"), "input 'text' is given twice");
  EXPECT_EQ(refusal(R"({"top":1,"parameters":{"top":2}})", "top"), "parameter 'top' is given twice");
  EXPECT_NE(refusal(R"({"other":{"a":1}})", "other").find("invalid type"), std::string::npos);
  EXPECT_NE(refusal(R"({"parameters":{"parameters":{}}})", "parameters").find("invalid type"), std::string::npos);
  refusal(R"({"parameters":1})", "");
  refusal(R"({"id":1})", "");
  EXPECT_NE(refusal(R"({"number":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]})", "number").find("64 bytes"), std::string::npos);
}

TEST(GenerateJson, OneElementIsAScalarAndAnOutputHidesAParameter) {
  const std::vector<Tensor> outputs = {
      {.name = "text", .datatype = DataType::kBytes, .shape = {1}, .data = std::string("\1\0\0\0\"", 5)},
      {.name = "none", .datatype = DataType::kFp32, .shape = {0}, .data = {}},
      {.name = "two", .datatype = DataType::kBool, .shape = {2}, .data = std::string("\1\0", 2)},
  };
  InferAnswer answer{.model = "m", .version = "1", .id = "", .parameters = {}, .outputs = outputs, .binary = {}};
  answer.parameters = {{"two", std::int64_t{5}}, {"where", std::string("here")}};
  EXPECT_EQ(write_generate(answer).value(),
            R"({"model_name":"m","model_version":"1","text":"\"","none":[],"two":[true,false],"where":"here"})");
  answer.id = "7";
  EXPECT_TRUE(write_generate(answer)->starts_with(R"({"id":"7",)"));
}

TEST(GenerateJson, WhatJsonCannotSayIsAnError) {
  const std::vector<Tensor> outputs = {
      {.name = "raw", .datatype = DataType::kBytes, .shape = {1}, .data = std::string("\1\0\0\0\xff", 5)}};
  const auto text =
      write_generate({.model = "m", .version = "1", .id = "", .parameters = {}, .outputs = outputs, .binary = {}});
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().param, "raw");
}

}  // namespace
}  // namespace shoal::wire

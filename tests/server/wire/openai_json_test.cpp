#include "server/wire/openai_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace shoal::wire {
namespace {

using testing::HasSubstr;

Error error_of(std::string_view text) {
  const auto body = parse_embeddings(text, 3);
  return body ? Error{} : body.error();
}

TEST(EmbeddingsJson, TakesAllFourKindsOfInput) {
  const auto inputs = [](const std::string& input) {
    const auto body = parse_embeddings(R"({"model":"m","input":)" + input + "}", 4);
    EXPECT_TRUE(body) << body.error().message;
    return body->inputs;
  };
  using Inputs = decltype(EmbeddingsBody::inputs);
  EXPECT_EQ(inputs(R"("a")"), (Inputs{"a"}));
  EXPECT_EQ(inputs(R"(["a","b"])"), (Inputs{"a", "b"}));
  EXPECT_EQ(inputs("[1,2,3,4,5,6]"), (Inputs{TokenIds{1, 2, 3, 4, 5, 6}}));
  EXPECT_EQ(inputs("[[1,2],[3]]"), (Inputs{TokenIds{1, 2}, TokenIds{3}}));
}

TEST(EmbeddingsJson, ReadsTheOptions) {
  const auto body = parse_embeddings(
      R"({"model":"m","input":"a","encoding_format":"base64","dimensions":384,"user":"u","truncate_prompt_tokens":8,
          "shoal":{"backend":"wasm","bits":8,"worker":"chromium/0","priority":1,"timeout_us":5},"unknown":[{}]})",
      1);
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_TRUE(body->is_base64);
  EXPECT_EQ(body->dimensions, 384);
  EXPECT_TRUE(body->truncate);
  EXPECT_EQ(body->truncate_to, 8);
  EXPECT_EQ(std::get<std::string>(body->parameters.at("shoal_backend")), "wasm");
  EXPECT_EQ(std::get<std::int64_t>(body->parameters.at("shoal_bits")), 8);
  EXPECT_EQ(std::get<std::int64_t>(body->parameters.at("timeout")), 5);
  const auto nulls = parse_embeddings(R"({"model":"m","input":"a","dimensions":null,"encoding_format":null})", 1);
  EXPECT_TRUE(nulls);
}

TEST(EmbeddingsJson, NamesTheMemberAtFault) {
  EXPECT_EQ(error_of(R"({"input":"a"})").param, "model");
  EXPECT_EQ(error_of(R"({"model":"m"})").param, "input");
  EXPECT_EQ(error_of(R"({"model":"m","input":""})").param, "input");
  EXPECT_EQ(error_of(R"({"model":"m","input":[]})").param, "input");
  EXPECT_EQ(error_of(R"({"model":"m","input":["a",""]})").param, "input");
  EXPECT_EQ(error_of(R"({"model":"m","input":[[]]})").param, "input");
  EXPECT_EQ(error_of(R"({"model":"m","input":["a",1]})").param, "input");
  EXPECT_EQ(error_of(R"({"model":"m","input":[["a"]]})").code, Code::kInvalidArgument);
  EXPECT_EQ(error_of(R"({"model":"m","input":[1.5]})").param, "input");
  EXPECT_EQ(error_of(R"({"model":"m","input":null})").param, "input");
  EXPECT_EQ(error_of(R"({"model":7,"input":"a"})").param, "model");
  EXPECT_EQ(error_of(R"({"model":"m","input":"a","encoding_format":"hex"})").param, "encoding_format");
  EXPECT_EQ(error_of(R"({"model":"m","input":"a","dimensions":0})").param, "dimensions");
  EXPECT_EQ(error_of(R"({"model":"m","input":"a","shoal":{"backend":1}})").param, "shoal.backend");
  EXPECT_THAT(error_of(R"({"model":"m","input":"a","shoal":{"gpu":1}})").message,
              HasSubstr("'shoal.gpu' is not known"));
  EXPECT_THAT(error_of(R"({"model":"m","input":["a","b","c","d"]})").message, HasSubstr("more than 3 entries"));
  EXPECT_THAT(error_of("{").message, HasSubstr("failed to parse"));
}

TEST(EmbeddingsJson, WritesFloatsAndBase64) {
  const std::vector<std::vector<float>> vectors = {{1.0F, -0.5F}, {0.25F, 2.0F}};
  const auto as_float = nlohmann::json::parse(write_embeddings(
      {.model = "m", .embeddings = vectors, .is_base64 = false, .prompt_tokens = 7, .shoal = R"({"backend":"wasm"})"}));
  EXPECT_EQ(as_float["object"], "list");
  EXPECT_EQ(as_float["data"][1]["index"], 1);
  EXPECT_EQ(as_float["data"][1]["embedding"], vectors[1]);
  EXPECT_EQ(as_float["usage"]["total_tokens"], 7);
  EXPECT_EQ(as_float["shoal"]["backend"], "wasm");
  const auto as_text = nlohmann::json::parse(
      write_embeddings({.model = "m", .embeddings = vectors, .is_base64 = true, .prompt_tokens = 7, .shoal = ""}));
  EXPECT_EQ(as_text["data"][0]["embedding"], "AACAPwAAAL8=");
  EXPECT_FALSE(as_text.contains("shoal"));
}

TEST(Base64, PadsAsTheRfcSays) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace shoal::wire

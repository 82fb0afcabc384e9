#include "engine/package/description.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace shoal::package {
namespace {

using Json = nlohmann::json;

Description example() {
  return {.name = "minilm",
          .architecture = "bert",
          .vocabulary = 30522,
          .context = 512,
          .eos = {2, 3},
          .decoder_start = 0,
          .embedding = Embedding{.output = "embedding", .width = 384, .pooling = "mean", .is_normalized = true},
          .variants = {{.name = "q4-mixed",
                        .bits = 4,
                        .is_mixed = true,
                        .plan = {std::string(64, 'a') + ".plan", std::string(64, 'a'), 4711},
                        .weight_bytes = 1234,
                        .method = "search",
                        .keep = {"norm=32"},
                        .relative_error = 0.0625,
                        .tensors = {{"encoder.q+k+v.weight", "q4-asym-s8z8-g32", 1000, 0.0625, 0.5}}},
                       {.name = "q8",
                        .bits = 8,
                        .plan = {std::string(64, 'b') + ".plan", std::string(64, 'b'), 4712},
                        .weight_bytes = 2345}},
          .default_variant = "q8",
          .source = {"huggingface", "all-MiniLM-L6-v2", {{"model.safetensors", std::string(64, 'c'), 90}}},
          .licence = "apache-2.0"};
}

TEST(Description, ComesBackAsItWas) {
  const std::string text = write_description(example());
  const auto back = parse_description(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(write_description(*back), text);
  EXPECT_EQ(back->variants[0].tensors[0].relative_error, 0.0625);
  EXPECT_EQ(back->embedding->width, 384U);
  EXPECT_EQ(back->decoder_start, 0);
  EXPECT_EQ(back->find("")->name, "q8");
  EXPECT_EQ(back->find("q4-mixed")->bits, 4U);
  EXPECT_EQ(back->find("f16"), nullptr);
}

TEST(Description, LeavesOutWhatAModelDoesNotHave) {
  Description plain = example();
  plain.embedding.reset();
  plain.decoder_start = -1;
  const auto back = parse_description(write_description(plain));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_FALSE(back->embedding);
  EXPECT_EQ(back->decoder_start, -1);
}

TEST(Description, AWrongFieldIsNamed) {
  struct Case {
    const char* pointer;
    Json value;
    const char* field;
    const char* expected;
  };
  const Case cases[] = {
      {"/format", 2, "format", "expected 1"},
      {"/name", "", "name", "a text"},
      {"/class", "transformer", "class", "'encoder', 'decoder' or 'encoder-decoder'"},
      {"/vocabulary", -1, "vocabulary", "a whole number from 1 to"},
      {"/context", 1.5, "context", "a whole number from 0 to"},
      {"/eos/1", "two", "eos[1]", "a whole number from 0 to 2147483647"},
      {"/eos", 2, "eos", "a list"},
      {"/decoder_start", 4294967296, "decoder_start", "a whole number"},
      {"/embedding/width", 0, "embedding.width", "a whole number from 1"},
      {"/embedding/normalize", "yes", "embedding.normalize", "true or false"},
      {"/variants", Json::array(), "variants", "at least one"},
      {"/variants/1/name", "q4-mixed", "variants", "'q4-mixed' is there twice"},
      {"/variants/0/bits", 64, "variants[0].bits", "a whole number from 2 to 32"},
      {"/variants/0/plan/file", "../x.plan", "variants[0].plan.file", "the name of a file"},
      {"/variants/0/plan/file", ".x", "variants[0].plan.file", "the name of a file"},
      {"/variants/0/plan/sha256", std::string(64, 'A'), "variants[0].plan.sha256", "64 hexadecimal digits"},
      {"/variants/1/plan/bytes", nullptr, "variants[1].plan.bytes", "a whole number"},
      {"/variants/1/weight_bytes", "many", "variants[1].weight_bytes", "a whole number"},
      {"/variants/0/keep/0", 3, "variants[0].keep[0]", "a text"},
      {"/variants/0/relative_error", "small", "variants[0].relative_error", "a number"},
      {"/default_variant", "q2", "default_variant", "the name of a variant"},
      {"/source/files/0/bytes", -1, "source.files[0].bytes", "a whole number"},
  };
  for (const Case& one : cases) {
    Json json = Json::parse(write_description(example()));
    json[Json::json_pointer(one.pointer)] = one.value;
    const auto back = parse_description(json.dump());
    ASSERT_FALSE(back) << one.pointer;
    EXPECT_EQ(back.error().code, Code::kInvalidArgument);
    EXPECT_EQ(back.error().param, one.field);
    EXPECT_THAT(back.error().message,
                testing::AllOf(testing::StartsWith("package.json: "), testing::HasSubstr(one.expected)));
  }
}

TEST(Description, WhatIsNoDocumentIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{\"format\":1"), std::string(1000, '[')}) {
    const auto back = parse_description(text);
    ASSERT_FALSE(back);
    EXPECT_THAT(back.error().message, testing::HasSubstr("no JSON object"));
  }
  std::string deep = "{\"x\":";
  deep += std::string(40, '[') + std::string(40, ']') + "}";
  EXPECT_FALSE(parse_description(deep));
  EXPECT_THAT(parse_description(std::string(kMaxDescriptionBytes + 1, ' ')).error().message,
              testing::HasSubstr("more than"));
}

}  // namespace
}  // namespace shoal::package

#include "server/text/grammars.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "server/text/answer_grammar.hpp"
#include "server/text/tokenizer.hpp"
#include "tests/server/text/bytes_tokenizer.hpp"

namespace shoal::text {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

constexpr std::uint32_t kEnd = 256;         // special
constexpr std::uint32_t kCall = 257;        // added, not special: a text like any other
constexpr std::uint32_t kVocabulary = 264;  // of the model, some of which the tokenizer does not know

std::shared_ptr<const Tokenizer> tokenizer() {
  Json file = bytes_tokenizer_file();
  Json call = file["added_tokens"][0];
  call["id"] = kCall;
  call["content"] = "<tool_call>";
  call["special"] = false;
  file["added_tokens"].push_back(call);
  return bytes_tokenizer(file);
}

Grammars grammars() { return Grammars(tokenizer(), {kEnd}, kVocabulary); }

std::vector<std::uint32_t> allowed_by(const std::string& mask) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t id = 0; id < mask.size() * 8; ++id) {
    if (((static_cast<unsigned char>(mask[id / 8]) >> (id % 8)) & 1U) != 0) {
      out.push_back(id);
    }
  }
  return out;
}

// A text of tokens that are drawn from what is allowed; nothing when it does not end.
std::optional<std::string> drawn(Constraint& constraint, std::mt19937& random) {
  std::string text;
  while (!constraint.has_ended() && text.size() < 4000) {
    const auto mask = constraint.mask();
    EXPECT_TRUE(mask) << mask.error().message;
    const auto allowed = allowed_by(*mask);
    const std::uint32_t id = allowed[std::uniform_int_distribution<std::size_t>(0, allowed.size() - 1)(random)];
    if (id == kEnd) {
      return text;
    }
    if (id == kCall) {
      text += "<tool_call>";
      EXPECT_TRUE(constraint.take(id));
      continue;
    }
    EXPECT_LT(id, kEnd) << "neither a special token nor one without bytes";
    text += static_cast<char>(id);
    const Status taken = constraint.take(id);
    EXPECT_TRUE(taken) << taken.error().message;
  }
  return constraint.has_ended() ? std::optional(text) : std::nullopt;
}

TEST(Grammars, WhateverIsDrawnObeysTheSchema) {
  const Grammars all = grammars();
  const Json schema = {
      {"type", "object"},
      {"properties",
       {{"name", {{"type", "string"}, {"maxLength", 5}}},
        {"kind", {{"enum", {"cod", "herring"}}}},
        {"length", {{"type", "integer"}, {"minimum", 0}, {"maximum", 99}}},
        {"tags", {{"type", "array"}, {"items", {{"$ref", "#/$defs/tag"}}}, {"minItems", 1}, {"maxItems", 2}}}}},
      {"required", {"name", "kind", "length", "tags"}},
      {"additionalProperties", false},
      {"$defs", {{"tag", {{"type", "boolean"}}}}}};
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    auto constraint = all.json_schema(schema.dump());
    ASSERT_TRUE(constraint) << constraint.error().message;
    const auto text = drawn(**constraint, random);
    ASSERT_TRUE(text);
    const Json value = Json::parse(*text, nullptr, false);
    ASSERT_TRUE(value.is_object()) << *text;
    EXPECT_EQ(value.size(), 4);
    EXPECT_TRUE(value["name"].is_string());
    EXPECT_TRUE(value["kind"] == "cod" || value["kind"] == "herring");
    EXPECT_LE(value["length"].get<int>(), 99);
    EXPECT_GE(value["tags"].size(), 1);
    EXPECT_TRUE(value["tags"][0].is_boolean());
  }
}

TEST(Grammars, TokensAreSpelledInBytes) {
  const auto bytes = tokenizer();
  EXPECT_EQ(bytes->token_bytes(0xC3).value_or(""), "\xC3");
  EXPECT_EQ(bytes->token_bytes(' ').value_or(""), " ");
  EXPECT_EQ(bytes->token_bytes(kEnd).value_or(""), "<end>");
  EXPECT_EQ(bytes->token_bytes(kCall).value_or(""), "<tool_call>");
  EXPECT_EQ(bytes->token_bytes(kVocabulary).value_or("x"), "");
}

TEST(Grammars, AtTheEndOnlyTheStopIdsMayFollow) {
  const Grammars all = grammars();
  auto constraint = all.json_schema(R"({"const": true})");
  ASSERT_TRUE(constraint);
  for (const char byte : std::string_view("true")) {
    EXPECT_FALSE((*constraint)->has_ended());
    EXPECT_THAT(allowed_by(*(*constraint)->mask()), testing::Contains(static_cast<std::uint32_t>(byte)));
    ASSERT_TRUE((*constraint)->take(static_cast<std::uint32_t>(byte)));
  }
  EXPECT_THAT(allowed_by(*(*constraint)->mask()), testing::ElementsAre(kEnd));
}

TEST(Grammars, TokensThatAreNotAllowedAreErrors) {
  const Grammars all = grammars();
  auto constraint = all.json_schema(R"({"type": "boolean"})");
  ASSERT_TRUE(constraint);
  EXPECT_EQ((*constraint)->take('x').error().code, Code::kInternal);
}

TEST(Grammars, AGrammarMayNameAddedTokens) {
  const Grammars all = grammars();
  std::mt19937 random(7);
  auto constraint =
      all.lark("start: \"<tool_call>\\n\" call \"\\n</tool_call>\"\ncall: %json {\"const\": {\"name\": \"f\"}}");
  ASSERT_TRUE(constraint) << constraint.error().message;
  EXPECT_THAT(allowed_by(*(*constraint)->mask()), testing::UnorderedElementsAre('<', kCall));
  ASSERT_TRUE((*constraint)->take(kCall));
  const auto rest = drawn(**constraint, random);
  ASSERT_TRUE(rest);
  EXPECT_THAT(*rest, HasSubstr("</tool_call>"));
}

TEST(Grammars, CallsThatObeyTheirGrammarAreRead) {
  const Grammars all = grammars();
  std::mt19937 random(11);
  const Json parameters = {{"type", "object"},
                           {"properties", {{"n", {{"$ref", "#/$defs/small"}}}}},
                           {"required", {"n"}},
                           {"additionalProperties", false},
                           {"$defs", {{"small", {{"type", "integer"}, {"minimum", 0}, {"maximum", 9}}}}}};
  const std::vector<Tool> tools = {{.name = "f\"", .parameters = parameters}, {.name = "g", .parameters = parameters}};
  for (const ToolStyle style : {ToolStyle::kHermes, ToolStyle::kLlama3}) {
    for (const bool is_parallel : {false, true}) {
      for (int round = 0; round < 10; ++round) {
        auto constraint = all.lark(call_grammar(style, tools, is_parallel));
        ASSERT_TRUE(constraint) << constraint.error().message;
        const auto text = drawn(**constraint, random);
        ASSERT_TRUE(text);
        ToolCalls reader(style);
        ToolCalls::Piece read = reader.add(*text);
        const ToolCalls::Piece rest = reader.finish();
        read.calls.insert(read.calls.end(), rest.calls.begin(), rest.calls.end());
        EXPECT_EQ(read.content + rest.content, "") << *text;
        ASSERT_GE(read.calls.size(), 1U) << *text;
        EXPECT_LE(read.calls.size(), is_parallel ? 50U : 1U);
        for (const ToolCall& call : read.calls) {
          EXPECT_TRUE(call.name == "f\"" || call.name == "g");
          EXPECT_TRUE(Json::parse(call.arguments)["n"].is_number_integer());
        }
      }
    }
  }
}

TEST(Grammars, WhiteSpaceIsBounded) {
  const Grammars all = grammars();
  auto constraint = all.json_schema(schema_grammar({{"type", "array"}, {"items", {{"const", 1}}}, {"minItems", 1}}));
  ASSERT_TRUE(constraint) << constraint.error().message;
  ASSERT_TRUE((*constraint)->take('['));
  int spaces = 0;
  while ((*constraint)->take(' ')) {
    ++spaces;
    ASSERT_LT(spaces, 20);
  }
  EXPECT_GT(spaces, 3);
}

TEST(Grammars, WhatWouldNotBeObeyedIsRefused) {
  const Grammars all = grammars();
  for (const char* schema : {"{", R"({"type": "fish"})", R"({"type": "object", "minProperties": 3, "uniqueItems": true,
        "dependentSchemas": {"a": {"required": ["b"]}}})",
                             R"({"$ref": "https://example.com/schema"})"}) {
    const auto constraint = all.json_schema(schema);
    ASSERT_FALSE(constraint) << schema;
    EXPECT_EQ(constraint.error().code, Code::kInvalidArgument);
    EXPECT_FALSE(constraint.error().message.empty());
  }
  const auto long_one = all.json_schema(std::string(Grammars::kMaxBytes + 1, ' '));
  EXPECT_EQ(long_one.error().code, Code::kInvalidArgument);
  EXPECT_EQ(all.lark("start: nothing").error().code, Code::kInvalidArgument);
}

TEST(Grammars, AModelThatCannotBeConstrainedSaysWhy) {
  const Grammars endless(tokenizer(), {}, kVocabulary);
  EXPECT_EQ(endless.json_schema("{}").error().code, Code::kOperatorNotSupported);
  EXPECT_THAT(endless.json_schema("{}").error().message, HasSubstr("no token that ends"));
  Json file = bytes_tokenizer_file();
  file["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  const Grammars other(bytes_tokenizer(file), {kEnd}, kVocabulary);
  EXPECT_THAT(other.json_schema("{}").error().message, HasSubstr("ByteLevel"));
}

}  // namespace
}  // namespace shoal::text

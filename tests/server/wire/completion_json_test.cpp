#include "server/wire/completion_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/wire/responses_json.hpp"
#include "server/wire/tokenize_json.hpp"

namespace shoal::wire {
namespace {

using Json = nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;

Json chat() { return {{"model", "m"}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}}; }

Json tool(const std::string& name) {
  return {{"type", "function"}, {"function", {{"name", name}, {"parameters", {{"type", "object"}}}}}};
}

TEST(ChatJson, EveryMemberIsRead) {
  Json body = chat();
  body.update(Json::parse(R"({"max_completion_tokens": 7, "n": 2, "stop": ["a", "b"], "seed": -3, "temperature": 0.5,
    "top_p": 0.9, "top_k": 40, "min_p": 0.05, "presence_penalty": -1, "frequency_penalty": 2, "repetition_penalty": 1.1,
    "logit_bias": {"5": -100}, "ignore_eos": true, "cache_salt": "pepper", "stream": true, "stream_options": {"include_usage": true},
    "return_token_ids": true, "logprobs": true, "top_logprobs": 3, "user": "someone", "metadata": {"a": "b"},
    "parallel_tool_calls": false, "shoal": {"backend": "wasm"}, "unknown": [1]})"));
  const auto read = parse_chat(body.dump());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->max_tokens, 7U);
  EXPECT_EQ(read->n, 2U);
  EXPECT_THAT(read->stop, ElementsAre("a", "b"));
  EXPECT_EQ(read->seed, static_cast<std::uint64_t>(-3));
  EXPECT_EQ(read->sampling.temperature, 0.5F);
  EXPECT_EQ(read->sampling.top_k, 40U);
  EXPECT_THAT(read->sampling.logit_bias, ElementsAre(testing::Pair(5U, -100.0F)));
  EXPECT_TRUE(read->ignores_eos && read->is_streamed && read->wants_usage && read->wants_token_ids);
  EXPECT_EQ(read->cache_salt, "pepper");
  EXPECT_TRUE(read->wants_logprobs);
  EXPECT_EQ(read->top_logprobs, 3U);
  EXPECT_FALSE(read->form.is_parallel);
  EXPECT_TRUE(read->form.tools.is_null());
  EXPECT_TRUE(read->parameters.contains("shoal_backend"));
}

TEST(ChatJson, WhatIsWrongIsNamed) {
  const auto refused = [](const char* members, const std::string& param) {
    Json body = chat();
    body.update(Json::parse(members));
    const auto read = parse_chat(body.dump());
    ASSERT_FALSE(read) << members;
    EXPECT_EQ(read.error().code, Code::kInvalidArgument);
    EXPECT_EQ(read.error().param, param) << read.error().message;
    EXPECT_FALSE(read.error().message.empty());
  };
  refused(R"({"model": 3})", "model");
  refused(R"({"messages": "hi"})", "messages");
  refused(R"({"messages": []})", "messages");
  refused(R"({"messages": [{"role": "robot", "content": "x"}]})", "messages[0].role");
  refused(R"({"messages": [{"role": "user"}]})", "messages[0].content");
  refused(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})", "messages[0].content");
  refused(R"({"messages": [{"role": "tool", "content": "x"}]})", "messages[0].tool_call_id");
  refused(R"({"messages": [{"role": "assistant", "tool_calls": [{}]}]})", "messages[0].tool_calls");
  refused(R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "x"}}]}]})",
          "messages[0].tool_calls");
  refused(R"({"temperature": 2.5})", "temperature");
  refused(R"({"top_p": 0})", "top_p");
  refused(R"({"n": 17})", "n");
  refused(R"({"stop": ["a", "b", "c", "d", "e"]})", "stop");
  refused(R"({"stop": ""})", "stop");
  refused(R"({"logit_bias": {"5": 101}})", "logit_bias");
  refused(R"({"cache_salt": ""})", "cache_salt");
  refused(R"({"cache_salt": 5})", "cache_salt");
  refused(R"({"top_logprobs": 2})", "top_logprobs");
  refused(R"({"logprobs": true, "top_logprobs": 21})", "top_logprobs");
  refused(R"({"logprobs": 1})", "logprobs");
  refused(R"({"stream_options": {"include_usage": true}})", "stream_options");
  refused(R"({"functions": []})", "functions");
  refused(R"({"tools": [{"type": "web_search"}]})", "tools[0].type");
  refused(R"({"tools": [{"type": "function", "function": {"name": "no spaces"}}]})", "tools[0].function.name");
  refused(R"({"tools": [{"type": "function", "function": {"name": "f", "parameters": 3}}]})",
          "tools[0].function.parameters");
  refused(R"({"tools": [{"type": "function", "function": {"name": "f", "description": 3}}]})",
          "tools[0].function.description");
  refused(R"({"tool_choice": "required"})", "tool_choice");
  refused(R"({"tool_choice": "some"})", "tool_choice");
  refused(R"({"tools": [{"type": "function", "function": {"name": "f"}}],
              "tool_choice": {"type": "function", "function": {"name": "g"}}})",
          "tool_choice");
  refused(R"({"tools": [{"type": "function", "function": {"name": "f"}}], "response_format": {"type": "json_object"}})",
          "response_format");
  refused(R"({"response_format": {"type": "xml"}})", "response_format.type");
  refused(R"({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}})",
          "response_format.json_schema.schema");
  refused(R"({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}})",
          "response_format.json_schema.name");
}

TEST(ChatJson, MessagesBecomeWhatTemplatesKnow) {
  Json body = chat();
  body["messages"] = Json::parse(R"([
    {"role": "developer", "content": [{"type": "text", "text": "be "}, {"type": "text", "text": "kind"}]},
    {"role": "assistant", "content": null, "tool_calls": [
      {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "42"}])");
  const auto read = parse_chat(body.dump());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->messages[0]["role"], "system");
  EXPECT_EQ(read->messages[0]["content"], "be kind");
  EXPECT_EQ(read->messages[1]["tool_calls"][0]["function"]["arguments"]["a"], 1);
}

TEST(ChatJson, ToolsAndFormatsAreRead) {
  Json body = chat();
  body["tools"] = {tool("f"), tool("g")};
  body["tool_choice"] = {{"type", "function"}, {"function", {{"name", "g"}}}};
  auto read = parse_chat(body.dump());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->form.tools.size(), 2);
  EXPECT_EQ(read->form.choice.kind, ToolChoice::Kind::kNamed);
  EXPECT_EQ(read->form.choice.name, "g");
  body = chat();
  body["response_format"] = Json::parse(
      R"({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {"type": "integer"}}})");
  read = parse_chat(body.dump());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ((*read->form.schema)["type"], "integer");
  body["response_format"] = {{"type", "text"}};
  EXPECT_FALSE(parse_chat(body.dump())->form.schema);
}

TEST(CompletionJson, PromptsAndLogprobs) {
  const auto read = parse_completion(R"({"model": "m", "prompt": [[1, 2], [3]], "n": 2, "logprobs": 2})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->prompts.size(), 2U);
  EXPECT_TRUE(read->wants_logprobs);
  EXPECT_EQ(read->top_logprobs, 2U);
  for (const auto& [members, param] :
       {std::pair(R"("prompt": "x", "suffix": "y")", "suffix"), std::pair(R"("prompt": [])", "prompt"),
        std::pair(R"("prompt": ["x", 1])", "prompt"), std::pair(R"("prompt": "x", "best_of": 2)", "best_of"),
        std::pair(R"("prompt": "x", "echo": true, "logprobs": 1)", "echo"),
        std::pair(R"("prompt": ["x", "y"], "n": 9)", "n")}) {
    const auto refused = parse_completion(std::string(R"({"model": "m", )") + members + "}");
    ASSERT_FALSE(refused) << members;
    EXPECT_EQ(refused.error().param, param);
  }
}

TEST(ResponsesJson, BecomeAChat) {
  const auto read = parse_responses(R"({"model": "m", "instructions": "be kind", "max_output_tokens": 5, "store": false,
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
              {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
              {"type": "function_call_output", "call_id": "c", "output": "42"}],
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
    "tool_choice": {"type": "function", "name": "f"}, "include": ["message.output_text.logprobs"], "top_logprobs": 1})");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->messages.size(), 4);
  EXPECT_EQ(read->messages[0]["role"], "system");
  EXPECT_EQ(read->messages[1]["content"], "hi");
  EXPECT_EQ(read->messages[2]["tool_calls"][0]["function"]["name"], "f");
  EXPECT_EQ(read->messages[3]["role"], "tool");
  EXPECT_EQ(read->max_tokens, 5U);
  EXPECT_EQ(read->form.choice.name, "f");
  EXPECT_TRUE(read->wants_logprobs);
  const auto formed = parse_responses(R"({"model": "m", "input": "hi", "text": {"format": {"type": "json_schema",
    "name": "n", "schema": {"type": "integer"}}}})");
  ASSERT_TRUE(formed) << formed.error().message;
  EXPECT_EQ((*formed->form.schema)["type"], "integer");
}

TEST(ResponsesJson, NothingIsKept) {
  for (const auto& [members, param] :
       {std::pair(R"("store": true)", "store"),
        std::pair(R"("previous_response_id": "resp_1")", "previous_response_id"),
        std::pair(R"("background": true)", "background"), std::pair(R"("truncation": "auto")", "truncation"),
        std::pair(R"("conversation": "c")", "conversation"), std::pair(R"("include": ["x"])", "include"),
        std::pair(R"("input": [{"type": "item_reference"}])", "input[0].type"),
        std::pair(R"("input": [{"role": "user"}])", "input[0].content")}) {
    const std::string has_input = std::string_view(members).contains("\"input\"") ? "" : R"("input": "x", )";
    const auto refused = parse_responses(R"({"model": "m", )" + has_input + members + "}");
    ASSERT_FALSE(refused) << members;
    EXPECT_EQ(refused.error().param, param) << refused.error().message;
  }
  EXPECT_EQ(parse_responses(R"({"model": "m"})").error().param, "input");
}

TEST(TokenizeJson, PromptOrMessages) {
  const auto prompt =
      parse_tokenize(R"({"model": "m", "prompt": "x", "add_special_tokens": false, "return_token_strs": true})");
  ASSERT_TRUE(prompt);
  EXPECT_EQ(prompt->prompt, "x");
  EXPECT_EQ(prompt->adds_special_tokens, false);
  EXPECT_TRUE(prompt->wants_texts);
  const auto messages = parse_tokenize(R"({"messages": [{"role": "user", "content": "x"}]})");
  ASSERT_TRUE(messages);
  EXPECT_FALSE(messages->prompt);
  EXPECT_FALSE(parse_tokenize("{}"));
  EXPECT_FALSE(parse_tokenize(R"({"prompt": "x", "messages": [{"role": "user", "content": "x"}]})"));
  EXPECT_THAT(parse_detokenize(R"({"tokens": [1, 2]})")->tokens, ElementsAre(1U, 2U));
  EXPECT_EQ(parse_detokenize(R"({"tokens": [-1]})").error().param, "tokens");
  EXPECT_EQ(parse_detokenize(R"({"tokens": "x"})").error().param, "tokens");
  EXPECT_EQ(parse_detokenize("{}").error().param, "tokens");
}

}  // namespace
}  // namespace shoal::wire
